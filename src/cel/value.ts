import { fail } from "./failure.ts";
import { comparisonDepthMax } from "./limits.ts";

/**
 * A value of the language. int is a bigint of 64 bits, double a number, string a string counted by code points where the language
 * can see it; everything else has a class.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Unsigned
  | Timestamp
  | Duration
  | ListValue
  | MapValue
  | Optional
  | TypeValue
  | Opaque;

/** An integer of 64 bits without sign. */
export class Unsigned {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A moment, in nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A span of time in nanoseconds, 64 bits with sign. */
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A value that may be missing. */
export class Optional {
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export const none = new Optional(undefined);

/** A type as a value: what `type(x)` answers. */
export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Values of the libraries: quantities, addresses, URLs. */
export abstract class Opaque {
  abstract readonly typeName: string;
  abstract equals(other: Opaque): boolean;
}

/** A list; elements may be made when they are asked for. */
export abstract class ListValue {
  abstract readonly size: number;
  /** The element at an index below `size`. */
  abstract at(index: number): Value;
  /** What a deep look has to touch, where that is known without looking. */
  get knownWeight(): number | undefined {
    return undefined;
  }
  /** Whether another value is the same, where that can be told without making values of all that is in both. */
  isSame(_other: Value, _depth: number): boolean | undefined {
    return undefined;
  }
  /** Lists of schemas that are sets or maps compare and add without order. */
  get mergeBy(): "set" | readonly string[] | undefined {
    return undefined;
  }
}

export class ArrayList extends ListValue {
  readonly values: readonly Value[];
  constructor(values: readonly Value[]) {
    super();
    this.values = values;
  }
  get size(): number {
    return this.values.length;
  }
  at(index: number): Value {
    return this.values[index] ?? null;
  }
}

/** A map, or an object with fields. */
export abstract class MapValue {
  abstract readonly size: number;
  /** Undefined when there is no such key. */
  abstract get(key: Value): Value | undefined;
  /** What `value.field` reads; by default the entry of that name. */
  field(name: string): Value | undefined {
    return this.get(name);
  }
  abstract keys(): Iterable<Value>;
  /** What a deep look has to touch, where that is known without looking. */
  get knownWeight(): number | undefined {
    return undefined;
  }
  /** Whether another value is the same, where that can be told without making values of all that is in both. */
  isSame(_other: Value, _depth: number): boolean | undefined {
    return undefined;
  }
  /** What costs are counted by: entries; an object of a schema is one thing. */
  get countedSize(): number {
    return this.size;
  }
  /** `map`, or the name of an object's type. */
  get typeName(): string {
    return "map";
  }
}

type Key = string | bigint | boolean;

/** The form under which numbers of different types are the same key. */
function keyOf(value: Value): Key | undefined {
  switch (typeof value) {
    case "string":
    case "bigint":
    case "boolean":
      return value;
    case "number":
      return Number.isInteger(value) ? BigInt(value) : undefined;
    default:
      return value instanceof Unsigned ? value.value : undefined;
  }
}

export class EntryMap extends MapValue {
  readonly #entries = new Map<Key, readonly [key: Value, value: Value]>();
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    const found = keyOf(key);
    return found === undefined ? undefined : this.#entries.get(found)?.[1];
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  /** Fails for keys that there are already. */
  add(key: Value, value: Value): void {
    const own = typeof key === "number" ? undefined : keyOf(key);
    if (own === undefined) fail("unsupported key type");
    if (this.#entries.has(own)) fail(`Failed with repeated key: ${formatKey(key)}`);
    this.#entries.set(own, [key, value]);
  }
}

export function formatKey(key: Value): string {
  if (key instanceof Unsigned) return key.value.toString();
  return typeof key === "object" ? typeNameOf(key) : String(key);
}

/** The name of a value's type, as `type(x)` and messages say it. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "double";
    case "string":
      return "string";
    default:
  }
  if (value === null) return "null_type";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Unsigned) return "uint";
  if (value instanceof Timestamp) return "google.protobuf.Timestamp";
  if (value instanceof Duration) return "google.protobuf.Duration";
  if (value instanceof ListValue) return "list";
  if (value instanceof MapValue) return value.typeName;
  if (value instanceof Optional) return "optional_type";
  if (value instanceof TypeValue) return "type";
  return value.typeName;
}

/** Equality of the language: numbers by value across types, other types are never equal to one another. */
export function isEqual(left: Value, right: Value, depth = 0): boolean {
  if (left === right) return true;
  if (typeof left === "string" || typeof right === "string") return false;
  if (isNumeric(left) && isNumeric(right)) return compareNumbers(left, right) === 0;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (comparisonDepthMax < depth) fail("values nest too deeply to be compared");
  if (left instanceof ListValue) return right instanceof ListValue && isEqualList(left, right, depth + 1);
  if (left instanceof MapValue) return right instanceof MapValue && isEqualMap(left, right, depth + 1);
  if (left instanceof Uint8Array) return right instanceof Uint8Array && compareBytes(left, right) === 0;
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name;
  if (left instanceof Optional) {
    if (!(right instanceof Optional)) return false;
    if (left.value === undefined || right.value === undefined) return left.value === right.value;
    return isEqual(left.value, right.value, depth + 1);
  }
  if (left instanceof Opaque) return right instanceof Opaque && left.typeName === right.typeName && left.equals(right);
  return false;
}

function isEqualList(left: ListValue, right: ListValue, depth: number): boolean {
  if (left.size !== right.size) return false;
  const known = left.isSame(right, depth);
  if (known !== undefined) return known;
  const mergeBy = left.mergeBy ?? right.mergeBy;
  if (mergeBy !== undefined) return isSameWithoutOrder(left, right, mergeBy, depth);
  for (let i = 0; i < left.size; i += 1) if (!isEqual(left.at(i), right.at(i), depth)) return false;
  return true;
}

function isSameWithoutOrder(
  left: ListValue,
  right: ListValue,
  mergeBy: "set" | readonly string[],
  depth: number,
): boolean {
  const byIdentity = new Map<string, Value[]>();
  for (let i = 0; i < right.size; i += 1) {
    const identity = identityOf(right.at(i), mergeBy);
    const known = byIdentity.get(identity);
    if (known === undefined) byIdentity.set(identity, [right.at(i)]);
    else known.push(right.at(i));
  }
  for (let i = 0; i < left.size; i += 1) {
    const value = left.at(i);
    const candidates = byIdentity.get(identityOf(value, mergeBy));
    const at = candidates?.findIndex((candidate) => isEqual(value, candidate, depth)) ?? -1;
    if (at < 0) return false;
    candidates?.splice(at, 1);
  }
  return true;
}

/** What makes an element of a set or map the same as another, as text; used as a key only. */
export function identityOf(value: Value, mergeBy: "set" | readonly string[]): string {
  if (mergeBy === "set") return identityText(value);
  if (!(value instanceof MapValue)) return identityText(value);
  return mergeBy.map((key) => identityText(value.field(key) ?? null)).join("\u0000");
}

function identityText(value: Value): string {
  if (typeof value === "object" && value !== null) return typeNameOf(value);
  return isNumeric(value) ? `n${String(value)}` : `${typeof value}${String(value)}`;
}

function isEqualMap(left: MapValue, right: MapValue, depth: number): boolean {
  if (left.size !== right.size) return false;
  const known = left.isSame(right, depth);
  if (known !== undefined) return known;
  for (const key of left.keys()) {
    const other = right.get(key);
    const own = left.get(key);
    if (other === undefined || own === undefined || !isEqual(own, other, depth)) return false;
  }
  return true;
}

export type Numeric = bigint | number | Unsigned;

export function isNumeric(value: Value): value is Numeric {
  return typeof value === "bigint" || typeof value === "number" || value instanceof Unsigned;
}

/** Below, equal, above as -1, 0, 1; NaN is neither and gives undefined. */
export function compareNumbers(left: Numeric, right: Numeric): number | undefined {
  const x = left instanceof Unsigned ? left.value : left;
  const y = right instanceof Unsigned ? right.value : right;
  // JavaScript compares bigints with numbers by their exact values.
  return x < y ? -1 : y < x ? 1 : x == y ? 0 : undefined; // eslint-disable-line eqeqeq
}

export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return Math.sign(left.length - right.length);
}

/** Order by code point: surrogates stand above the rest of their plane. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const x = left.charCodeAt(i);
    const y = right.charCodeAt(i);
    if (x === y) continue;
    const isHighX = x >= 0xd800 && x <= 0xdfff;
    const isHighY = y >= 0xd800 && y <= 0xdfff;
    if (isHighX !== isHighY) return isHighX ? 1 : -1;
    return x < y ? -1 : 1;
  }
  return Math.sign(left.length - right.length);
}

/** Code points of a string. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 0xd800 || 0xdbff < code) continue;
    const next = text.charCodeAt(i + 1);
    if (0xdc00 <= next && next <= 0xdfff) {
      length -= 1;
      i += 1;
    }
  }
  return length;
}

const intMin = -(2n ** 63n);
const intMax = 2n ** 63n - 1n;
const uintMax = 2n ** 64n - 1n;

/** A result of arithmetic, when 64 bits can hold it. */
export function checkedInt(value: bigint): bigint {
  return value < intMin || intMax < value ? fail("integer overflow") : value;
}

export function checkedUint(value: bigint): Unsigned {
  return value < 0n || uintMax < value ? fail("unsigned integer overflow") : new Unsigned(value);
}

export function checkedDuration(nanos: bigint): Duration {
  return nanos < intMin || intMax < nanos ? fail("duration overflow") : new Duration(nanos);
}

/** The years 1 to 9999. */
const timestampMin = -62_135_596_800_000_000_000n;
const timestampMax = 253_402_300_799_999_999_999n;

export function checkedTimestamp(nanos: bigint): Timestamp {
  return nanos < timestampMin || timestampMax < nanos ? fail("timestamp overflow") : new Timestamp(nanos);
}
