import { fail } from "../failure.ts";
import { global, member, traversal, traversalFactor, type Overload, type Sizes } from "../library.ts";
import { resultLengthMax } from "../limits.ts";
import { matches, searchCost } from "../pattern.ts";
import * as types from "../types.ts";
import { a, b, bool, bytes, double, duration, dyn, int, list, map, string, timestamp, uint } from "../types.ts";
import {
  ArrayList,
  checkedDuration,
  checkedInt,
  checkedTimestamp,
  checkedUint,
  compareBytes,
  compareNumbers,
  compareStrings,
  Duration,
  isEqual,
  lengthOf,
  ListValue,
  Timestamp,
  TypeValue,
  typeNameOf,
  type MapValue,
  type Numeric,
  type Unsigned,
  type Value,
} from "../value.ts";
import { sizeOf } from "../run-time-types.ts";
import { weightOf } from "../weight.ts";
import { concatenateLists } from "./concatenate.ts";

/** Parts of lists and maps take longer to compare than characters of a text. */
const deepFactor = 8;
/** Comparing goes as deep as the smaller of the two. */
const comparing = {
  cost: ([x = 1, y = 1]: Sizes): number => Math.ceil(Math.min(x, y) * traversalFactor),
  price: (x: Value, y: Value): number => {
    const isDeep = typeof x === "object" && x !== null && typeof y === "object" && y !== null;
    const size = isDeep ? deepFactor * Math.min(weightOf(x), weightOf(y)) : Math.min(sizeOf(x), sizeOf(y));
    return Math.ceil(size * traversalFactor);
  },
};
/** Looking through a list compares with each of its elements. */
const search = (sizes: Sizes, operands?: readonly Value[]): number => {
  const values = operands?.[1];
  const deep = values === undefined ? 0 : Math.ceil(weightOf(values) * traversalFactor);
  return Math.max(1, sizes[1] ?? 1, deep);
};
/** Code points are counted one by one. */
const counting = (_: Sizes, operands?: readonly Value[]): number => {
  const text = operands?.[0];
  return typeof text === "string" ? Math.max(1, Math.ceil(text.length * countingFactor)) : 1;
};
const countingFactor = 0.025;
const together = (sizes: Sizes): number => (sizes[0] ?? 0) + (sizes[1] ?? 0);
/** Lists of schemas that are sets or maps are merged element by element; others are only put together. */
const merging = (_: Sizes, operands?: readonly Value[]): number => {
  const [left, right] = operands ?? [];
  if (!(left instanceof ListValue) || left.mergeBy === undefined || right === undefined) return 1;
  return Math.ceil((weightOf(left) + weightOf(right)) * traversalFactor);
};
const joined = { cost: (sizes: Sizes) => Math.ceil(together(sizes) * traversalFactor), resultSize: together };

/** Operators, conversions, sizes and strings of the language itself. */
export const standardLibrary: readonly Overload[] = [
  ...arithmetic(),
  ...comparisons(),
  global("_==_", [a, a], bool, (x: Value, y: Value) => isEqual(x, y), comparing),
  global("_!=_", [a, a], bool, (x: Value, y: Value) => !isEqual(x, y), comparing),
  global("!_", [bool], bool, (x: boolean) => !x),
  global("_[_]", [list(a), int], a, elementAt),
  global("_[_]", [list(a), double], a, elementAt),
  global("_[_]", [list(a), uint], a, elementAt),
  global("_[_]", [map(a, b), a], b, entryOf),
  global("@in", [a, list(a)], bool, isElement, { cost: search }),
  global("@in", [a, map(a, b)], bool, (key: Value, entries: MapValue) => entries.get(key) !== undefined),
  ...sizes(),
  global("type", [a], types.typeOf(a), (value: Value) => new TypeValue(typeNameOf(value))),
  global("dyn", [a], dyn, (value: Value) => value),
  member("startsWith", [string, string], bool, (text: string, start: string) => text.startsWith(start), {
    cost: traversal(1),
  }),
  member("endsWith", [string, string], bool, (text: string, end: string) => text.endsWith(end), { cost: traversal(1) }),
  member("contains", [string, string], bool, (text: string, part: string) => text.includes(part), {
    cost: (sizes) => Math.ceil((sizes[0] ?? 1) * traversalFactor) * Math.ceil((sizes[1] ?? 1) * traversalFactor),
  }),
  member("matches", [string, string], bool, matches, { cost: searchCost }),
  global("matches", [string, string], bool, matches, { cost: searchCost }),
];

function arithmetic(): Overload[] {
  const ofInts = (name: string, of: (x: bigint, y: bigint) => bigint): Overload[] => [
    global(name, [int, int], int, (x: bigint, y: bigint) => checkedInt(of(x, y))),
    global(name, [uint, uint], uint, (x: Unsigned, y: Unsigned) => checkedUint(of(x.value, y.value))),
  ];
  const divisor = (y: bigint): bigint => (y === 0n ? fail("division by zero") : y);
  const modulus = (y: bigint): bigint => (y === 0n ? fail("modulus by zero") : y);
  return [
    ...ofInts("_+_", (x, y) => x + y),
    ...ofInts("_-_", (x, y) => x - y),
    ...ofInts("_*_", (x, y) => x * y),
    ...ofInts("_/_", (x, y) => x / divisor(y)),
    ...ofInts("_%_", (x, y) => x % modulus(y)),
    global("_+_", [double, double], double, (x: number, y: number) => x + y),
    global("_-_", [double, double], double, (x: number, y: number) => x - y),
    global("_*_", [double, double], double, (x: number, y: number) => x * y),
    global("_/_", [double, double], double, (x: number, y: number) => x / y),
    global("-_", [int], int, (x: bigint) => checkedInt(-x)),
    global("-_", [double], double, (x: number) => -x),
    global("_+_", [string, string], string, concatenate, joined),
    global("_+_", [bytes, bytes], bytes, concatenateBytes, joined),
    global("_+_", [list(a), list(a)], list(a), concatenateLists, { cost: merging, resultSize: together }),
    global("_+_", [duration, duration], duration, (x: Duration, y: Duration) => checkedDuration(x.nanos + y.nanos)),
    global("_+_", [timestamp, duration], timestamp, (x: Timestamp, y: Duration) => checkedTimestamp(x.nanos + y.nanos)),
    global("_+_", [duration, timestamp], timestamp, (x: Duration, y: Timestamp) => checkedTimestamp(x.nanos + y.nanos)),
    global("_-_", [duration, duration], duration, (x: Duration, y: Duration) => checkedDuration(x.nanos - y.nanos)),
    global("_-_", [timestamp, timestamp], duration, (x: Timestamp, y: Timestamp) => checkedDuration(x.nanos - y.nanos)),
    global("_-_", [timestamp, duration], timestamp, (x: Timestamp, y: Duration) => checkedTimestamp(x.nanos - y.nanos)),
  ];
}

/** `<`, `<=`, `>`, `>=` from an order; undefined means neither (NaN). */
function comparisons(): Overload[] {
  const numbers = [int, uint, double];
  const ordered = (x: Value, y: Value): number | undefined => {
    if (typeof x === "string") return compareStrings(x, y as string);
    if (typeof x === "boolean") return Number(x) - Number(y);
    if (x instanceof Uint8Array) return compareBytes(x, y as Uint8Array);
    if (x instanceof Timestamp || x instanceof Duration) return compareNumbers(x.nanos, (y as Duration).nanos);
    return compareNumbers(x as Numeric, y as Numeric);
  };
  const pairs = [
    ...numbers.flatMap((left) => numbers.map((right) => [left, right] as const)),
    ...[string, bool, bytes, timestamp, duration].map((type) => [type, type] as const),
  ];
  const holds: readonly [name: string, of: (order: number) => boolean][] = [
    ["_<_", (order) => order < 0],
    ["_<=_", (order) => order <= 0],
    ["_>_", (order) => 0 < order],
    ["_>=_", (order) => 0 <= order],
  ];
  return holds.flatMap(([name, of]) =>
    pairs.map(([left, right]) => {
      const evaluate = (x: Value, y: Value): boolean => {
        const order = ordered(x, y);
        return order !== undefined && of(order);
      };
      return global(name, [left, right], bool, evaluate, comparing);
    }),
  );
}

function sizes(): Overload[] {
  const of: readonly [type: types.Type, evaluate: (value: never) => bigint][] = [
    [string, (text: string) => BigInt(lengthOf(text))],
    [bytes, (value: Uint8Array) => BigInt(value.length)],
    [list(a), (value: ListValue) => BigInt(value.size)],
    [map(a, b), (value: MapValue) => BigInt(value.size)],
  ];
  return of.flatMap(([type, evaluate]) => [
    global("size", [type], int, evaluate, { cost: counting }),
    member("size", [type], int, evaluate, { cost: counting }),
  ]);
}

function concatenate(left: string, right: string): string {
  return resultLengthMax < left.length + right.length ? fail("string is too long") : left + right;
}

function concatenateBytes(left: Uint8Array, right: Uint8Array): Uint8Array {
  const result = new Uint8Array(left.length + right.length);
  result.set(left);
  result.set(right, left.length);
  return result;
}

function elementAt(values: ListValue, index: Numeric): Value {
  const at = typeof index === "object" ? Number(index.value) : Number(index);
  if (!Number.isInteger(at)) fail(`unsupported index value: ${at}`);
  return 0 <= at && at < values.size ? values.at(at) : fail(`index out of bounds: ${at}`);
}

function entryOf(entries: MapValue, key: Value): Value {
  const found = entries.get(key);
  return found === undefined ? fail(`no such key: ${formatShort(key)}`) : found;
}

function formatShort(key: Value): string {
  const text = typeof key === "object" ? typeNameOf(key) : String(key);
  return 200 < text.length ? `${text.slice(0, 200)}…` : text;
}

function isElement(value: Value, values: ListValue): boolean {
  if (values instanceof ArrayList) return values.values.some((each) => isEqual(value, each));
  for (let i = 0; i < values.size; i += 1) if (isEqual(value, values.at(i))) return true;
  return false;
}
