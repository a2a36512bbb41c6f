import { encodeJson } from "#codec/json.ts";
import type { Entry } from "#store/store.ts";
import type { Headers, HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { badRequest, Failure, notAcceptable } from "../failure.ts";
import { contentTypesKeptMax, gzipBytesMin } from "../limits.ts";
import { accepted, acceptsGzip, contentTypes, jsonObject, type Representation } from "../negotiate.ts";
import type { Served } from "../registry.ts";
import { warningHeader } from "../status.ts";
import { prettyJson, wantsPretty } from "./pretty.ts";
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
    return (representation.as === "Table" ? tableProblem(call) : undefined) ?? representation;
  }
  const all = [contentTypes.json, contentTypes.yaml];
  if (canProtobuf(undefined, served)) all.push(contentTypes.protobuf);
  return notAcceptable(all);
}

function tableProblem({ info }: Call): Failure | undefined {
  const include = info.query.get("includeObject") ?? "";
  if (include === "" || include === "None" || include === "Metadata" || include === "Object") return undefined;
  const supported = '"Metadata", "None", "Object", ""';
  return badRequest(
    "Unable to convert to Table as requested: includeObject: Unsupported value: " +
      `${JSON.stringify(include)}: supported values: ${supported}`,
  );
}

function canProtobuf(representation: Representation | undefined, served: Served | undefined): boolean {
  if (served === undefined || representation?.as === "Table") return false;
  return served.custom === undefined || (representation !== undefined && representation.as !== "object");
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
  return {
    status,
    headers: headersFor(call, contentTypes.json),
    body: prettyWhenAsked(call, jsonObject, encodeJson(value)),
  };
}

function prettyWhenAsked(call: Call, { media }: Representation, body: Uint8Array): Uint8Array {
  return media === "json" && wantsPretty(call) ? prettyJson(body) : body;
}

const noBytes = new Uint8Array(0);
