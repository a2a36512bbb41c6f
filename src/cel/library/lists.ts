import { fail } from "../failure.ts";
import { weightOf } from "../weight.ts";
import { global, member, traversalFactor, type Overload, type Sizes } from "../library.ts";
import { a, bool, int, list, type Type } from "../types.ts";
import {
  checkedDuration,
  checkedInt,
  checkedUint,
  compareBytes,
  compareNumbers,
  compareStrings,
  Duration,
  isEqual,
  isNumeric,
  type ListValue,
  Timestamp,
  typeNameOf,
  Unsigned,
  type Value,
} from "../value.ts";

const walking = {
  cost: (sizes: Sizes, operands?: readonly Value[]) => {
    const [values] = operands ?? [];
    return Math.max(1, sizes[0] ?? 1, values === undefined ? 0 : Math.ceil(weightOf(values) * traversalFactor));
  },
};
const crossing = {
  cost: ([left = 1, right = 1]: Sizes, operands?: readonly Value[]) => {
    const [first, second] = operands ?? [];
    if (first === undefined || second === undefined) return Math.max(1, left * right);
    return Math.max(
      1,
      left * right,
      Math.ceil(Math.min(left * weightOf(second), right * weightOf(first)) * traversalFactor),
    );
  },
};

/** Kubernetes' functions on lists, and the sets extension. */
export const listLibrary: readonly Overload[] = [
  member("isSorted", [list(a)], bool, isSorted, walking),
  member("sum", [list(a)], a, sum, walking),
  member("min", [list(a)], a, (values: ListValue) => extreme(values, "min"), walking),
  member("max", [list(a)], a, (values: ListValue) => extreme(values, "max"), walking),
  member("indexOf", [list(a), a], int, (values: ListValue, value: Value) => find(values, value, 1), walking),
  member("lastIndexOf", [list(a), a], int, (values: ListValue, value: Value) => find(values, value, -1), walking),
  global("sets.contains", [list(a), list(a)], bool, containsAll, crossing),
  global("sets.equivalent", [list(a), list(a)], bool, isEquivalent, crossing),
  global("sets.intersects", [list(a), list(a)], bool, intersects, crossing),
];

/** Types whose values have an order; the checker lets no others through. */
export function isOrdered(type: Type): boolean {
  return ["int", "uint", "double", "bool", "string", "bytes", "timestamp", "duration", "dyn", "parameter"].includes(
    type.kind,
  );
}

/** The order of two values of one type; fails for types without one. */
export function compare(left: Value, right: Value): number {
  if (typeof left === "string" && typeof right === "string") return compareStrings(left, right);
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  if (isNumeric(left) && isNumeric(right)) return compareNumbers(left, right) ?? 0;
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right);
  if (left instanceof Timestamp && right instanceof Timestamp) return compareNumbers(left.nanos, right.nanos) ?? 0;
  if (left instanceof Duration && right instanceof Duration) return compareNumbers(left.nanos, right.nanos) ?? 0;
  return fail(`no such overload: cannot compare ${typeNameOf(left)} with ${typeNameOf(right)}`);
}

function isSorted(values: ListValue): boolean {
  for (let i = 1; i < values.size; i += 1) if (0 < compare(values.at(i - 1), values.at(i))) return false;
  return true;
}

function sum(values: ListValue): Value {
  if (values.size === 0) return 0n;
  let total = values.at(0);
  for (let i = 1; i < values.size; i += 1) total = added(total, values.at(i));
  return isNumeric(total) || total instanceof Duration ? total : fail(`no such overload: sum of ${typeNameOf(total)}`);
}

function added(left: Value, right: Value): Value {
  if (typeof left === "bigint" && typeof right === "bigint") return checkedInt(left + right);
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (left instanceof Unsigned && right instanceof Unsigned) return checkedUint(left.value + right.value);
  if (left instanceof Duration && right instanceof Duration) return checkedDuration(left.nanos + right.nanos);
  return fail(`no such overload: sum of ${typeNameOf(left)} and ${typeNameOf(right)}`);
}

function extreme(values: ListValue, which: "min" | "max"): Value {
  if (values.size === 0) return fail(`${which} called on empty list`);
  let found = values.at(0);
  for (let i = 1; i < values.size; i += 1) {
    const order = compare(values.at(i), found);
    if (which === "min" ? order < 0 : 0 < order) found = values.at(i);
  }
  return found;
}

function find(values: ListValue, value: Value, step: 1 | -1): bigint {
  for (let i = step === 1 ? 0 : values.size - 1; 0 <= i && i < values.size; i += step) {
    if (isEqual(values.at(i), value)) return BigInt(i);
  }
  return -1n;
}

function has(values: ListValue, value: Value): boolean {
  return find(values, value, 1) !== -1n;
}

function containsAll(values: ListValue, wanted: ListValue): boolean {
  for (let i = 0; i < wanted.size; i += 1) if (!has(values, wanted.at(i))) return false;
  return true;
}

function isEquivalent(left: ListValue, right: ListValue): boolean {
  return containsAll(left, right) && containsAll(right, left);
}

function intersects(left: ListValue, right: ListValue): boolean {
  for (let i = 0; i < left.size; i += 1) if (has(right, left.at(i))) return true;
  return false;
}
