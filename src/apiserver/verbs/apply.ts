import type { ApiObject } from "#api/kind.ts";
import { allAtOnce } from "#base/steps.ts";
import { decode } from "#codec/decode.ts";
import { isRecord } from "#codec/record.ts";
import type { HttpResponse } from "#world/http.ts";
import { applySteps, untyped } from "../apply/apply.ts";
import type { Call } from "../call.ts";
import { badRequest, conflict, Failure, notFound, otherName } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { conflictAttemptsMax } from "../limits.ts";
import { servedVersion, storedVersion } from "../objects/convert.ts";
import { otherVersions } from "../objects/other-versions.ts";
import { decodeObject, type Expected } from "../objects/read-body.ts";
import type { Served } from "../registry.ts";
import { createdResponse, createObject } from "./create.ts";
import { expectedOf } from "./expected.ts";
import type { WriteOptions } from "./options.ts";
import type { PatchBody } from "./patch.ts";
import { inTurns, isLarge } from "../turns.ts";
import { mayNotCreate } from "./update-strategy.ts";
import { updatedResponse, updateObject } from "./update.ts";
import { shown } from "../objects/shown.ts";

/** Server-side apply: creates what is not there, else merges by ownership of fields. */
export async function applyPatch(
  call: Call,
  served: Served,
  body: PatchBody,
  options: WriteOptions,
): Promise<HttpResponse | Failure> {
  const applied = readConfiguration(call, served, expectedOf(served), body);
  if (applied instanceof Failure) return applied;
  if (isLarge(call)) await call.parts.timers.yield();
  const { namespace, name } = call.info;
  for (let attempt = 1; attempt <= conflictAttemptsMax; attempt++) {
    const exists = call.parts.store.latest(keyOf(served.prefix, namespace, name)) !== undefined;
    const result = exists
      ? await applyToStored(call, served, applied, options)
      : await applyNew(call, served, applied, options);
    const isRace = result instanceof Failure && (exists ? result.code === 404 : result.reason === "AlreadyExists");
    if (!isRace) return result;
  }
  return conflict(served.resource, name);
}

/** What an apply gives, and no more: no defaults, no zeros. Unknown fields could have no owner and are refused, as upstream. */
export function readConfiguration(
  call: Call,
  served: Served,
  expected: Expected,
  { value, duplicates }: PatchBody,
): Record<string, unknown> | Failure {
  if (!isRecord(value)) return badRequest("error decoding patch: the configuration is not an object");
  const problem = configurationProblem(call, served, expected, value);
  if (problem !== undefined) return problem;
  const { object, unknownFields } = decode(expected.schema, value, { defaults: false, sparse: true });
  if (unknownFields.length > 0) {
    const errors = unknownFields.map((field) => `.${field}: field not declared in schema`);
    return badRequest(untyped(object, errors));
  }
  const judged = decodeObject(call, expected, { ...value }, duplicates);
  return judged instanceof Failure ? judged : object;
}

function configurationProblem(
  call: Call,
  served: Served,
  expected: Expected,
  value: Record<string, unknown>,
): Failure | undefined {
  const { namespace, name } = call.info;
  const given = shown(value.apiVersion ?? "");
  if (given !== expected.apiVersion) {
    const versions = `Specified patch version: ${given}, expected: ${expected.apiVersion}`;
    return badRequest(`Incorrect version specified in apply patch. ${versions}`);
  }
  const metadata = isRecord(value.metadata) ? value.metadata : {};
  if (metadata.name !== undefined && metadata.name !== name) return otherName(shown(metadata.name), name);
  if (served.resource.namespaced && metadata.namespace !== undefined && metadata.namespace !== namespace) {
    return badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return undefined;
}

async function applyToStored(
  call: Call,
  served: Served,
  applied: Record<string, unknown>,
  options: WriteOptions,
): Promise<HttpResponse | Failure> {
  const storage = call.parts.registry.storageServed(served);
  const updated = await updateObject(
    call,
    served,
    options,
    async (old) => {
      const current = await servedVersion(call, served, old);
      if (current instanceof Failure) return current;
      const merged = await mergedObject(call, served, current, applied, options);
      return merged instanceof Failure ? merged : storedVersion(call, served, storage, merged);
    },
    { verb: "apply", managed: true },
  );
  return updatedResponse(call, served, updated);
}

async function applyNew(
  call: Call,
  served: Served,
  applied: Record<string, unknown>,
  options: WriteOptions,
): Promise<HttpResponse | Failure> {
  const { name, subresource } = call.info;
  if (subresource !== "") return notFound(served.resource, name);
  const metadata = applied.metadata as ApiObject["metadata"] | undefined;
  if (metadata?.uid !== undefined && metadata.uid !== "") {
    return conflict(
      served.resource,
      name,
      `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`,
    );
  }
  const refusal = mayNotCreate(call);
  const refused = refusal instanceof Promise ? await refusal : refusal;
  if (refused !== undefined) return refused;
  const merged = await mergedObject(call, served, undefined, applied, options);
  if (merged instanceof Failure) return merged;
  merged.metadata.name = name;
  const created = await createObject(call, served, merged, options, { managed: true });
  return created instanceof Failure ? created : createdResponse(call, served, created);
}

/** The configuration over the live object, with defaults, its new owners in managedFields. */
export async function mergedObject(
  call: Call,
  served: Served,
  live: ApiObject | undefined,
  applied: Record<string, unknown>,
  options: WriteOptions,
): Promise<ApiObject | Failure> {
  const steps = applySteps({
    schema: served.schema,
    live,
    applied,
    manager: options.fieldManager,
    force: options.force === true,
    subresource: call.info.subresource,
    apiVersion: served.apiVersion,
    time: call.parts.clock.now(),
    ...otherVersions(call.parts.registry, served),
  });
  const key = keyOf(served.prefix, call.info.namespace, call.info.name);
  const giveTurns = isLarge(call, call.parts.store.latest(key));
  const result = giveTurns ? await inTurns(steps, call.parts.timers) : allAtOnce(steps);
  if (!result.ok) {
    if (result.code === 400) return badRequest(result.message);
    return new Failure(409, "Conflict", result.message, { causes: result.conflicts });
  }
  if (giveTurns) await call.parts.timers.yield();
  const merged = decode(served.schema, result.object, { defaults: true });
  const object = merged.object as ApiObject;
  served.kind.rules.defaults?.(object);
  return object;
}
