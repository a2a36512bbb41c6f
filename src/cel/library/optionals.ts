import { fail } from "../failure.ts";
import { global, member, type Overload } from "../library.ts";
import { a, bool, list, optional } from "../types.ts";
import { ArrayList, ListValue, MapValue, none, Optional, Timestamp, Duration, Unsigned, type Value } from "../value.ts";

/** `optional.of` and what optionals can do; `.?` and `[?]` are part of the language. */
export const optionalLibrary: readonly Overload[] = [
  global("optional.of", [a], optional(a), (value: Value) => new Optional(value)),
  global("optional.ofNonZeroValue", [a], optional(a), (value: Value) => (isZero(value) ? none : new Optional(value))),
  global("optional.none", [], optional(a), () => none),
  global("optional.unwrap", [list(optional(a))], list(a), unwrap),
  member("unwrapOpt", [list(optional(a))], list(a), unwrap),
  member("first", [list(a)], optional(a), (values: ListValue) => at(values, 0)),
  member("last", [list(a)], optional(a), (values: ListValue) => at(values, values.size - 1)),
  member("hasValue", [optional(a)], bool, ({ value }: Optional) => value !== undefined),
  member("value", [optional(a)], a, ({ value }: Optional) => value ?? missing(value)),
  member("or", [optional(a), optional(a)], optional(a), (first: Optional, second: Optional) =>
    first.value === undefined ? second : first,
  ),
  member("orValue", [optional(a), a], a, ({ value }: Optional, other: Value) => (value === undefined ? other : value)),
];

function missing(value: Value | undefined): Value {
  return value === null ? null : fail("optional.none() dereference");
}

function at(values: ListValue, index: number): Optional {
  return 0 <= index && index < values.size ? new Optional(values.at(index)) : none;
}

function unwrap(values: ListValue): ListValue {
  const found: Value[] = [];
  for (let i = 0; i < values.size; i += 1) {
    const each = values.at(i);
    if (!(each instanceof Optional)) fail("no such overload");
    else if (each.value !== undefined) found.push(each.value);
  }
  return new ArrayList(found);
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === "" || value === 0n || value === 0) return true;
  if (value instanceof ListValue || value instanceof MapValue) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Duration || value instanceof Timestamp) return value.nanos === 0n;
  return value instanceof Unsigned && value.value === 0n;
}
