import type { WebhookClientConfig } from "#api/generated/admissionregistration-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import { decode } from "#codec/decode.ts";
import { parseJson } from "#codec/json.ts";
import { cloneValue, isEqualValue, isRecord } from "#codec/record.ts";
import type { Call } from "../call.ts";
import { Failure } from "../failure.ts";
import type { Served } from "../registry.ts";
import { conversionBatchMax, conversionTimeoutSeconds } from "./limits.ts";

/** How the versions of a custom kind become one another, where a webhook does it. */
export interface Conversion {
  readonly config: WebhookClientConfig;
  /** Versions of ConversionReview that the webhook reads. */
  readonly reviewVersions: readonly string[];
}

/** What webhooks made of objects, by version. Objects are never changed once they are stored, so this stays true. */
const converted = new WeakMap<object, Map<string, ApiObject>>();

/** What `ensureConverted` has got for an object; undefined when it was not asked. */
export function convertedObject(object: ApiObject, apiVersion: string): ApiObject | undefined {
  return converted.get(object)?.get(apiVersion);
}

/** Remembers that `object` is `other` in the version of `other`. */
export function remember(object: ApiObject, other: ApiObject): void {
  let byVersion = converted.get(object);
  if (byVersion === undefined) converted.set(object, (byVersion = new Map()));
  byVersion.set(other.apiVersion ?? "", other);
}

/** What was remembered of an object while it was made is not true of what is stored: it has got a uid, owners, a revision. */
export function forgetConversions(object: ApiObject): void {
  converted.delete(object);
}

/** Whether reading `object` as `served` needs the webhook. */
export function needsWebhook(served: Served, object: ApiObject): boolean {
  return served.custom?.conversion !== undefined && object.apiVersion !== served.apiVersion;
}

/** Asks the webhook for all of `objects` that it has not made of the served version yet. Afterwards `inVersion` knows them. */
export async function ensureConverted(
  call: Pick<Call, "parts">,
  served: Served,
  objects: readonly ApiObject[],
): Promise<Failure | undefined> {
  const { conversion } = served.custom ?? {};
  if (conversion === undefined) return undefined;
  const missing = objects.filter(
    (object) => needsWebhook(served, object) && convertedObject(object, served.apiVersion) === undefined,
  );
  for (let i = 0; i < missing.length; i += conversionBatchMax) {
    const failure = await convertBatch(call, served, conversion, missing.slice(i, i + conversionBatchMax));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** One object in the served version; the failure of its webhook. */
export async function convertOne(
  call: Pick<Call, "parts">,
  served: Served,
  object: ApiObject,
): Promise<ApiObject | Failure> {
  const failure = await ensureConverted(call, served, [object]);
  return failure ?? convertedObject(object, served.apiVersion) ?? object;
}

async function convertBatch(
  { parts }: Pick<Call, "parts">,
  served: Served,
  { config, reviewVersions }: Conversion,
  objects: readonly ApiObject[],
): Promise<Failure | undefined> {
  const uid = parts.random.uuid();
  const reviewVersion = reviewVersions.includes("v1") ? "v1" : "v1beta1";
  const apiVersion = `apiextensions.k8s.io/${reviewVersion}`;
  const request = { uid, desiredAPIVersion: served.apiVersion, objects };
  const reply = (await parts.webhooks?.call(
    config,
    { kind: "ConversionReview", apiVersion, request },
    conversionTimeoutSeconds,
  )) ?? {
    ok: false,
    problem: "this server has no way to webhooks",
  };
  const from = String(objects[0]?.apiVersion);
  if (!reply.ok) return failed(served, from, reply.problem);
  const read = readReview(reply.body, uid, objects.length);
  if (typeof read === "string") return failed(served, from, read);
  for (const [index, object] of objects.entries()) {
    const taken = takeOver(served, object, read[index]);
    if (typeof taken === "string") return failed(served, from, `invalid converted object at index ${index}: ${taken}`);
    remember(object, taken);
  }
  return undefined;
}

function failed({ resource }: Served, from: string, problem: string): Failure {
  const message = `conversion webhook for ${from}, Kind=${resource.kind} failed: ${problem}`;
  return new Failure(500, "InternalError", message, { causes: [{ message }] });
}

/** The converted objects of an answer, or what is wrong with it. */
function readReview(body: Uint8Array, uid: string, count: number): readonly unknown[] | string {
  const parsed = parseJson(body);
  if (!parsed.ok || !isRecord(parsed.value)) return "the answer is no ConversionReview";
  const { response } = parsed.value;
  if (!isRecord(response)) return "no response provided";
  if (response["uid"] !== uid)
    return `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response["uid"])}`;
  const result = isRecord(response["result"]) ? response["result"] : {};
  if (result["status"] !== "Success") {
    const { message, status } = result;
    return typeof message === "string" && message !== ""
      ? message
      : `response.result.status was '${String(status)}', not 'Success'`;
  }
  const { convertedObjects } = response;
  if (!Array.isArray(convertedObjects) || convertedObjects.length !== count)
    return `returned ${Array.isArray(convertedObjects) ? convertedObjects.length : 0} objects, expected ${count}`;
  return convertedObjects as unknown[];
}

const identity = ["name", "namespace", "uid"] as const;

/** A converted object as it may be used: metadata stays as it was but for labels and annotations, the rest follows the schema. */
function takeOver(served: Served, object: ApiObject, made: unknown): ApiObject | string {
  if (!isRecord(made) || !isRecord(made["metadata"])) return "it has no metadata";
  if (made["kind"] !== object.kind) return `invalid kind, expected=${object.kind}`;
  if (made["apiVersion"] !== served.apiVersion) return `invalid groupVersion, expected ${served.apiVersion}`;
  const { metadata } = made;
  for (const name of identity) {
    if ((metadata[name] ?? "") !== (object.metadata[name] ?? "")) return `metadata.${name} must not be changed`;
  }
  const next: ApiObject["metadata"] = cloneValue(object.metadata);
  for (const name of ["labels", "annotations"] as const) {
    const given = metadata[name];
    if (given === undefined || isEqualValue(given, {})) delete next[name];
    else if (isRecord(given)) next[name] = cloneValue(given) as Record<string, string>;
  }
  const decoded = decode(served.schema, { ...made, metadata: next }, { defaults: true });
  return decoded.object as ApiObject;
}
