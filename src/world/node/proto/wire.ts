/**
 * Protobuf messages as tables: [number, name, type, "repeated"?]. A type is a scalar's name, the list of an enum's names,
 * `map` (string to string) or another message's table, given lazily so that tables may stand in any order.
 */
export type Field = readonly [number: number, name: string, type: FieldType, repeated?: "repeated"];
export type FieldType = "string" | "bytes" | "bool" | "int" | "nanos" | "map" | readonly string[] | (() => Message);
export interface Message {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

export function message(...fields: readonly Field[]): Message {
  return { fields, byNumber: new Map(fields.map((field) => [field[0], field])) };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes in proto3's form: zero values of scalars are left out. Integers must be safe ones; negative ones are 64-bit. */
export function encodeMessage(table: Message, value: object): Uint8Array {
  const bytes: number[] = [];
  writeMessage(bytes, table, value as Record<string, unknown>);
  return Uint8Array.from(bytes);
}

function writeMessage(out: number[], table: Message, value: Record<string, unknown>): void {
  for (const [number, name, type, repeated] of table.fields) {
    const given = value[name];
    if (given === undefined || given === null) continue;
    if (type === "map") writeMap(out, number, given as Record<string, string>);
    else if (repeated === undefined) writeField(out, number, type, given, false);
    else if (type === "int") writePacked(out, number, given as readonly number[]);
    else for (const element of given as readonly unknown[]) writeField(out, number, type, element, true);
  }
}

function writeField(
  out: number[],
  number: number,
  type: Exclude<FieldType, "map">,
  value: unknown,
  always: boolean,
): void {
  if (type === "string") {
    if (always || value !== "") writeBytes(out, number, encoder.encode(value as string));
  } else if (type === "bytes") {
    if (always || (value as Uint8Array).length > 0) writeBytes(out, number, value as Uint8Array);
  } else if (type === "bool") {
    if (always || value === true) writeVarintField(out, number, value === true ? 1n : 0n);
  } else if (type === "int") {
    if (always || value !== 0) writeVarintField(out, number, BigInt(value as number));
  } else if (type === "nanos") {
    if (always || value !== 0) writeVarintField(out, number, BigInt(Math.round((value as number) * 1000)) * 1000n);
  } else if (typeof type === "function") {
    const inner: number[] = [];
    writeMessage(inner, type(), value as Record<string, unknown>);
    writeBytes(out, number, inner);
  } else {
    const index = type.indexOf(value as string);
    if (index < 0) throw new Error(`Cannot encode ${String(value)}: expected one of ${type.join(", ")}`);
    if (always || index > 0) writeVarintField(out, number, BigInt(index));
  }
}

function writeMap(out: number[], number: number, entries: Record<string, string>): void {
  for (const [key, value] of Object.entries(entries)) {
    const inner: number[] = [];
    writeBytes(inner, 1, encoder.encode(key));
    writeBytes(inner, 2, encoder.encode(value));
    writeBytes(out, number, inner);
  }
}

function writePacked(out: number[], number: number, values: readonly number[]): void {
  if (values.length === 0) return;
  const inner: number[] = [];
  for (const value of values) writeVarint(inner, BigInt(value));
  writeBytes(out, number, inner);
}

function writeBytes(out: number[], number: number, bytes: Uint8Array | readonly number[]): void {
  writeVarint(out, BigInt((number << 3) | 2));
  writeVarint(out, BigInt(bytes.length));
  for (const byte of bytes) out.push(byte);
}

function writeVarintField(out: number[], number: number, value: bigint): void {
  writeVarint(out, BigInt(number << 3));
  writeVarint(out, value);
}

function writeVarint(out: number[], value: bigint): void {
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
}

/** Decodes; absent scalars get their zero, absent lists and maps are empty, absent messages undefined. Unknown fields are skipped. */
export function decodeMessage<T>(table: Message, bytes: Uint8Array): T {
  return readMessage(table, { bytes, at: 0 }, bytes.length) as T;
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function readMessage(table: Message, cursor: Cursor, end: number): unknown {
  const value: Record<string, unknown> = {};
  for (const [, name, type, repeated] of table.fields) value[name] = zeroOf(type, repeated);
  while (cursor.at < end) {
    const tag = Number(readVarint(cursor));
    const field = table.byNumber.get(tag >>> 3);
    if (field === undefined) skip(cursor, tag & 7);
    else readField(field, tag & 7, cursor, value);
  }
  return value;
}

function zeroOf(type: FieldType, repeated: "repeated" | undefined): unknown {
  if (repeated !== undefined) return [];
  if (type === "string") return "";
  if (type === "bytes") return new Uint8Array(0);
  if (type === "bool") return false;
  if (type === "int" || type === "nanos") return 0;
  if (type === "map") return {};
  return typeof type === "function" ? undefined : type[0];
}

function readField([, name, type, repeated]: Field, wire: number, cursor: Cursor, into: Record<string, unknown>): void {
  if (type === "map") {
    const [key, value] = readMapEntry(cursor);
    (into[name] as Record<string, string>)[key] = value;
  } else if (repeated !== undefined && wire === 2 && type === "int") {
    const end = Number(readVarint(cursor)) + cursor.at;
    while (cursor.at < end) (into[name] as unknown[]).push(Number(BigInt.asIntN(64, readVarint(cursor))));
  } else if (repeated === undefined) into[name] = readValue(type, cursor);
  else (into[name] as unknown[]).push(readValue(type, cursor));
}

function readValue(type: Exclude<FieldType, "map">, cursor: Cursor): unknown {
  if (type === "string") return decoder.decode(readBytes(cursor));
  if (type === "bytes") return readBytes(cursor).slice();
  if (typeof type === "function") {
    const length = Number(readVarint(cursor));
    return readMessage(type(), cursor, cursor.at + length);
  }
  const number = BigInt.asIntN(64, readVarint(cursor));
  if (type === "bool") return number !== 0n;
  if (type === "int") return Number(number);
  // Nanoseconds do not fit a double; milliseconds with three decimals do.
  if (type === "nanos") return Number(number / 1000n) / 1000;
  return type[Number(number)] ?? type[type.length - 1];
}

function readMapEntry(cursor: Cursor): [string, string] {
  const end = Number(readVarint(cursor)) + cursor.at;
  let key = "";
  let value = "";
  while (cursor.at < end) {
    const tag = Number(readVarint(cursor));
    if (tag === 10) key = decoder.decode(readBytes(cursor));
    else if (tag === 18) value = decoder.decode(readBytes(cursor));
    else skip(cursor, tag & 7);
  }
  return [key, value];
}

function readBytes(cursor: Cursor): Uint8Array {
  const length = Number(readVarint(cursor));
  const bytes = cursor.bytes.subarray(cursor.at, cursor.at + length);
  if (bytes.length !== length) throw new Error("Cannot decode message: it ends inside a field");
  cursor.at += length;
  return bytes;
}

function readVarint(cursor: Cursor): bigint {
  let result = 0;
  // Most varints are short: numbers first, big integers only beyond 28 bits.
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = nextByte(cursor);
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt(result);
  }
  let large = BigInt(result);
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const byte = nextByte(cursor);
    large |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return large;
  }
  throw new Error("Cannot decode message: a number is longer than 64 bits");
}

function nextByte(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.at];
  if (byte === undefined) throw new Error("Cannot decode message: it ends inside a number");
  cursor.at += 1;
  return byte;
}

function skip(cursor: Cursor, wire: number): void {
  if (wire === 0) readVarint(cursor);
  else if (wire === 1) cursor.at += 8;
  else if (wire === 2) readBytes(cursor);
  else if (wire === 5) cursor.at += 4;
  else throw new Error(`Cannot decode message: wire type ${wire} is unknown`);
}
