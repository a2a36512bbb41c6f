import { stringifyJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { ListSchema, Schema, StructSchema } from "#codec/schema.ts";

/** How fields of a value are owned: as one, or by what stands inside. */
export type Shape =
  | { readonly form: "leaf" }
  | { readonly form: "struct"; readonly schema: StructSchema }
  /** A map; also an untyped object, whose values have no schema. */
  | { readonly form: "map"; readonly value: Schema | undefined }
  | { readonly form: "list"; readonly schema: ListSchema };

const leaf: Shape = { form: "leaf" };
const untyped: Shape = { form: "map", value: undefined };
const shapes = new WeakMap<Schema, Shape>();

/** The shape of a value under a schema; untyped objects are followed, untyped lists are owned as one. */
export function shapeOf(schema: Schema | undefined, value: unknown): Shape {
  if (schema === undefined || schema.node === "any") return isRecord(value) ? untyped : leaf;
  let shape = shapes.get(schema);
  if (shape === undefined) {
    shape = makeShape(schema);
    shapes.set(schema, shape);
  }
  return shape;
}

function makeShape(schema: Schema): Shape {
  switch (schema.node) {
    case "struct":
      return schema.structType === "atomic" ? leaf : { form: "struct", schema };
    case "map":
      return schema.mapType === "atomic" ? leaf : { form: "map", value: schema.value };
    case "list":
      return schema.listType === "set" || schema.listType === "map" ? { form: "list", schema } : leaf;
    default:
      return leaf;
  }
}

/** The schema of a struct's field; undefined where the struct keeps unknown ones. */
export function fieldSchema(schema: StructSchema, name: string): Schema | undefined {
  return schema.byName.get(name)?.schema;
}

/** An item's path element in its list. `missing` names a key that the item lacks and that has no default. */
export function itemElement(schema: ListSchema, item: unknown): { element: string; missing?: string } {
  if (schema.listType === "set") return { element: `v:${stringifyJson(item)}` };
  const keys = schema.listMapKeys ?? [];
  let missing: string | undefined;
  const parts: string[] = [];
  for (const key of keys.length > 1 ? keys.toSorted() : keys) {
    let value = isRecord(item) ? item[key] : undefined;
    if (value === undefined || value === null) value = keyDefault(schema.element, key);
    if (value === undefined) {
      missing ??= key;
      continue;
    }
    parts.push(`${JSON.stringify(key)}:${stringifyJson(value)}`);
  }
  const element = `k:{${parts.join(",")}}`;
  return missing === undefined ? { element } : { element, missing };
}

function keyDefault(element: Schema, key: string): unknown {
  if (element.node !== "struct") return undefined;
  const field = element.byName.get(key);
  if (field?.default !== undefined) return field.default;
  // An empty text of a value field is left out of the canonical form, but still part of the key.
  const isDropped = field !== undefined && !field.pointer && field.omitEmpty && field.schema.node === "scalar";
  if (!isDropped || field.schema.node !== "scalar") return undefined;
  return field.schema.type === "string"
    ? ""
    : field.schema.type === "bool"
      ? false
      : field.schema.type === "int32"
        ? 0
        : undefined;
}

/** Items by path element; of duplicates the first. */
export function indexItems(schema: ListSchema, list: readonly unknown[]): Map<string, unknown> {
  const items = new Map<string, unknown>();
  for (const item of list) {
    const { element } = itemElement(schema, item);
    if (!items.has(element)) items.set(element, item);
  }
  return items;
}

/** True for what is owned as one although it could hold fields: nothing, or nothing inside. */
export function isEmptyContainer(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (!isRecord(value)) return false;
  for (const _ in value) return false;
  return true;
}
