import { encodeJson } from "#codec/json.ts";
import type { Entry } from "#store/store.ts";
import type { Headers, HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { Failure, notAcceptable } from "../failure.ts";
import { contentTypesKeptMax, gzipBytesMin } from "../limits.ts";
import { accepted, acceptsGzip, contentTypes, type Representation } from "../negotiate.ts";
import type { Served } from "../registry.ts";
import { warningHeader } from "../status.ts";
import { representEntry, representValue } from "./represent.ts";
import { givesValues, sharedValue } from "./values.ts";

/** By content type; frozen, so that what is derived from them can be kept too. */
const sharedHeaders = new Map<string, Headers>();

/** Headers of every answer of the API. */
export function headersFor(call: Call, contentType: string): Headers {
  let shared = sharedHeaders.get(contentType);
  if (shared === undefined) {
    shared = Object.freeze({ "content-type": contentType, "cache-control": "no-cache, private" });
    if (sharedHeaders.size < contentTypesKeptMax) sharedHeaders.set(contentType, shared);
  }
  return call.warnings.length === 0 ? shared : { ...shared, warning: warningHeader(call.warnings) };
}

/** Compresses an answer of so many bytes; undefined where it is too small for that, or the client does not ask for it. */
export function gzipFor(call: Call, bytes: number): Call["parts"]["gzip"] {
  if (bytes < gzipBytesMin || !acceptsGzip(call.request.headers["accept-encoding"])) return undefined;
  return call.parts.gzip;
}

/** Headers of an answer that was compressed. */
export function gzippedHeaders(headers: Headers): Headers {
  const vary = headers.vary === undefined ? "accept-encoding" : `${headers.vary}, accept-encoding`;
  return { ...headers, "content-encoding": "gzip", vary };
}

/** The first representation that the client accepts and that `served` can be written in. */
export function representationFor(call: Call, served: Served | undefined, isStream = false): Representation | Failure {
  for (const representation of accepted(call.request.headers.accept)) {
    if (representation.media === "protobuf" && !canProtobuf(representation, served)) continue;
    if (representation.media === "yaml" && isStream) continue;
    return representation;
  }
  const all = [contentTypes.json, contentTypes.yaml];
  if (canProtobuf(undefined, served)) all.push(contentTypes.protobuf);
  return notAcceptable(all);
}

function canProtobuf(representation: Representation | undefined, served: Served | undefined): boolean {
  if (served === undefined || served.custom !== undefined) return false;
  return representation === undefined || representation.as === "object";
}

/** Answers with a stored object: its bytes as they are, when JSON is accepted. */
export function entryResponse(call: Call, served: Served, status: number, entry: Entry): HttpResponse | Failure {
  const representation = representationFor(call, served);
  if (representation instanceof Failure) return representation;
  if (givesValues(call, served, representation)) {
    const value = sharedValue(call.parts.objects, served, entry);
    return { status, headers: headersFor(call, contentTypes.json), body: noBytes, value };
  }
  const body = representEntry(call, served, entry, representation);
  return {
    status,
    headers: headersFor(call, contentTypes[representation.media]),
    body: prettyWhenAsked(call, representation, body),
  };
}

/** Answers with an object that is not stored: reviews, scales, dry runs, Status. */
export function valueResponse(
  call: Call,
  served: Served | undefined,
  status: number,
  value: Record<string, unknown>,
): HttpResponse | Failure {
  const representation = representationFor(call, served);
  if (representation instanceof Failure) return representation;
  const body = representValue(call, served, value, representation);
  return {
    status,
    headers: headersFor(call, contentTypes[representation.media]),
    body: prettyWhenAsked(call, representation, body),
  };
}

/** A JSON answer whatever the client accepts: documents of discovery, version, health. */
export function jsonResponse(call: Call, status: number, value: unknown): HttpResponse {
  return { status, headers: headersFor(call, contentTypes.json), body: encodeJson(value) };
}

function prettyWhenAsked(call: Call, representation: Representation, body: Uint8Array): Uint8Array {
  if (call.info.query.size === 0 || representation.media !== "json") return body;
  const pretty = call.info.query.get("pretty");
  if (pretty === null || pretty === "false" || pretty === "0") return body;
  return prettyJson(body);
}

const noBytes = new Uint8Array(0);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Indents JSON by two spaces without reading its numbers: they stay as they are written. */
export function prettyJson(bytes: Uint8Array): Uint8Array {
  const text = decoder.decode(bytes);
  let out = "";
  let depth = 0;
  let start = 0;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '"') {
      for (i += 1; text[i] !== '"' && i < text.length; i++) if (text[i] === "\\") i += 1;
      continue;
    }
    if (char === "{" || char === "[") {
      const next = text[i + 1];
      if (next === "}" || next === "]") {
        i += 1;
        continue;
      }
      depth += 1;
      out += text.slice(start, i + 1) + line();
    } else if (char === "}" || char === "]") {
      depth -= 1;
      out += text.slice(start, i) + line() + char;
    } else if (char === ",") out += `,${line()}`.replace(",", text.slice(start, i + 1));
    else if (char === ":") out += `${text.slice(start, i + 1)} `;
    else continue;
    start = i + 1;
  }
  return encoder.encode(out + text.slice(start));
}
