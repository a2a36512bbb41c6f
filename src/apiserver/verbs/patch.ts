import type { ApiObject } from "#api/kind.ts";
import { allAtOnce } from "#base/steps.ts";
import { parseJson, type JsonResult } from "#codec/json.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { badRequest, Failure, otherName, requestTooLarge, unsupportedMediaType } from "../failure.ts";
import { servedVersion, storedVersion } from "../objects/convert.ts";
import { decodeObject, bodyRefusal } from "../objects/read-body.ts";
import { readYamlSteps } from "../objects/yaml.ts";
import { applyJsonPatch } from "../patch/json-patch.ts";
import { applyMergePatch } from "../patch/merge-patch.ts";
import type { PatchProblem, PatchResult } from "../patch/result.ts";
import { applyStrategicMergePatch } from "../patch/strategic-merge.ts";
import type { Served } from "../registry.ts";
import { applyPatch } from "./apply.ts";
import { expectedOf } from "./expected.ts";
import { writeOptions } from "./options.ts";
import { inTurns, isLarge } from "../turns.ts";
import { updatedResponse, updateObject } from "./update.ts";

const jsonPatch = "application/json-patch+json";
const mergePatch = "application/merge-patch+json";
const strategicPatch = "application/strategic-merge-patch+json";
const applyYaml = "application/apply-patch+yaml";

export type PatchType = typeof jsonPatch | typeof mergePatch | typeof strategicPatch | typeof applyYaml;

/** PATCH of an object or of one of its subresources. */
export async function patch(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const type = patchTypeOf(call, served);
  if (type instanceof Failure) return type;
  const options = writeOptions(call, type === applyYaml);
  if (options instanceof Failure) return options;
  const { timers } = call.parts;
  const body = isLarge(call) ? await inTurns(readPatchSteps(call, type), timers) : readPatchBody(call, type);
  if (body instanceof Failure) return body;
  if (isLarge(call)) await timers.yield();
  if (type === applyYaml) return applyPatch(call, served, body, options);
  const updated = await updateObject(call, served, options, (old) => patchedObject(call, served, old, type, body), {
    verb: "patch",
  });
  return updatedResponse(call, served, updated);
}

/** The type of patch by its Content-Type. Custom resources have no merge keys, so nothing to merge strategically by. */
export function patchTypeOf(call: Call, served: Served): PatchType | Failure {
  const type = (call.request.headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
  const isStrategic = served.custom === undefined;
  if (type === jsonPatch || type === mergePatch || type === applyYaml || (type === strategicPatch && isStrategic))
    return type;
  return unsupportedMediaType([jsonPatch, mergePatch, ...(isStrategic ? [strategicPatch] : []), applyYaml]);
}

export interface PatchBody {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

export function readPatchBody(call: Call, type: PatchType): PatchBody | Failure {
  return allAtOnce(readPatchSteps(call, type));
}

function* readPatchSteps(call: Call, type: PatchType): Generator<void, PatchBody | Failure> {
  const refused = bodyRefusal(call);
  if (refused !== undefined) return refused;
  const { body } = call.request;
  const parsed: JsonResult = type === applyYaml ? yield* readYamlSteps(body) : parseJson(body);
  if (!parsed.ok) return badRequest(`error decoding patch: ${parsed.message}`);
  return { value: parsed.value, duplicates: parsed.duplicates };
}

function patchedObject(
  call: Call,
  served: Served,
  old: ApiObject,
  type: PatchType,
  body: PatchBody,
): ApiObject | Failure | Promise<ApiObject | Failure> {
  const current = servedVersion(call, served, old);
  if (!(current instanceof Promise)) return patchedVersion(call, served, current, type, body);
  return current.then((converted) => patchedVersion(call, served, converted, type, body));
}

function patchedVersion(
  call: Call,
  served: Served,
  old: ApiObject | Failure,
  type: PatchType,
  body: PatchBody,
): ApiObject | Failure | Promise<ApiObject | Failure> {
  if (old instanceof Failure) return old;
  const current = old;
  const result = applied(served, current, type, body.value);
  if (!result.ok) return patchRefusal(result);
  if (typeof result.value !== "object" || result.value === null || Array.isArray(result.value)) {
    return badRequest("the patch does not leave an object");
  }
  const object = decodeObject(call, expectedOf(served), result.value as Record<string, unknown>, body.duplicates);
  if (object instanceof Failure) return object;
  served.kind.rules.defaults?.(object);
  const { name = "", namespace = "" } = object.metadata;
  if (name !== old.metadata.name) return otherName(name, old.metadata.name ?? "");
  const own = old.metadata.namespace ?? "";
  if (namespace !== own)
    return badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${own})`,
    );
  return storedVersion(call, served, call.parts.registry.storageServed(served), object);
}

/** What does not apply is refused in upstream's general words and with what happened; kubectl prints it only without causes. */
export function patchRefusal({ code, reason, message }: PatchProblem): Failure {
  if (code === 413) return requestTooLarge(message);
  if (code === 400) return badRequest(message);
  return new Failure(code, reason, `the server rejected our request due to an error in our request: ${message}`, {});
}

function applied(served: Served, current: ApiObject, type: PatchType, body: unknown): PatchResult {
  if (type === jsonPatch) return applyJsonPatch(current, body);
  if (type === strategicPatch) return applyStrategicMergePatch(served.schema, current, body);
  return applyMergePatch(current, body);
}
