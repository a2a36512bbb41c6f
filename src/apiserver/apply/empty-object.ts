import { decode } from "#codec/decode.ts";
import { PlainRecord } from "#codec/record.ts";
import type { StructSchema } from "#codec/schema.ts";

const emptyObjects = new WeakMap<StructSchema, Record<string, unknown>>();

/** What an object of the type is before anybody wrote to it. */
export function emptyObject(schema: StructSchema): Record<string, unknown> {
  let empty = emptyObjects.get(schema);
  if (empty === undefined) {
    empty = decode(schema, new PlainRecord(), { defaults: false }).object;
    emptyObjects.set(schema, empty);
  }
  return empty;
}
