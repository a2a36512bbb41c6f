import type { StructSchema } from "./schema.ts";
import { readMessage } from "./protobuf-read.ts";
import { isProtobuf, magic, ProtobufError, WireReader, WireWriter } from "./protobuf-wire.ts";
import { writeMessage } from "./protobuf-write.ts";

export type ProtobufResult =
  | {
      readonly ok: true;
      readonly apiVersion: string;
      readonly kind: string;
      /** As JSON would give it, not yet canonical: hand it to `decode`. */
      readonly object: Record<string, unknown>;
    }
  | { readonly ok: false; readonly message: string };

/** Finds the schema of an envelope's type; undefined when there is none. */
export type ResolveSchema = (apiVersion: string, kind: string) => StructSchema | undefined;

/** Reads a body of `application/vnd.kubernetes.protobuf`: the prefix, the envelope `Unknown`, the object. */
export function decodeProtobuf(bytes: Uint8Array, resolve: ResolveSchema): ProtobufResult {
  try {
    return { ok: true, ...decodeBody(bytes, resolve, 0) };
  } catch (error) {
    if (error instanceof ProtobufError) return { ok: false, message: error.message };
    throw error;
  }
}

function decodeBody(bytes: Uint8Array, resolve: ResolveSchema, depth: number) {
  if (bytes.length === 0) throw new ProtobufError("empty data");
  if (!isProtobuf(bytes)) {
    throw new ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  const { apiVersion, kind, raw } = readEnvelope(new WireReader(bytes, magic.length));
  const schema = resolve(apiVersion, kind);
  if (schema === undefined) throw new ProtobufError(`no kind "${kind}" is registered for version "${apiVersion}"`);
  const readBody = (body: Uint8Array, at: number) => decodeBody(body, resolve, at + 1).object;
  const object = readMessage(schema, new WireReader(raw), { readBody, depth });
  if (schema.byName.has("apiVersion")) {
    object["kind"] = kind;
    object["apiVersion"] = apiVersion;
  }
  return { apiVersion, kind, object };
}

function readEnvelope(reader: WireReader): { apiVersion: string; kind: string; raw: Uint8Array } {
  const envelope = { apiVersion: "", kind: "", raw: new Uint8Array() as Uint8Array };
  while (reader.next()) {
    if (reader.number === 1) {
      const typeMeta = reader.message();
      while (typeMeta.next()) {
        if (typeMeta.number === 1) envelope.apiVersion = typeMeta.string();
        else if (typeMeta.number === 2) envelope.kind = typeMeta.string();
        else typeMeta.skip();
      }
    } else if (reader.number === 2) envelope.raw = reader.raw();
    else reader.skip();
  }
  return envelope;
}

/** The body for an object in canonical form. Throws a TypeError for values that do not have their schema's type. */
export function encodeProtobuf(object: Readonly<Record<string, unknown>>, schema: StructSchema): Uint8Array {
  const hasType = schema.byName.has("apiVersion");
  const apiVersion = hasType ? String(object["apiVersion"] ?? "") : "";
  const kind = hasType ? String(object["kind"] ?? "") : "";
  return wrapEnvelope(apiVersion, kind, encodeMessage(object, schema));
}

/** The object's message alone: an item of a list, or the raw part of an envelope. */
export function encodeMessage(object: Readonly<Record<string, unknown>>, schema: StructSchema): Uint8Array {
  const writer = new WireWriter();
  writeMessage(schema, object, writer);
  return writer.finish();
}

/** A list's body from its items' messages (`encodeMessage`), so that those can be cached. */
export function encodeProtobufList(
  list: { readonly apiVersion: string; readonly kind: string; readonly metadata: Readonly<Record<string, unknown>> },
  listMetaSchema: StructSchema,
  items: readonly Uint8Array[],
): Uint8Array {
  const writer = new WireWriter();
  for (let i = items.length - 1; i >= 0; i -= 1) writer.bytesField(2, items[i] as Uint8Array);
  const before = writer.length;
  writeMessage(listMetaSchema, list.metadata, writer);
  writer.close(1, before);
  return wrapEnvelope(list.apiVersion, list.kind, writer.finish());
}

function wrapEnvelope(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array {
  const writer = new WireWriter();
  writer.string(4, "");
  writer.string(3, "");
  writer.bytesField(2, raw);
  const before = writer.length;
  writer.string(2, kind);
  writer.string(1, apiVersion);
  writer.close(1, before);
  writer.raw(Uint8Array.from(magic));
  return writer.finish();
}

/** One event of a watch in protobuf: four bytes of length (big endian), then WatchEvent around a whole body. */
export function encodeWatchFrame(type: string, body: Uint8Array): Uint8Array {
  const writer = new WireWriter();
  const before = writer.length;
  writer.bytesField(1, body);
  writer.close(2, before);
  writer.string(1, type);
  const { length } = writer;
  writer.raw(Uint8Array.of(length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255));
  return writer.finish();
}

/** Takes the whole frames off the front of `bytes`; `rest` is what is left over. */
export function decodeWatchFrames(bytes: Uint8Array): {
  events: { type: string; body: Uint8Array }[];
  rest: Uint8Array;
} {
  const events: { type: string; body: Uint8Array }[] = [];
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
    if (bytes.length - at - 4 < length) break;
    events.push(readWatchEvent(new WireReader(bytes, at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return { events, rest: bytes.subarray(at) };
}

function readWatchEvent(reader: WireReader): { type: string; body: Uint8Array } {
  const event = { type: "", body: new Uint8Array() as Uint8Array };
  while (reader.next()) {
    if (reader.number === 1) event.type = reader.string();
    else if (reader.number === 2) {
      const raw = reader.message();
      while (raw.next()) {
        if (raw.number === 1) event.body = raw.raw();
        else raw.skip();
      }
    } else reader.skip();
  }
  return event;
}
