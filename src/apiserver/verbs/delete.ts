import type { ApiObject } from "#api/kind.ts";
import { schemaOf } from "#api/schemas.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { cloneValue } from "#codec/record.ts";
import { formatTime } from "#codec/time.ts";
import type { Entry } from "#store/store.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { badRequest, conflict, Failure, notFound } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { conflictAttemptsMax } from "../limits.ts";
import { decodeObject, readRaw } from "../objects/read-body.ts";
import { valueResponse } from "../objects/respond.ts";
import { entryInVersion, valueInVersion } from "../objects/respond-converted.ts";
import type { Served } from "../registry.ts";
import { successStatus } from "../status.ts";
import { admissionRequest, admitMutating, admitValidating } from "./admit.ts";
import { commitDelete, commitPut, encodeBounded } from "./commit.ts";
import { invalidOptions, readDryRun } from "./options.ts";
import { isGone } from "./update.ts";

const propagations = ["Foreground", "Background", "Orphan"] as const;
type Propagation = (typeof propagations)[number];

function isPropagation(policy: string): policy is Propagation {
  return propagations.some((known) => known === policy);
}

export interface DeletionOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: Propagation | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

/** DELETE of one object. */
export async function remove(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const options = deletionOptions(call);
  if (options instanceof Failure) return options;
  const { namespace, name } = call.info;
  const removed = await removeObject(call, served, { namespace, name }, options);
  if (removed instanceof Failure) return removed;
  if (!removed.gone || answersObject.has(served.resource.resource)) {
    if (removed.entry !== undefined) return entryInVersion(call, served, 200, removed.entry);
    return valueInVersion(call, served, 200, removed.object);
  }
  const { group, resource } = served.resource;
  const details = { name, ...(group !== "" && { group }), kind: resource, uid: removed.object.metadata.uid };
  return valueResponse(call, undefined, 200, successStatus({ details }));
}

/** Kinds whose deletion answers the deleted object rather than a Status, as upstream. */
const answersObject: ReadonlySet<string> = new Set([
  "persistentvolumes",
  "persistentvolumeclaims",
  "pods",
  "podtemplates",
  "resourcequotas",
  "serviceaccounts",
]);

/** Options of a deletion: from the body, else from the query. */
export function deletionOptions(call: Call): DeletionOptions | Failure {
  const query = call.info.query;
  const body = deletionBody(call);
  if (body instanceof Failure) return body;
  const errors = new FieldErrors();
  const dryRun = readDryRun((body.dryRun as string[] | undefined) ?? query.getAll("dryRun"), errors);
  const graceText = query.get("gracePeriodSeconds");
  const grace = (body.gracePeriodSeconds as number | undefined) ?? (graceText === null ? undefined : Number(graceText));
  if (grace !== undefined && !Number.isSafeInteger(grace))
    return badRequest("gracePeriodSeconds: Invalid value: must be an integer");
  const orphan = (body.orphanDependents as boolean | undefined) ?? parseBoolean(query.get("orphanDependents"));
  const policy = (body.propagationPolicy as string | undefined) ?? query.get("propagationPolicy") ?? undefined;
  if (orphan !== undefined && policy !== undefined)
    errors.invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set");
  if (policy !== undefined && !isPropagation(policy))
    errors.notSupported("propagationPolicy", policy, [...propagations, "nil"]);
  if (errors.list.length > 0 || (policy !== undefined && !isPropagation(policy)))
    return invalidOptions("DeleteOptions", errors);
  const preconditions = body.preconditions as { uid?: string; resourceVersion?: string } | undefined;
  return {
    gracePeriodSeconds: grace,
    propagation: policy ?? (orphan === undefined ? undefined : orphan ? "Orphan" : "Background"),
    uid: preconditions?.uid,
    resourceVersion: preconditions?.resourceVersion,
    dryRun,
  };
}

function parseBoolean(text: string | null): boolean | undefined {
  return text === null || text === "" ? undefined : text === "true" || text === "1";
}

function deletionBody(call: Call): Record<string, unknown> | Failure {
  if (call.request.body.length === 0) return {};
  const raw = readRaw(call, false);
  if (raw instanceof Failure) return raw;
  const { value } = raw;
  if (value.kind !== undefined && value.kind !== "DeleteOptions")
    return badRequest("decoded object cannot be converted to DeleteOptions");
  const apiVersion = typeof value.apiVersion === "string" && value.apiVersion !== "" ? value.apiVersion : "v1";
  const expected = { apiVersion, kind: "DeleteOptions", schema: schemaOf("meta/v1.DeleteOptions"), custom: false };
  return decodeObject(call, expected, value, raw.duplicates);
}

/** `gone`: the object left the store; otherwise it waits for its finalizers or its grace. */
export interface Removed {
  readonly gone: boolean;
  readonly object: ApiObject;
  readonly entry: Entry | undefined;
}

/** Deletes one object, or marks it for deletion. */
export async function removeObject(
  call: Call,
  served: Served,
  at: { readonly namespace: string; readonly name: string },
  options: DeletionOptions,
): Promise<Removed | Failure> {
  const key = keyOf(served.prefix, at.namespace, at.name);
  let isAdmitted = false;
  for (let attempt = 1; attempt <= conflictAttemptsMax; attempt++) {
    const current = call.parts.store.latest(key);
    if (current === undefined) return notFound(served.resource, at.name);
    const old = call.parts.objects.decoded(current);
    const unmet = checkPreconditions(served, old, options);
    if (unmet !== undefined) return unmet;
    if (!isAdmitted) {
      const refused = await admitDeletion(call, served, old, options.dryRun);
      if (refused !== undefined) return refused;
      isAdmitted = true;
      // Admission may have taken turns: look at the state of now.
      if (call.parts.store.latest(key) !== current) continue;
    }
    const result = await attemptRemove(call, served, current, old, options);
    if (result !== undefined) return result;
  }
  return conflict(served.resource, at.name);
}

function checkPreconditions(served: Served, old: ApiObject, options: DeletionOptions): Failure | undefined {
  const { uid, resourceVersion, name = "" } = old.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid ?? ""}`;
    return conflict(served.resource, name, why);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const asked = `ResourceVersion in precondition: ${options.resourceVersion}`;
    const why = `Precondition failed: ${asked}, ResourceVersion in object meta: ${resourceVersion ?? ""}`;
    return conflict(served.resource, name, why);
  }
  return undefined;
}

async function admitDeletion(
  call: Call,
  served: Served,
  old: ApiObject,
  dryRun: boolean,
): Promise<Failure | undefined> {
  const request = admissionRequest(call, {
    operation: "DELETE",
    served,
    subresource: "",
    namespace: old.metadata.namespace ?? "",
    name: old.metadata.name ?? "",
    object: undefined,
    oldObject: old,
    dryRun,
  });
  return (await admitMutating(call, request)) ?? (await admitValidating(call, request));
}

async function attemptRemove(
  call: Call,
  served: Served,
  current: Entry,
  old: ApiObject,
  options: DeletionOptions,
): Promise<Removed | Failure | undefined> {
  const next = markDeleted(call, served, old, options);
  const order = { served, key: current.key, verb: "delete", expect: current.modified, old };
  if (isGone(next)) {
    if (options.dryRun) return { gone: true, object: next, entry: undefined };
    const outcome = await commitDelete(call, { ...order, last: old });
    if (outcome instanceof Failure) return outcome;
    return outcome.done ? { gone: true, object: old, entry: outcome.entry } : undefined;
  }
  if (next === old) {
    if (call.parts.store.visible < current.modified) await call.parts.hub.reached(current.modified);
    return { gone: false, object: old, entry: current };
  }
  if (options.dryRun) return { gone: false, object: next, entry: undefined };
  const encoded = encodeBounded(next);
  if (encoded instanceof Failure) return encoded;
  const outcome = await commitPut(call, { ...order, object: next, encoded });
  if (outcome instanceof Failure) return outcome;
  return outcome.done ? { gone: false, object: next, entry: outcome.entry } : undefined;
}

/**
 * The object as its deletion leaves it: with a time, a grace and the finalizers of the asked propagation; `old` itself when
 * nothing changes.
 */
function markDeleted(call: Call, served: Served, old: ApiObject, options: DeletionOptions): ApiObject {
  const rules = served.kind.rules;
  const asked = options.gracePeriodSeconds;
  const grace = Math.max(
    rules.deletionGraceSeconds?.(old, asked === undefined ? undefined : Math.max(0, asked)) ?? 0,
    0,
  );
  const finalizers = finalizersFor(served, old, options.propagation);
  const isMarked = old.metadata.deletionTimestamp !== undefined;
  const oldGrace = old.metadata.deletionGracePeriodSeconds ?? 0;
  // A second deletion may only shorten the grace.
  const shortens = isMarked && grace < oldGrace && (asked !== undefined || grace === 0);
  const sameFinalizers = sameSet(finalizers, old.metadata.finalizers ?? []);
  if (isMarked && !shortens && sameFinalizers && !isGone(old)) return old;

  const next = cloneValue(old);
  delete next.metadata.resourceVersion;
  if (finalizers.length === 0) delete next.metadata.finalizers;
  else next.metadata.finalizers = finalizers;
  if (!isMarked || shortens) {
    const now = call.parts.clock.now();
    const from = isMarked ? Date.parse(old.metadata.deletionTimestamp!) - oldGrace * 1000 : now;
    next.metadata.deletionTimestamp = formatTime(Math.max(from, isMarked ? from : now) + grace * 1000);
    next.metadata.deletionGracePeriodSeconds = grace;
    if (!isMarked && (next.metadata.generation ?? 0) > 0)
      next.metadata.generation = (next.metadata.generation ?? 0) + 1;
  }
  if (next.kind === "Namespace" && next.apiVersion === "v1") {
    next.status = { ...(next.status as Record<string, unknown> | undefined), phase: "Terminating" };
  }
  return next;
}

/** `orphan` and `foregroundDeletion` as the asked, else the object's own, else the kind's propagation wants them. */
function finalizersFor(served: Served, old: ApiObject, asked: DeletionOptions["propagation"]): string[] {
  const present = old.metadata.finalizers ?? [];
  let orphan = asked === "Orphan";
  let foreground = asked === "Foreground";
  if (asked === undefined) {
    orphan = present.includes("orphan");
    foreground = present.includes("foregroundDeletion");
    if (!orphan && !foreground && old.metadata.deletionTimestamp === undefined) {
      orphan = served.kind.rules.defaultPropagation === "Orphan";
      foreground = served.kind.rules.defaultPropagation === "Foreground";
    }
  }
  const others = present.filter((finalizer) => finalizer !== "orphan" && finalizer !== "foregroundDeletion");
  if (orphan) others.push("orphan");
  if (foreground) others.push("foregroundDeletion");
  return others;
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item) => right.includes(item));
}
