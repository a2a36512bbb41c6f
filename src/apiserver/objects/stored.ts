import type { ApiObject, ObjectMetadata } from "#api/kind.ts";
import { stringifyJson, stringifyPlain } from "#codec/json.ts";
import { entriesText } from "../apply/entries.ts";

/**
 * A stored value: a header of 20 bytes, then the object's JSON in Go's canonical form, ready to be sent. The header tells
 * where things are, so that get, list, watch and metadata-only answers need no parsing:
 *
 *     0 u8   layout version      4 u32 the 13 digits of resourceVersion   16 u32 end of the metadata object
 *     2 u16  `"metadata":`       8 u32, 12 u32 start and end of `,"managedFields":[...]` (0, 0: none)
 */
export const headerBytes = 20;
const layoutVersion = 1;
const noRevision = "0000000000000";
export const revisionDigits = 13;

const encoder = new TextEncoder();

export interface Encoded {
  readonly value: Uint8Array;
  /** Where the store writes the revision. */
  readonly stampAt: number;
  /** Nothing in it needs a parser that keeps integers beyond 2^53, or thousands of levels. */
  readonly isPlain: boolean;
}

/**
 * Writes texts one after the other behind the room for the header; `ends` gets where each ends. Nearly all objects are ASCII: their
 * length is known, so that nothing is put together or copied first.
 */
function withHeader(texts: readonly string[], ends: number[]): Uint8Array {
  let length = headerBytes;
  for (const text of texts) length += text.length;
  const value = new Uint8Array(length);
  let at = headerBytes;
  for (const text of texts) {
    const { read, written } = encoder.encodeInto(text, value.subarray(at, at + text.length));
    if (read !== text.length || written !== text.length) return withHeaderAndMore(texts, ends);
    at += written;
    ends.push(at);
  }
  return value;
}

/** The same where characters need more bytes than one. */
function withHeaderAndMore(texts: readonly string[], ends: number[]): Uint8Array {
  const parts = texts.map((text) => encoder.encode(text));
  const value = new Uint8Array(parts.reduce((sum, part) => sum + part.length, headerBytes));
  ends.length = 0;
  let at = headerBytes;
  for (const part of parts) {
    value.set(part, at);
    at += part.length;
    ends.push(at);
  }
  return value;
}

/** Go's order of ObjectMeta. managedFields come last and are written apart. */
const metadataOrder = [
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
] as const;

const comma = 44;

/** Encodes an object for the store; its resourceVersion is left for the store to stamp. */
export function encodeStored(object: ApiObject): Encoded {
  const kind = `{"kind":${JSON.stringify(object.kind ?? "")},"apiVersion":${JSON.stringify(object.apiVersion ?? "")},`;
  const head = `${kind}"metadata":`;
  const ordered = orderedMetadata(object.metadata);
  const others = othersOf(object);
  const plainMetadata = stringifyPlain(ordered);
  const plainRest = others === undefined ? "}" : stringifyPlain(others);
  const metadata = plainMetadata ?? stringifyJson(ordered);
  const managed = managedText(object.metadata.managedFields);
  const ends: number[] = [];
  const value = withHeader([head, metadata, managed, plainRest ?? stringifyJson(others)], ends);
  const metadataEnd = ends[1]!;
  const managedEnd = ends[2]!;
  // What is written apart goes on in the object before it.
  if (managed !== "") value[metadataEnd - 1] = comma;
  if (managedEnd + 1 < value.length) value[managedEnd] = comma;

  // Everything before the digits is ASCII: names are validated. What follows may need more bytes than characters.
  const revisionAt =
    headerBytes + head.length + metadata.indexOf(`"resourceVersion":"${noRevision}"`) + `"resourceVersion":"`.length;
  value[0] = layoutVersion;
  const start = headerBytes + kind.length;
  value[2] = start >>> 8;
  value[3] = start;
  writeU32(value, 4, revisionAt);
  writeU32(value, 8, managed === "" ? 0 : metadataEnd - 1);
  writeU32(value, 12, managed === "" ? 0 : managedEnd - 1);
  writeU32(value, 16, managedEnd);
  return { value, stampAt: revisionAt, isPlain: plainMetadata !== undefined && plainRest !== undefined };
}

function writeU32(value: Uint8Array, at: number, number: number): void {
  value[at] = number >>> 24;
  value[at + 1] = number >>> 16;
  value[at + 2] = number >>> 8;
  value[at + 3] = number;
}

function orderedMetadata(metadata: ObjectMetadata): Record<string, unknown> {
  const ordered: Record<string, unknown> = {};
  const source = metadata as Record<string, unknown>;
  for (const field of metadataOrder) {
    if (field === "resourceVersion") ordered[field] = noRevision;
    else {
      const value = source[field];
      if (value !== undefined && value !== "" && !isEmpty(value)) ordered[field] = value;
    }
  }
  return ordered;
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return value === null;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

/** The last member of the metadata and its end; the comma before it stands where they ended without it. */
function managedText(managedFields: unknown[] | undefined): string {
  return managedFields === undefined || managedFields.length === 0
    ? ""
    : `"managedFields":${entriesText(managedFields)}}`;
}

/** What follows the metadata, as an object whose brace becomes a comma; undefined where there is nothing. */
function othersOf(object: ApiObject): Record<string, unknown> | undefined {
  const rest: Record<string, unknown> = {};
  let any = false;
  for (const field in object) {
    if (field === "kind" || field === "apiVersion" || field === "metadata") continue;
    if (object[field] === undefined) continue;
    if (field === "__proto__") Object.defineProperty(rest, field, { value: object[field], enumerable: true });
    else rest[field] = object[field];
    any = true;
  }
  return any ? rest : undefined;
}

function u32(value: Uint8Array, at: number): number {
  return ((value[at]! << 24) | (value[at + 1]! << 16) | (value[at + 2]! << 8) | value[at + 3]!) >>> 0;
}

/** The JSON of a stored value, as it is sent. */
export function jsonOf(value: Uint8Array): Uint8Array {
  return value.subarray(headerBytes);
}

/** The JSON from `"metadata":` on, for items of lists, which carry no kind. */
export function fromMetadata(value: Uint8Array): Uint8Array {
  return value.subarray((value[2]! << 8) | value[3]!);
}

/** `"metadata":{...}` alone. */
export function metadataOf(value: Uint8Array): Uint8Array {
  return value.subarray((value[2]! << 8) | value[3]!, u32(value, 16));
}

const decoder = new TextDecoder();
const labelsStart = `"labels":{`;

/**
 * The JSON of metadata.labels alone; undefined: there are none. What stands before them (names, times, the uid) cannot hold their
 * name with its quotes, and validated labels hold no brace.
 */
export function labelsText(value: Uint8Array): string | undefined {
  const managedStart = u32(value, 8);
  const text = decoder.decode(
    value.subarray((value[2]! << 8) | value[3]!, managedStart === 0 ? u32(value, 16) : managedStart),
  );
  const at = text.indexOf(labelsStart);
  if (at === -1) return undefined;
  const from = at + labelsStart.length - 1;
  return text.slice(from, text.indexOf("}", from) + 1);
}

/** Offset of the revision's digits in a stored value. */
export function revisionOffset(value: Uint8Array): number {
  return u32(value, 4);
}

/** A copy of a stored value that carries another revision: the last state of an object that left a selection. */
export function withRevision(value: Uint8Array, revision: number): Uint8Array {
  const copy = value.slice();
  const digits = String(revision).padStart(revisionDigits, "0");
  const at = revisionOffset(value);
  for (let i = 0; i < revisionDigits; i++) copy[at + i] = digits.charCodeAt(i);
  return copy;
}

/** Whether two stored values are the same but for their revision: a write of one over the other changes nothing. */
export function sameButRevision(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  const skipFrom = revisionOffset(left);
  if (skipFrom !== revisionOffset(right)) return false;
  const skipTo = skipFrom + revisionDigits;
  for (let i = 0; i < left.length; i++) {
    if (left[i] !== right[i] && (i < skipFrom || skipTo <= i)) return false;
  }
  return true;
}
