import type { ApiObject } from "#api/kind.ts";
import { schemaOf } from "#api/schemas.ts";
import { formatLabels, formatLabelSelector } from "#api/selectors.ts";
import { cloneValue, isRecord } from "#codec/record.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, conflict, Failure, invalid, notFound, otherName } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { servedVersion, storedVersion } from "../objects/convert.ts";
import { decodeObject, readObject, type Expected } from "../objects/read-body.ts";
import { valueResponse } from "../objects/respond.ts";
import { applyJsonPatch } from "../patch/json-patch.ts";
import { applyMergePatch } from "../patch/merge-patch.ts";
import type { Served } from "../registry.ts";
import { writeOptions, type WriteOptions } from "../verbs/options.ts";
import { mergedObject, readConfiguration } from "../verbs/apply.ts";
import { patchRefusal, patchTypeOf, readPatchBody, type PatchBody } from "../verbs/patch.ts";
import { updateObject, type Transform, type UpdateSettings } from "../verbs/update.ts";
import type { Subresource } from "./all.ts";
import { shown } from "../objects/shown.ts";

const expected: Expected = {
  apiVersion: "autoscaling/v1",
  kind: "Scale",
  schema: schemaOf("autoscaling/v1.Scale"),
  custom: false,
};

/** The Scale of an object with replicas: read from it, written to it. */
export const scale: Subresource = { get: getScale, update: putScale, patch: patchScale };

function getScale(call: Call, served: Served): Outcome | Promise<Outcome> {
  const { namespace, name } = call.info;
  const entry = call.parts.store.snapshot().get(keyOf(served.prefix, namespace, name));
  if (entry === undefined) return notFound(served.resource, name);
  return inServedVersion(call, served, call.parts.objects.decoded(entry));
}

async function putScale(call: Call, served: Served): Promise<Outcome> {
  const options = writeOptions(call);
  if (options instanceof Failure) return options;
  const asked = readObject(call, expected);
  if (asked instanceof Failure) return asked;
  return write(call, served, options, () => asked);
}

async function patchScale(call: Call, served: Served): Promise<Outcome> {
  const type = patchTypeOf(call, served);
  if (type instanceof Failure) return type;
  const isApply = type === "application/apply-patch+yaml";
  const options = writeOptions(call, isApply);
  if (options instanceof Failure) return options;
  const body = readPatchBody(call, type);
  if (body instanceof Failure) return body;
  if (isApply) return applyScale(call, served, options, body);
  return write(call, served, options, (current) => {
    const isJson = type === "application/json-patch+json";
    const result = isJson ? applyJsonPatch(current, body.value) : applyMergePatch(current, body.value);
    if (!result.ok) return patchRefusal(result);
    if (!isRecord(result.value)) return badRequest("the patch does not leave an object");
    return decodeObject(call, expected, result.value, body.duplicates);
  });
}

/** The replicas that are applied are a field of the object itself, with owners as all of its fields have. */
function applyScale(call: Call, served: Served, options: WriteOptions, body: PatchBody): Outcome | Promise<Outcome> {
  const applied = readConfiguration(call, served, expected, body);
  if (applied instanceof Failure) return applied;
  const asked = { kind: "", apiVersion: "", metadata: {}, ...applied };
  const { apiVersion, resource } = served;
  const configuration: Record<string, unknown> = { kind: resource.kind, apiVersion, metadata: asked.metadata };
  const replicas = (applied.spec as { replicas?: number } | undefined)?.replicas;
  if (replicas !== undefined) setAt(configuration, specPath(served), replicas);
  return change(call, served, options, { verb: "apply", managed: true }, async (current) => {
    const problem = judge(served, current, asked);
    return problem ?? mergedObject(call, served, current, configuration, options);
  });
}

type NextScale = (current: ApiObject) => ApiObject | Failure;

function write(call: Call, served: Served, options: WriteOptions, next: NextScale): Promise<Outcome> {
  return change(call, served, options, { verb: call.info.verb }, (current) => {
    const object = cloneValue(current);
    const asked = next(scaleOf(served, object));
    if (asked instanceof Failure) return asked;
    const problem = judge(served, object, asked);
    if (problem !== undefined) return problem;
    setAt(object, specPath(served), replicasOf(asked));
    if (asked.metadata.resourceVersion !== undefined) object.metadata.resourceVersion = asked.metadata.resourceVersion;
    return object;
  });
}

/** Changes the object behind a Scale in the version that is asked for, and answers its new Scale. */
async function change(
  call: Call,
  served: Served,
  options: WriteOptions,
  settings: UpdateSettings,
  next: (current: ApiObject) => ApiObject | Failure | Promise<ApiObject | Failure>,
): Promise<Outcome> {
  const storage = call.parts.registry.storageServed(served);
  const transform: Transform = async (old) => {
    const current = await servedVersion(call, served, old);
    if (current instanceof Failure) return current;
    const object = await next(current);
    return object instanceof Failure ? object : storedVersion(call, served, storage, object);
  };
  const updated = await updateObject(call, served, options, transform, { ...settings, subresource: "scale" });
  if (updated instanceof Failure) return updated;
  const object = "entry" in updated ? call.parts.objects.decoded(updated.entry) : updated.object;
  return inServedVersion(call, served, object);
}

function inServedVersion(call: Call, served: Served, object: ApiObject): Outcome | Promise<Outcome> {
  const shown = servedVersion(call, served, object);
  const respond = (converted: ApiObject | Failure): Outcome =>
    converted instanceof Failure ? converted : scaleResponse(call, served, converted);
  return shown instanceof Promise ? shown.then(respond) : respond(shown);
}

function replicasOf(scaled: ApiObject): number {
  return ((scaled.spec as { replicas?: number } | undefined)?.replicas ?? 0) | 0;
}

function judge(served: Served, object: ApiObject, asked: ApiObject): Failure | undefined {
  const name = object.metadata.name ?? "";
  if (asked.metadata.name !== undefined && asked.metadata.name !== "" && asked.metadata.name !== name)
    return otherName(asked.metadata.name, name);
  if (asked.metadata.uid !== undefined && asked.metadata.uid !== "" && asked.metadata.uid !== object.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${asked.metadata.uid}, UID in object meta: ${object.metadata.uid ?? ""}`;
    return conflict(served.resource, name, why);
  }
  const replicas = replicasOf(asked);
  if (0 <= replicas) return undefined;
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  return invalid("autoscaling", "Scale", name, [{ field: "spec.replicas", reason: "FieldValueInvalid", message }]);
}

function scaleResponse(call: Call, served: Served, object: ApiObject): Outcome {
  const forScale = {
    ...served,
    resource: { ...served.resource, kind: "Scale" },
    schema: expected.schema,
    custom: undefined,
  };
  return valueResponse(call, forScale, 200, scaleOf(served, object));
}

function scaleOf(served: Served, object: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const metadata = { name, namespace, uid, resourceVersion, creationTimestamp };
  const selector = selectorText(served, object);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: withoutUndefined(metadata),
    spec: { replicas: Number(getAt(object, specPath(served)) ?? 0) },
    status: {
      replicas: Number(getAt(object, served.custom?.scale?.statusPath ?? "status.replicas") ?? 0),
      ...(selector !== "" && { selector }),
    },
  };
}

function withoutUndefined(metadata: Record<string, string | undefined>): ApiObject["metadata"] {
  return Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => value !== undefined),
  ) as ApiObject["metadata"];
}

function specPath(served: Served): string {
  return served.custom?.scale?.specPath ?? "spec.replicas";
}

function selectorText(served: Served, object: ApiObject): string {
  if (served.custom !== undefined) return shown(getAt(object, served.custom.scale?.selectorPath ?? "") ?? "");
  const selector = getAt(object, "spec.selector");
  if (!isRecord(selector)) return "";
  const isPlain = served.resource.kind === "ReplicationController";
  const text = isPlain ? formatLabels(selector as Record<string, string>) : formatLabelSelector(selector);
  return text === "<none>" ? "" : text;
}

/** The value at a path of field names (`spec.replicas`), as the scale paths of definitions allow them. */
function getAt(object: unknown, path: string): unknown {
  let value = object;
  for (const part of path.split(".").filter((text) => text !== "")) {
    if (!isRecord(value)) return undefined;
    value = value[part];
  }
  return path === "" ? undefined : value;
}

function setAt(object: Record<string, unknown>, path: string, value: unknown): void {
  const parts = path.split(".").filter((text) => text !== "");
  let at = object;
  for (const part of parts.slice(0, -1)) {
    const next = at[part];
    if (isRecord(next)) at = next;
    else at = at[part] = {};
  }
  at[parts.at(-1)!] = value;
}
