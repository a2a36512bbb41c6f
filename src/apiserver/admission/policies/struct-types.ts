import { bool, double, dyn, int, list, map, string, type ObjectField, type Type } from "#cel/types.ts";
import type { ScalarSchema, Schema, StructSchema } from "#codec/schema.ts";

const known = new WeakMap<Schema, Type>();

/** The type that expressions see of a kind's schema. Where a value may have several forms it may be anything. */
export function typeOfStruct(schema: StructSchema): Type {
  return typeOf(schema);
}

function typeOf(schema: Schema): Type {
  const found = known.get(schema);
  if (found !== undefined) return found;
  switch (schema.node) {
    case "scalar":
      return scalarOf(schema);
    case "list":
      return list(typeOf(schema.element));
    case "map":
      return map(string, typeOf(schema.value));
    case "struct":
      return structOf(schema);
    case "any":
    case "union":
      return dyn;
  }
}

function scalarOf({ type }: ScalarSchema): Type {
  switch (type) {
    case "string":
    case "quantity":
      return string;
    case "bool":
      return bool;
    case "int32":
    case "int64":
      return int;
    case "float64":
      return double;
    case "bytes":
    case "int-or-string":
    case "time":
    case "micro-time":
    case "duration":
      return dyn;
  }
}

function structOf(schema: StructSchema): Type {
  if (schema.preserveUnknown === true) return dyn;
  const fields = new Map<string, ObjectField>();
  const type: Type = { kind: "object", name: schema.name === "" ? "object" : schema.name, fields };
  // Known before its fields are: some types hold themselves.
  known.set(schema, type);
  for (const field of schema.fields) fields.set(field.name, { name: field.name, type: typeOf(field.schema) });
  return type;
}
