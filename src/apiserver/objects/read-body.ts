import type { ApiObject } from "#api/kind.ts";
import { allAtOnce } from "#base/steps.ts";
import { decode } from "#codec/decode.ts";
import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { StructSchema } from "#codec/schema.ts";
import type { Call } from "../call.ts";
import { badRequest, Failure, requestTooLarge, unsupportedEncoding, unsupportedMediaType } from "../failure.ts";
import { requestBytesMax } from "../limits.ts";
import { contentTypes, type Media } from "../negotiate.ts";
import { inTurns } from "../turns.ts";
import { readProtobufBody } from "./protobuf.ts";
import { readYamlSteps } from "./yaml.ts";
import { shown } from "./shown.ts";

/** The type that a body must have. */
export interface Expected {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: StructSchema;
  readonly custom: boolean;
}

export interface RawBody {
  readonly value: Record<string, unknown>;
  readonly duplicates: readonly string[];
}

/** The media type of a request's body; an absent Content-Type is JSON. */
function mediaOf(contentType: string | undefined): Media | undefined {
  if (contentType === undefined || contentType === "") return "json";
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  if (type === "application/json") return "json";
  if (type === "application/yaml" || type === "text/yaml") return "yaml";
  return type === contentTypes.protobuf ? "protobuf" : undefined;
}

/** Undefined where the body may be read: it is within its bound, and as it is. */
export function bodyRefusal({ request }: Call): Failure | undefined {
  const { body, headers } = request;
  if (requestBytesMax < body.length) return requestTooLarge(`Request entity too large: limit is ${requestBytesMax}`);
  const encoding = headers["content-encoding"];
  const isPlain = encoding === undefined || encoding === "" || encoding.toLowerCase() === "identity";
  return isPlain ? undefined : unsupportedEncoding(encoding);
}

/** Reads the request's body as one object: plain data, not yet held against a schema. */
export function readRaw(call: Call, custom: boolean): RawBody | Failure {
  return allAtOnce(readRawSteps(call, custom));
}

function* readRawSteps(call: Call, custom: boolean): Generator<void, RawBody | Failure> {
  const refused = bodyRefusal(call);
  if (refused !== undefined) return refused;
  const { body } = call.request;
  const media = mediaOf(call.request.headers["content-type"]);
  if (media === undefined || (custom && media === "protobuf")) {
    const known = [contentTypes.json, contentTypes.yaml];
    return unsupportedMediaType(custom ? known : [...known, contentTypes.protobuf]);
  }
  if (media === "protobuf") return readProtobufBody(body, call.parts.registry);
  const parsed = media === "json" ? parseJson(body) : yield* readYamlSteps(body);
  if (!parsed.ok) {
    return badRequest(
      `the object provided is unrecognized (must be of type ${call.served?.resource.kind ?? "object"}): ${parsed.message}`,
    );
  }
  if (!isRecord(parsed.value)) return badRequest("the object provided is unrecognized: the body is not an object");
  return { value: parsed.value, duplicates: parsed.duplicates };
}

/** Reads the request's body as an object of the expected type, with defaults. */
export function readObject(call: Call, expected: Expected): ApiObject | Failure {
  if (call.request.body.length === 0) return badRequest("the request has no body");
  const raw = readRaw(call, expected.custom);
  if (raw instanceof Failure) return raw;
  return decodeObject(call, expected, raw.value, raw.duplicates);
}

/** The same with a turn for others between reading and decoding: for large bodies. */
export async function readObjectInTurns(call: Call, expected: Expected): Promise<ApiObject | Failure> {
  const { timers } = call.parts;
  const raw = await inTurns(readRawSteps(call, expected.custom), timers);
  if (raw instanceof Failure) return raw;
  await timers.yield();
  return decodeObject(call, expected, raw.value, raw.duplicates);
}

/** Holds plain data against the expected type: kind, unknown and duplicate fields, canonical form, defaults. */
export function decodeObject(
  call: Call,
  expected: Expected,
  value: Record<string, unknown>,
  duplicates: readonly string[],
): ApiObject | Failure {
  value.kind ??= expected.kind;
  value.apiVersion ??= expected.apiVersion;
  if (value.kind === "") value.kind = expected.kind;
  if (value.apiVersion === "") value.apiVersion = expected.apiVersion;
  if (value.kind !== expected.kind) {
    return badRequest(
      `${shown(value.kind)} in version "${shown(value.apiVersion)}" cannot be handled as a ${expected.kind}: the kind does not match`,
    );
  }
  if (value.apiVersion !== expected.apiVersion) {
    const given = shown(value.apiVersion);
    const message = `the API version in the data (${given}) does not match the expected API version (${expected.apiVersion})`;
    return badRequest(message);
  }
  const decoded = decode(expected.schema, value, { defaults: true });
  const first = decoded.errors[0];
  const title = `${expected.kind} in version "${expected.apiVersion.split("/").at(-1)!}" cannot be handled as a ${expected.kind}`;
  if (first !== undefined) return badRequest(`${title}: ${first.message}`);
  const strict = strictProblems(call, decoded.unknownFields, duplicates);
  if (strict !== undefined) return badRequest(`${title}: strict decoding error: ${strict}`);
  const object = decoded.object as ApiObject;
  object.metadata ??= {};
  return object;
}

/** What `fieldValidation` says about unknown and duplicate fields: a failure's text, warnings, or nothing. */
function strictProblems(
  call: Call,
  unknownFields: readonly string[],
  duplicates: readonly string[],
): string | undefined {
  if (unknownFields.length === 0 && duplicates.length === 0) return undefined;
  const problems = [
    ...duplicates.map((field) => `duplicate field "${field}"`),
    ...unknownFields.map((field) => `unknown field "${field}"`),
  ];
  const mode = call.info.query.get("fieldValidation") ?? "";
  if (mode === "Strict") return problems.join(", ");
  if (mode !== "Ignore") call.warnings.push(...problems);
  return undefined;
}
