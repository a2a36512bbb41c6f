import { JsonParser, JsonSyntaxError } from "./json-parser.ts";
import { jsonDepthMax } from "./limits.ts";

export type JsonResult =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** Paths of keys that occur more than once in their object, e.g. `spec.containers[0].image`. The last one counts. */
      readonly duplicates: readonly string[];
    }
  | {
      readonly ok: false;
      /** As Go's encoding/json words it: clients print it. */
      readonly message: string;
      /** Bytes before the place of the error. */
      readonly offset: number;
    };

export interface JsonLimits {
  /** Nesting of objects and arrays. */
  readonly depthMax?: number;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Parses one JSON document as Go's decoder does: integers beyond 2^53 stay exact (as bigint, where they fit 64 bits),
 * invalid UTF-8 and lone surrogates become U+FFFD, objects have no prototype that a key could reach (`__proto__` is an
 * ordinary key).
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = {}): JsonResult {
  let text = utf8.decode(bytes);
  if (text.includes("\ufffd")) text = decodeUtf8LikeGo(bytes);
  return parseJsonText(text, limits);
}

/** The same for text that is already decoded. */
export function parseJsonText(text: string, limits: JsonLimits = {}): JsonResult {
  const parser = new JsonParser(text, limits.depthMax ?? jsonDepthMax);
  try {
    return { ok: true, value: parser.parse(), duplicates: parser.duplicates };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return { ok: false, message: error.message, offset: encoder.encode(text.slice(0, error.at)).length };
  }
}

/** JSON text of plain data; bigints are written exactly. Throws a TypeError for what JSON cannot hold (cycles). */
export function stringifyJson(value: unknown): string {
  return stringifyPlain(value) ?? stringifyExactly(value);
}

/** The same where the engine can write it alone; undefined for what holds bigints, or is nested thousands of levels deep. */
export function stringifyPlain(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** UTF-8 bytes of `stringifyJson`. */
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(stringifyJson(value));
}

const { rawJSON: rawJson } = JSON as JSON & { rawJSON(text: string): unknown };

function stringifyExactly(value: unknown): string {
  try {
    return JSON.stringify(value, exactIntegers) ?? "null";
  } catch (error) {
    // Only what V8's recursion cannot hold comes here: up to 10,000 levels are legal.
    if (error instanceof RangeError) return stringifyDeep(value);
    throw error;
  }
}

/** Writes without recursion. Slow; for documents nested thousands of levels deep. */
function stringifyDeep(root: unknown): string {
  const parts: string[] = [];
  /** What is still to be written, last first: text as it is, or a value. */
  const pending: ({ text: string } | { value: unknown })[] = [{ value: root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if ("text" in next) {
      parts.push(next.text);
      continue;
    }
    const value = next.value;
    if (typeof value !== "object" || value === null) {
      parts.push(typeof value === "bigint" ? value.toString() : (JSON.stringify(value) ?? "null"));
      continue;
    }
    const isList = Array.isArray(value);
    const keys = Object.keys(value).filter((key) => isList || (value as Record<string, unknown>)[key] !== undefined);
    pending.push({ text: isList ? "]" : "}" });
    for (let i = keys.length - 1; i >= 0; i -= 1) {
      const key = keys[i] as string;
      const lead = i === 0 ? "" : ",";
      pending.push({ value: (value as Record<string, unknown>)[key] });
      pending.push({ text: isList ? lead : `${lead}${JSON.stringify(key)}:` });
    }
    parts.push(isList ? "[" : "{");
  }
  return parts.join("");
}

function exactIntegers(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? rawJson(value.toString()) : value;
}

/** Go replaces each byte that belongs to no valid sequence; the Web's decoder replaces longest prefixes. */
function decodeUtf8LikeGo(bytes: Uint8Array): string {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(utf8.decode(bytes.subarray(from, at)), "\ufffd");
    at += 1;
    from = at;
  }
  parts.push(utf8.decode(bytes.subarray(from)));
  return parts.join("");
}

/** Length of the valid UTF-8 sequence at `at`, 0 when there is none (RFC 3629). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (let i = 1; i < length; i += 1) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}
