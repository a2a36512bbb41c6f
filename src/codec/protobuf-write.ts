import type { FieldSchema, ScalarType, Schema, StructSchema, UnionSchema } from "./schema.ts";
import { decodeBase64 } from "./base64.ts";
import { parseDuration } from "./duration.ts";
import { encodeJson } from "./json.ts";
import { isListMessage } from "./protobuf-read.ts";
import type { WireWriter } from "./protobuf-wire.ts";
import { isRecord } from "./record.ts";
import { parseTime } from "./time.ts";

type Entry =
  | { readonly number: number; readonly field: FieldSchema }
  | { readonly number: number; readonly inlined: StructSchema };

const entriesOf = new WeakMap<StructSchema, readonly Entry[]>();
const none: Readonly<Record<string, unknown>> = {};

/** Highest number first: the writer works from the end. */
function entries(schema: StructSchema): readonly Entry[] {
  let list = entriesOf.get(schema);
  if (list === undefined) {
    const fields: Entry[] = schema.fields
      .filter((field) => field.number > 0)
      .map((field) => ({ number: field.number, field }));
    const inlined: Entry[] = (schema.inlined ?? []).map(({ number, struct }) => ({ number, inlined: struct }));
    list = [...fields, ...inlined].sort((a, b) => b.number - a.number);
    entriesOf.set(schema, list);
  }
  return list;
}

/** Writes an object's fields as Go does: by number, values also when zero, pointers and lists only when set. */
export function writeMessage(
  schema: StructSchema,
  object: Readonly<Record<string, unknown>>,
  writer: WireWriter,
): void {
  for (const entry of entries(schema)) {
    if ("inlined" in entry) {
      const before = writer.length;
      writeMessage(entry.inlined, object, writer);
      writer.close(entry.number, before);
    } else writeField(entry.field, object[entry.field.name], writer);
  }
}

function writeField(field: FieldSchema, value: unknown, writer: WireWriter): void {
  const { schema, number } = field;
  const isAbsent = value === undefined || value === null;
  if (isAbsent && (field.pointer || schema.node === "list" || schema.node === "map")) return;
  if (schema.node === "map") writeMap(schema.value, number, recordOf(value, field.name), writer);
  else if (schema.node === "list" && !isListMessage(schema))
    writeList(schema.element, number, listOf(value, field.name), writer);
  else if (isAbsent && schema.node === "scalar" && schema.type === "bytes") return;
  else writeValue(schema, number, value, writer);
}

function writeList(element: Schema, number: number, list: readonly unknown[], writer: WireWriter): void {
  for (let i = list.length - 1; i >= 0; i -= 1) writeValue(element, number, list[i], writer);
}

function writeMap(schema: Schema, number: number, map: Readonly<Record<string, unknown>>, writer: WireWriter): void {
  const keys = Object.keys(map).sort();
  for (let i = keys.length - 1; i >= 0; i -= 1) {
    const key = keys[i] as string;
    const before = writer.length;
    writeValue(schema, 2, map[key], writer);
    writer.string(1, key);
    writer.close(number, before);
  }
}

function writeValue(schema: Schema, number: number, value: unknown, writer: WireWriter): void {
  if (schema.node === "scalar") {
    writeScalar(schema.type, number, value, writer);
    return;
  }
  const before = writer.length;
  switch (schema.node) {
    case "struct":
      writeMessage(schema, value === undefined || value === null ? none : recordOf(value, schema.name), writer);
      break;
    case "any":
      if (value !== undefined && value !== null) writer.bytesField(1, encodeJson(value));
      break;
    case "union":
      writeUnion(schema, value, writer);
      break;
    case "list":
      writeList(schema.element, 1, listOf(value ?? [], schema.name ?? "list"), writer);
      break;
    case "map":
      throw new TypeError("Cannot encode protobuf: a map has no message of its own");
  }
  writer.close(number, before);
}

function writeUnion(schema: UnionSchema, value: unknown, writer: WireWriter): void {
  const on = Array.isArray(value) ? "array" : typeof value;
  const hasBoolean = schema.options.find((option) => option.on === "boolean");
  for (const option of schema.options.toSorted((a, b) => b.number - a.number)) {
    if (option.on !== on) continue;
    if (option.schema.node === "list")
      writeList(option.schema.element, option.number, listOf(value, schema.name), writer);
    else writeValue(option.schema, option.number, value, writer);
  }
  // Go keeps `allows` true beside a schema.
  if (on === "object" && hasBoolean !== undefined) writeValue(hasBoolean.schema, hasBoolean.number, true, writer);
}

function writeScalar(type: ScalarType, number: number, value: unknown, writer: WireWriter): void {
  switch (type) {
    case "string":
      writer.string(number, textOf(value ?? "", type));
      return;
    case "bytes":
      writer.bytesField(number, decodeBase64(textOf(value ?? "", type)));
      return;
    case "bool":
      writer.varint(value === true ? 1 : 0);
      writer.key(number, 0);
      return;
    case "int32":
    case "int64":
      writer.int64(integerOf(value ?? 0, type));
      writer.key(number, 0);
      return;
    case "float64":
      writer.double(Number(value ?? 0));
      writer.key(number, 1);
      return;
    default: {
      const before = writer.length;
      writeMachinery(type, value, writer);
      writer.close(number, before);
    }
  }
}

/** The messages that are scalars in JSON. */
function writeMachinery(
  type: "quantity" | "int-or-string" | "time" | "micro-time" | "duration",
  value: unknown,
  writer: WireWriter,
): void {
  switch (type) {
    case "quantity":
      writer.string(1, String(value ?? "0"));
      return;
    case "int-or-string": {
      const isText = typeof value === "string";
      writer.string(3, isText ? value : "");
      writer.int64(isText ? 0 : integerOf(value ?? 0, type));
      writer.key(2, 0);
      writer.varint(isText ? 1 : 0);
      writer.key(1, 0);
      return;
    }
    case "time":
    case "micro-time":
      writeTime(type, value, writer);
      return;
    case "duration": {
      const parsed = parseDuration(textOf(value ?? "0s", type));
      if (!parsed.ok) throw new TypeError(`Cannot encode protobuf: ${parsed.message}`);
      writer.int64(parsed.nanos);
      writer.key(1, 0);
    }
  }
}

function writeTime(type: "time" | "micro-time", value: unknown, writer: WireWriter): void {
  // Go's zero time is an empty message.
  if (value === undefined || value === null) return;
  const parsed = parseTime(textOf(value, type), type);
  if (!parsed.ok) throw new TypeError(`Cannot encode protobuf: ${parsed.message}`);
  writer.int64(type === "time" ? 0 : parsed.nanos);
  writer.key(2, 0);
  writer.int64(parsed.seconds);
  writer.key(1, 0);
}

function textOf(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot encode protobuf: ${what} is ${typeof value}`);
}

function integerOf(value: unknown, what: string): number | bigint {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return value as number | bigint;
  throw new TypeError(`Cannot encode protobuf: ${what} is ${String(value)}`);
}

function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw new TypeError(`Cannot encode protobuf: ${what} is no object`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`Cannot encode protobuf: ${what} is no list`);
}
