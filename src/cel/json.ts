import { fail } from "./failure.ts";
import { durationOf, formatDuration, formatTimestamp, timestampOf } from "./scalar-text.ts";
import { dyn, type ObjectType, type Type } from "./types.ts";
import { comparisonDepthMax } from "./limits.ts";
import {
  compareBytes,
  compareNumbers,
  Duration,
  isNumeric,
  ListValue,
  MapValue,
  Optional,
  Timestamp,
  typeNameOf,
  Unsigned,
  type Value,
} from "./value.ts";
import { weightOfJson } from "./weight.ts";

type Json = Record<string, unknown>;

/**
 * JSON data as a value of a type. Nothing is copied: elements and fields become values when they are read. Numbers of unknown type
 * are int when they are whole.
 */
export function fromJson(data: unknown, type: Type): Value {
  switch (typeof data) {
    case "string":
      return fromString(data, type);
    case "boolean":
      return data;
    case "bigint":
      return type.kind === "double" ? Number(data) : data;
    case "number":
      return fromNumber(data, type);
    case "object":
      return fromObject(data, type);
    default:
      return null;
  }
}

function fromString(data: string, type: Type): Value {
  switch (type.kind) {
    case "timestamp":
      return timestampOf(/^\d{4}-\d\d-\d\d$/.test(data) ? `${data}T00:00:00Z` : data);
    case "duration":
      return durationOf(data);
    case "bytes":
      return bytesOfBase64(data);
    default:
      return data;
  }
}

function fromNumber(data: number, type: Type): Value {
  if (type.kind === "double") return data;
  return Number.isInteger(data) ? BigInt(data) : data;
}

function fromObject(data: object | null, type: Type): Value {
  if (data === null) return null;
  if (data instanceof Uint8Array) return data;
  if (Array.isArray(data)) return new JsonList(data as unknown[], type);
  if (type.kind === "object") return new JsonObject(data as Json, type);
  return new JsonMap(data as Json, type.kind === "map" ? type.value : dyn);
}

/** Types whose values are the same exactly when their JSON is: no times, no objects of which a schema shows a part, no sets. */
const plainKinds: ReadonlySet<Type["kind"]> = new Set<Type["kind"]>(["dyn", "string", "bool", "int"]);

function isPlain(type: Type): boolean {
  if (type.kind === "list") return type.mergeBy === undefined && isPlain(type.element);
  if (type.kind === "map") return isPlain(type.value);
  return plainKinds.has(type.kind);
}

/** Undefined when data of this type says nothing as it is. */
function sameJson(left: unknown, right: unknown, type: Type, depth: number): boolean | undefined {
  return isPlain(type) ? isSameJson(left, right, depth) : undefined;
}

function isSameJson(left: unknown, right: unknown, depth: number): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null)
    return isNumber(left) && isNumber(right) && compareNumbers(left, right) === 0;
  if (comparisonDepthMax < depth) fail("values nest too deeply to be compared");
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    for (let i = 0; i < left.length; i += 1) if (!isSameJson(left[i], right[i], depth + 1)) return false;
    return true;
  }
  if (left instanceof Uint8Array || right instanceof Uint8Array)
    return left instanceof Uint8Array && right instanceof Uint8Array && compareBytes(left, right) === 0;
  const keys = Object.keys(left);
  if (keys.length !== sizeOf(right as Json)) return false;
  // The parser's objects inherit nothing, and to ask each of their keys takes as long as all else.
  const isBare = Object.getPrototypeOf(right) === null;
  for (const key of keys) {
    const other = isBare || Object.hasOwn(right, key) ? (right as Json)[key] : undefined;
    if (other === undefined || !isSameJson((left as Json)[key], other, depth + 1)) return false;
  }
  return true;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

class JsonList extends ListValue {
  readonly data: readonly unknown[];
  readonly #element: Type;
  readonly #mergeBy: "set" | readonly string[] | undefined;

  constructor(data: readonly unknown[], type: Type) {
    super();
    this.data = data;
    this.#element = type.kind === "list" ? type.element : dyn;
    this.#mergeBy = type.kind === "list" ? type.mergeBy : undefined;
  }

  get size(): number {
    return this.data.length;
  }

  override get knownWeight(): number {
    return weightOfJson(this.data);
  }

  at(index: number): Value {
    return fromJson(this.data[index], this.#element);
  }

  override isSame(other: Value, depth: number): boolean | undefined {
    if (!(other instanceof JsonList) || this.#element !== other.#element) return undefined;
    if (this.#mergeBy !== undefined || other.#mergeBy !== undefined) return undefined;
    return sameJson(this.data, other.data, this.#element, depth);
  }

  override get mergeBy(): "set" | readonly string[] | undefined {
    return this.#mergeBy;
  }
}

/** Numbers of entries: counting takes as long as there are, and the same data is wrapped again and again. */
const sizes = new WeakMap<Json, number>();

function sizeOf(data: Json): number {
  let size = sizes.get(data);
  if (size === undefined) sizes.set(data, (size = Object.keys(data).length));
  return size;
}

class JsonMap extends MapValue {
  readonly data: Json;
  readonly #value: Type;

  constructor(data: Json, value: Type) {
    super();
    this.data = data;
    this.#value = value;
  }

  get size(): number {
    return sizeOf(this.data);
  }

  override isSame(other: Value, depth: number): boolean | undefined {
    if (!(other instanceof JsonMap) || this.#value !== other.#value) return undefined;
    return sameJson(this.data, other.data, this.#value, depth);
  }

  override get knownWeight(): number {
    return weightOfJson(this.data);
  }

  get(key: Value): Value | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.data, key)) return undefined;
    const found = this.data[key];
    return found === undefined ? undefined : fromJson(found, this.#value);
  }

  keys(): Iterable<Value> {
    return Object.keys(this.data);
  }
}

/** An object of a schema: only the fields that it declares can be seen. */
class JsonObject extends MapValue {
  readonly data: Json;
  readonly #type: ObjectType;

  constructor(data: Json, type: ObjectType) {
    super();
    this.data = data;
    this.#type = type;
  }

  get size(): number {
    return this.#present().length;
  }

  override get countedSize(): number {
    return 1;
  }

  override get knownWeight(): number {
    return weightOfJson(this.data);
  }

  get(key: Value): Value | undefined {
    return typeof key === "string" ? this.field(key) : undefined;
  }

  override field(name: string): Value | undefined {
    const declared = this.#type.fields.get(name);
    if (declared === undefined || !Object.hasOwn(this.data, declared.name)) return undefined;
    const found = this.data[declared.name];
    return found === undefined ? undefined : fromJson(found, declared.type);
  }

  keys(): Iterable<Value> {
    return this.#present();
  }

  override get typeName(): string {
    return this.#type.name;
  }

  #present(): string[] {
    return [...this.#type.fields.keys()].filter((name) => this.field(name) !== undefined);
  }
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const sextets: ReadonlyMap<string, number> = new Map([...alphabet].map((letter, value) => [letter, value]));

function bytesOfBase64(text: string): Uint8Array {
  const digits = text.replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let buffer = 0;
  let at = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const sextet = sextets.get(digits[i] ?? "") ?? fail("invalid base64");
    buffer = ((buffer << 6) | sextet) & 0xffffff;
    if (i % 4 !== 0) bytes[at++] = (buffer >> (6 - 2 * (i % 4))) & 255;
  }
  return bytes;
}

function base64OfBytes(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const triple = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (const shift of [18, 12, 6, 0]) text += alphabet[(triple >> shift) & 63];
  }
  const padding = (3 - (bytes.length % 3)) % 3;
  return padding === 0 ? text : text.slice(0, -padding) + "=".repeat(padding);
}

const depthMax = 500;

/** A value as plain JSON data; `record` makes its objects. Fails for values that JSON cannot say. */
export function toJson(value: Value, record: () => Json, depth = 0): unknown {
  if (depthMax < depth) fail("values nest too deeply");
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Unsigned) return toJson(value.value, record);
  if (value instanceof Uint8Array) return base64OfBytes(value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value, record, depth + 1);
  if (value instanceof ListValue)
    return Array.from({ length: value.size }, (_, i) => toJson(value.at(i), record, depth + 1));
  if (!(value instanceof MapValue)) return fail(`values of type ${typeNameOf(value)} cannot become JSON`);
  const result = record();
  for (const key of value.keys()) {
    const name = typeof key === "string" ? key : isNumeric(key) ? String(toJson(key, record)) : String(key);
    result[name] = toJson(value.get(key) ?? null, record, depth + 1);
  }
  return result;
}
