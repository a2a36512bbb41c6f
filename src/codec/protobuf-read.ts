import type { FieldSchema, ScalarType, Schema, StructSchema, UnionSchema } from "./schema.ts";
import { formatDuration } from "./duration.ts";
import { parseJson } from "./json.ts";
import { protobufDepthMax } from "./limits.ts";
import { isProtobuf, ProtobufError, type WireReader } from "./protobuf-wire.ts";
import { PlainRecord } from "./record.ts";
import { formatMicroTime, formatTime } from "./time.ts";

/** State of one reading. */
export interface Reading {
  /** Reads a whole body that stands inside a RawExtension. */
  readonly readBody: (bytes: Uint8Array, depth: number) => Record<string, unknown>;
  readonly depth: number;
}

type Entry = { readonly field: FieldSchema } | { readonly inlined: StructSchema };

const entriesOf = new WeakMap<StructSchema, Map<number, Entry>>();

function entries(schema: StructSchema): Map<number, Entry> {
  let map = entriesOf.get(schema);
  if (map === undefined) {
    map = new Map();
    for (const field of schema.fields) if (field.number > 0) map.set(field.number, { field });
    for (const { number, struct } of schema.inlined ?? []) map.set(number, { inlined: struct });
    entriesOf.set(schema, map);
  }
  return map;
}

/** Reads a struct's message into JSON's form. Unknown numbers are passed over. */
export function readMessage(schema: StructSchema, reader: WireReader, reading: Reading): Record<string, unknown> {
  const object = new PlainRecord();
  readInto(object, schema, reader, reading);
  return object;
}

function readInto(object: Record<string, unknown>, schema: StructSchema, reader: WireReader, reading: Reading): void {
  if (reading.depth > protobufDepthMax) throw new ProtobufError("proto: exceeded max depth");
  const inner: Reading = { readBody: reading.readBody, depth: reading.depth + 1 };
  const known = entries(schema);
  while (reader.next()) {
    const entry = known.get(reader.number);
    if (entry === undefined) reader.skip();
    else if ("inlined" in entry) readInto(object, entry.inlined, reader.message(), inner);
    else readField(object, entry.field, reader, inner);
  }
}

function readField(object: Record<string, unknown>, field: FieldSchema, reader: WireReader, reading: Reading): void {
  const { schema, name } = field;
  if (schema.node === "map") {
    const map = (object[name] ??= new PlainRecord()) as Record<string, unknown>;
    readMapEntry(map, schema.value, reader.message(), reading);
  } else if (schema.node === "list" && !isListMessage(schema)) {
    const list = (object[name] ??= []) as unknown[];
    readElement(list, schema.element, reader, reading);
  } else if (schema.node === "struct" && object[name] !== undefined) {
    readInto(object[name] as Record<string, unknown>, schema, reader.message(), reading);
  } else {
    object[name] = readValue(schema, reader, reading);
  }
}

/** Named lists of strings (Verbs, ExtraValue) are messages of their own. */
export function isListMessage(schema: Schema): boolean {
  return schema.node === "list" && schema.name !== undefined && schema.element.node === "scalar";
}

function readElement(list: unknown[], element: Schema, reader: WireReader, reading: Reading): void {
  const isVarint =
    element.node === "scalar" && (element.type === "int32" || element.type === "int64" || element.type === "bool");
  if (!isVarint || reader.wireType !== 2) {
    list.push(readValue(element, reader, reading));
    return;
  }
  const packed = reader.packed(0);
  while (!packed.atEnd) list.push(readValue(element, packed, reading));
}

function readMapEntry(map: Record<string, unknown>, value: Schema, reader: WireReader, reading: Reading): void {
  let key = "";
  let result: unknown;
  while (reader.next()) {
    if (reader.number === 1) key = reader.string();
    else if (reader.number === 2) result = readValue(value, reader, reading);
    else reader.skip();
  }
  map[key] = result === undefined ? zeroOf(value) : result;
}

function zeroOf(schema: Schema): unknown {
  if (schema.node === "list") return [];
  if (schema.node === "struct" || schema.node === "map") return new PlainRecord();
  if (schema.node === "scalar" && (schema.type === "string" || schema.type === "bytes")) return "";
  return null;
}

function readValue(schema: Schema, reader: WireReader, reading: Reading): unknown {
  switch (schema.node) {
    case "scalar":
      return readScalar(schema.type, reader);
    case "struct":
      return readMessage(schema, reader.message(), reading);
    case "any":
      return readRaw(reader.message(), reading);
    case "union":
      return readUnion(schema, reader.message(), reading);
    case "list":
    case "map": {
      const list: unknown[] = [];
      const message = reader.message();
      while (message.next()) {
        if (message.number === 1 && schema.node === "list") readElement(list, schema.element, message, reading);
        else message.skip();
      }
      return list;
    }
  }
}

function readScalar(type: ScalarType, reader: WireReader): unknown {
  switch (type) {
    case "string":
      return reader.string();
    case "bytes":
      return reader.base64();
    case "bool":
      return reader.int64() !== 0;
    case "int32":
      return reader.int32();
    case "int64":
      return reader.int64();
    case "float64":
      return reader.double();
    case "quantity":
      return readQuantity(reader.message());
    case "int-or-string":
      return readIntOrString(reader.message());
    case "time":
    case "micro-time":
      return readTime(reader.message(), type);
    case "duration": {
      const nanos = readNumbers(reader.message())[0];
      return formatDuration(BigInt(nanos));
    }
  }
}

function readQuantity(reader: WireReader): string {
  let text = "0";
  while (reader.next()) {
    if (reader.number === 1) text = reader.string();
    else reader.skip();
  }
  return text;
}

function readIntOrString(reader: WireReader): number | string {
  let type = 0;
  let number = 0;
  let text = "";
  while (reader.next()) {
    if (reader.number === 1) type = reader.int32();
    else if (reader.number === 2) number = reader.int32();
    else if (reader.number === 3) text = reader.string();
    else reader.skip();
  }
  return type === 1 ? text : number;
}

/** Fields 1 and 2 as integers; zero where absent. */
function readNumbers(reader: WireReader): [number | bigint, number | bigint, boolean] {
  let first: number | bigint = 0;
  let second: number | bigint = 0;
  let any = false;
  while (reader.next()) {
    any = true;
    if (reader.number === 1) first = reader.int64();
    else if (reader.number === 2) second = reader.int64();
    else reader.skip();
  }
  return [first, second, any];
}

/** Year 1 to 9999: what RFC 3339 can hold. */
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;

function readTime(reader: WireReader, type: "time" | "micro-time"): string | null {
  const [seconds, nanos, any] = readNumbers(reader);
  // An empty message is Go's zero time.
  if (!any) return null;
  const whole = Number(seconds);
  const isPossible = whole >= secondsMin && whole <= secondsMax && Number(nanos) >= 0 && Number(nanos) < 1e9;
  if (!isPossible) throw new ProtobufError("proto: time is out of range");
  return type === "time" ? formatTime(whole * 1000) : formatMicroTime(whole * 1000, Number(nanos));
}

/** RawExtension, FieldsV1 and JSON carry JSON bytes; a RawExtension may also carry another body in protobuf. */
function readRaw(reader: WireReader, reading: Reading): unknown {
  let value: unknown = null;
  while (reader.next()) {
    if (reader.number !== 1) reader.skip();
    else value = parseRaw(reader.raw(), reading);
  }
  return value;
}

function parseRaw(bytes: Uint8Array, reading: Reading): unknown {
  if (bytes.length === 0) return null;
  if (isProtobuf(bytes)) return reading.readBody(bytes, reading.depth);
  const parsed = parseJson(bytes);
  if (!parsed.ok) throw new ProtobufError(parsed.message);
  return parsed.value;
}

function readUnion(schema: UnionSchema, reader: WireReader, reading: Reading): unknown {
  const list: unknown[] = [];
  let value: unknown = null;
  while (reader.next()) {
    const option = schema.options.find((candidate) => candidate.number === reader.number);
    if (option === undefined) reader.skip();
    else if (option.schema.node === "list") readElement(list, option.schema.element, reader, reading);
    // A schema beside `allows` wins over it.
    else if (option.on === "object" || value === null) value = readValue(option.schema, reader, reading);
    else reader.skip();
  }
  return value ?? (list.length > 0 ? list : null);
}
