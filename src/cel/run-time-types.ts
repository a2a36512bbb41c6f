import type { Type } from "./types.ts";
import {
  Duration,
  isNumeric,
  ListValue,
  MapValue,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Unsigned,
  type Value,
} from "./value.ts";

/** Whether a value may be given where a parameter of this type stands. What lists hold is not looked at. */
export function isOfType(value: Value, type: Type): boolean {
  switch (type.kind) {
    case "dyn":
    case "parameter":
    case "error":
      return true;
    case "null":
      return value === null;
    case "bool":
      return typeof value === "boolean";
    case "int":
      return typeof value === "bigint";
    case "double":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    case "uint":
      return value instanceof Unsigned;
    case "bytes":
      return value instanceof Uint8Array;
    case "timestamp":
      return value instanceof Timestamp;
    case "duration":
      return value instanceof Duration;
    case "list":
      return value instanceof ListValue && (type.element.kind === "parameter" || holds(value, type.element));
    case "map":
      return value instanceof MapValue;
    case "object":
      return value instanceof MapValue;
    case "optional":
      return value instanceof Optional;
    case "type":
      return value instanceof TypeValue;
    case "opaque":
      return value instanceof Opaque && value.typeName === type.name;
  }
}

/** Overloads that differ in their elements are told apart by the first; those that then meet others fail themselves. */
function holds(value: ListValue, element: Type): boolean {
  return value.size === 0 || isOfType(value.at(0), element);
}

/** Characters, bytes, elements or entries; 1 for what has no size. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || isNumeric(value)) return 1;
  if (value instanceof ListValue) return value.size;
  if (value instanceof MapValue) return value.countedSize;
  return value instanceof Uint8Array ? value.length : 1;
}

export function sizesOf(values: readonly Value[]): number[] {
  return values.map(sizeOf);
}
