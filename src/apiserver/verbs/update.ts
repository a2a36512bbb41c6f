import type { ApiObject, RuleContext } from "#api/kind.ts";
import { validateObject } from "#api/validate.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import type { Entry } from "#store/store.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { badRequest, conflict, Failure, invalid, notFound, otherName } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { conflictAttemptsMax } from "../limits.ts";
import { storedVersion } from "../objects/convert.ts";
import { readObject, readObjectInTurns } from "../objects/read-body.ts";
import { entryInVersion, valueInVersion } from "../objects/respond-converted.ts";
import { sameButRevision, type Encoded } from "../objects/stored.ts";
import type { Served } from "../registry.ts";
import { customErrors } from "../custom/validate.ts";
import { admissionRequest, admitMutating, admitValidating } from "./admit.ts";
import { commitDelete, commitPut, encodeBounded } from "./commit.ts";
import { countsGeneration, createdResponse, createObject, namespaceMismatch } from "./create.ts";
import { expectedOf } from "./expected.ts";
import { trackUpdate } from "./managers.ts";
import { isCreatedByPut, mayNotCreate, missingRevision } from "./update-strategy.ts";
import { writeOptions, type WriteOptions } from "./options.ts";
import { keepOwnersOnce } from "./owners.ts";
import { isLarge } from "../turns.ts";

/** PUT of an object or of one of its subresources that has the object's own kind (status, ephemeralcontainers, resize...). */
export async function update(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const options = writeOptions(call);
  if (options instanceof Failure) return options;
  let read: ApiObject | Failure | undefined = isLarge(call)
    ? checkedObject(call, served, await readObjectInTurns(call, expectedOf(served)))
    : objectToStore(call, served);
  if (read instanceof Failure) return read;
  const storage = call.parts.registry.storageServed(served);
  if (call.info.subresource === "" && isCreatedByPut(served) && !exists(call, served)) {
    const created = await createByPut(call, served, read, options);
    if (created !== undefined) return created;
    read = undefined;
  }
  const updated = await updateObject(call, served, options, () => {
    // An attempt makes something of its object, its precondition too: the next one begins with what was sent.
    const object = read ?? objectAgain(call, served);
    read = undefined;
    if (object instanceof Failure) return object;
    const unsaid = missingRevision(served, call.info.name, object.metadata.resourceVersion);
    return unsaid ?? storedVersion(call, served, storage, object);
  });
  return updatedResponse(call, served, updated);
}

/** The object in the body, which must be the one that the URL names. */
function objectToStore(call: Call, served: Served): ApiObject | Failure {
  return checkedObject(call, served, readObject(call, expectedOf(served)));
}

function checkedObject(call: Call, served: Served, object: ApiObject | Failure): ApiObject | Failure {
  if (object instanceof Failure) return object;
  served.kind.rules.defaults?.(object);
  const { name, namespace } = call.info;
  const { metadata } = object;
  if (metadata.name === undefined || metadata.name === "") metadata.name = name;
  if (metadata.name !== name) return otherName(metadata.name, name);
  if (metadata.namespace !== undefined && metadata.namespace !== "" && metadata.namespace !== namespace)
    return namespaceMismatch();
  return object;
}

/** The same once more; what reading it warns of has been said. */
function objectAgain(call: Call, served: Served): ApiObject | Failure {
  const { length } = call.warnings;
  const object = objectToStore(call, served);
  call.warnings.length = length;
  return object;
}

function exists(call: Call, served: Served): boolean {
  return call.parts.store.latest(keyOf(served.prefix, call.info.namespace, call.info.name)) !== undefined;
}

/** Undefined: somebody else was faster, and there is something to update. */
async function createByPut(
  call: Call,
  served: Served,
  object: ApiObject,
  options: WriteOptions,
): Promise<HttpResponse | Failure | undefined> {
  const { metadata } = object;
  if (metadata.uid !== undefined && metadata.uid !== "") {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: `;
    return conflict(served.resource, call.info.name, why);
  }
  const refusal = mayNotCreate(call);
  const refused = refusal instanceof Promise ? await refusal : refusal;
  if (refused !== undefined) return refused;
  delete metadata.resourceVersion;
  const created = await createObject(call, served, object, options);
  if (created instanceof Failure) return created.reason === "AlreadyExists" ? undefined : created;
  return createdResponse(call, served, created);
}

export function updatedResponse(
  call: Call,
  served: Served,
  updated: Updated | Failure,
): HttpResponse | Failure | Promise<HttpResponse | Failure> {
  if (updated instanceof Failure) return updated;
  if ("entry" in updated) return entryInVersion(call, served, 200, updated.entry);
  return valueInVersion(call, served, 200, updated.object);
}

export type Updated = { readonly entry: Entry } | { readonly object: ApiObject };

/** Makes the next state from the stored one, which it must not change. Called again when somebody else was faster. */
export type Transform = (old: ApiObject) => ApiObject | Failure | Promise<ApiObject | Failure>;

/** One run of an update against the state of the moment; undefined: somebody else was faster. */
type Attempt = Updated | Failure | undefined;

export interface UpdateSettings {
  /** What the reason's record calls it. */
  readonly verb?: string;
  /** The manager's entry was made by server-side apply already. */
  readonly managed?: boolean;
  readonly subresource?: string;
  /** A change that the server makes itself (a binding, a budget's count): no rules, no admission, no validation. */
  readonly direct?: boolean;
  readonly at?: { readonly namespace: string; readonly name: string };
}

/** Updates the object that the call names: judged, admitted, validated, stored against the state it was made from. */
export async function updateObject(
  call: Call,
  served: Served,
  options: WriteOptions,
  transform: Transform,
  settings: UpdateSettings = {},
): Promise<Updated | Failure> {
  const { namespace, name } = settings.at ?? call.info;
  const key = keyOf(served.prefix, namespace, name);
  for (let attempt = 1; attempt <= conflictAttemptsMax; attempt++) {
    const current = call.parts.store.latest(key);
    if (current === undefined) return notFound(served.resource, name);
    const result = await attemptUpdate(call, served, current, options, transform, settings);
    if (result !== undefined) return result;
  }
  return conflict(served.resource, name);
}

async function attemptUpdate(
  call: Call,
  served: Served,
  current: Entry,
  options: WriteOptions,
  transform: Transform,
  settings: UpdateSettings,
): Promise<Attempt> {
  const { timers } = call.parts;
  const giveTurns = isLarge(call, current);
  const old = call.parts.objects.decoded(current);
  if (giveTurns) await timers.yield();
  const made = transform(old);
  const object = made instanceof Promise ? await made : made;
  if (object instanceof Failure) return object;
  const subresource = settings.subresource ?? call.info.subresource;
  const problem = beforeUpdate(served, object, old, current);
  if (problem !== undefined) return problem;
  const context: RuleContext = {
    now: call.parts.clock.now(),
    subresource: subresource === "" ? undefined : subresource,
    user: call.user.name,
    requester: call.user,
  };
  const name = old.metadata.name ?? "";
  const dryRun = options.dryRun;
  const verb = settings.verb ?? "update";
  if (settings.direct === true) {
    const encoded = encodeBounded(object);
    return encoded instanceof Failure ? encoded : store(call, served, { current, old, object, encoded, dryRun, verb });
  }
  if (giveTurns) await timers.yield();
  prepareUpdate(served, object, old, context);
  keepOwnersOnce(call, object, false);
  if (settings.managed !== true) trackUpdate(call, served, old, object, options.fieldManager, subresource);
  if (giveTurns) await timers.yield();
  const request = admissionRequest(call, {
    operation: "UPDATE",
    served,
    subresource,
    namespace: old.metadata.namespace ?? "",
    name,
    object,
    oldObject: old,
    dryRun,
  });
  const refused = admitMutating(call, request);
  const mutationFailure = refused instanceof Promise ? await refused : refused;
  if (mutationFailure !== undefined) return mutationFailure;
  const admitted = request.object ?? object;
  keepOwnersOnce(call, admitted, true);
  const custom = customErrors(call.parts, served, admitted, old, subresource);
  const broken = custom instanceof Promise ? await custom : custom;
  const errors = [...validateObject(served.kind, admitted, old, context), ...broken];
  if (errors.length > 0) return invalid(served.resource.group, served.resource.kind, name, errors);
  if (giveTurns) await timers.yield();
  const encoded = encodeBounded(admitted);
  if (encoded instanceof Failure) return encoded;
  if (giveTurns) await timers.yield();
  // From here to the commit nobody else may come between: quotas are judged against what is stored.
  const refusal = admitValidating(call, request);
  const validationFailure = refusal instanceof Promise ? await refusal : refusal;
  if (validationFailure !== undefined) return validationFailure;
  call.warnings.push(...(served.kind.rules.warnings?.(admitted, old) ?? []));
  return store(call, served, { current, old, object: admitted, encoded, dryRun, verb });
}

interface StoreOrder {
  readonly current: Entry;
  readonly old: ApiObject;
  readonly object: ApiObject;
  readonly encoded: Encoded;
  readonly dryRun: boolean;
  readonly verb: string;
}

async function store(call: Call, served: Served, order: StoreOrder): Promise<Attempt> {
  const { current, old, object, encoded, dryRun, verb } = order;
  const expect = current.modified;
  if (isGone(object)) {
    if (dryRun) return { object };
    const outcome = await commitDelete(call, { served, key: current.key, verb, expect, old, last: object });
    if (outcome instanceof Failure) return outcome;
    return outcome.done ? { entry: outcome.entry } : undefined;
  }
  if (changesNothing(encoded.value, current.value, object, old)) return { entry: await visible(call, current) };
  if (dryRun) {
    object.metadata.resourceVersion = String(current.modified);
    return { object };
  }
  const outcome = await commitPut(call, { served, key: current.key, verb, object, old, expect, encoded });
  if (outcome instanceof Failure) return outcome;
  return outcome.done ? { entry: outcome.entry } : undefined;
}

/** Clients write maps back in another order (Go sorts their keys): the same content has the same length, and is compared as such. */
function changesNothing(encoded: Uint8Array, stored: Uint8Array, object: ApiObject, old: ApiObject): boolean {
  if (encoded.length !== stored.length) return false;
  if (sameButRevision(encoded, stored)) return true;
  const { resourceVersion: _revision, ...metadata } = object.metadata;
  const { resourceVersion: _oldRevision, ...oldMetadata } = old.metadata;
  return semanticallyEqual({ ...object, metadata }, { ...old, metadata: oldMetadata });
}

/** An answer that changes nothing must still not show what is not durable yet. */
async function visible(call: Call, entry: Entry): Promise<Entry> {
  if (call.parts.store.visible < entry.modified) await call.parts.hub.reached(entry.modified);
  return entry;
}

/** Invariant 9: a deleted object disappears exactly when its finalizers are empty and its grace is over. */
export function isGone(object: ApiObject): boolean {
  const { metadata } = object;
  if (metadata.deletionTimestamp === undefined || (metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false;
  if ((metadata.finalizers?.length ?? 0) > 0) return false;
  if (object.kind !== "Namespace" || object.apiVersion !== "v1") return true;
  const spec = object.spec as { finalizers?: string[] } | undefined;
  return (spec?.finalizers?.length ?? 0) === 0;
}

/** Preconditions, and what an update can never change. */
function beforeUpdate(served: Served, object: ApiObject, old: ApiObject, current: Entry): Failure | undefined {
  const { metadata } = object;
  const name = old.metadata.name ?? "";
  if (metadata.uid !== undefined && metadata.uid !== "" && metadata.uid !== old.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid ?? ""}`;
    return conflict(served.resource, name, why);
  }
  const revision = metadata.resourceVersion;
  if (revision !== undefined && revision !== "" && revision !== "0") {
    if (!/^[0-9]+$/.test(revision))
      return badRequest(`metadata.resourceVersion: Invalid value: ${JSON.stringify(revision)}: must be digits`);
    if (Number(revision) !== current.modified) return conflict(served.resource, name);
  }
  const owned = old.metadata;
  metadata.name = name;
  if (owned.namespace !== undefined) metadata.namespace = owned.namespace;
  if (owned.uid !== undefined) metadata.uid = owned.uid;
  if (owned.creationTimestamp !== undefined) metadata.creationTimestamp = owned.creationTimestamp;
  copyOrDelete(metadata, owned, "generateName");
  copyOrDelete(metadata, owned, "generation");
  // What is not being deleted is refused these by validation: a deletion is asked for as one.
  if (owned.deletionTimestamp !== undefined) {
    metadata.deletionTimestamp = owned.deletionTimestamp;
    metadata.deletionGracePeriodSeconds ??= owned.deletionGracePeriodSeconds ?? 0;
  }
  delete metadata.resourceVersion;
  delete metadata.selfLink;
  return undefined;
}

function copyOrDelete(
  metadata: ApiObject["metadata"],
  from: ApiObject["metadata"],
  field: keyof ApiObject["metadata"],
): void {
  const source = from as Record<string, unknown>;
  const target = metadata as Record<string, unknown>;
  if (source[field] === undefined) delete target[field];
  else target[field] = source[field];
}

/** Isolation of spec and status (invariant 10), then the kind's own rules, then the generation. */
function prepareUpdate(served: Served, object: ApiObject, old: ApiObject, context: RuleContext): void {
  const rules = served.kind.rules;
  if (rules.prepareUpdate !== undefined) rules.prepareUpdate(object, old, context);
  else isolate(served, object, old, context.subresource);
  if (
    context.subresource !== "status" &&
    countsGeneration(served) &&
    object.metadata.generation === old.metadata.generation
  ) {
    if (specChanged(served, object, old)) object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
}

/** For kinds without rules of their own: the main resource keeps the status, /status keeps all but status and metadata. */
function isolate(served: Served, object: ApiObject, old: ApiObject, subresource: string | undefined): void {
  const hasStatus = served.custom?.hasStatus ?? served.resource.subresources.some(({ name }) => name === "status");
  if (!hasStatus) return;
  if (subresource !== "status" && subresource !== "approval") {
    if (old.status === undefined) delete object.status;
    else object.status = old.status;
    return;
  }
  for (const field of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (field === "status" || field === "metadata") continue;
    if (old[field] === undefined) delete object[field];
    else object[field] = old[field];
  }
  if (served.custom !== undefined) {
    const { managedFields } = object.metadata;
    object.metadata = { ...old.metadata, ...(managedFields !== undefined && { managedFields }) };
    delete object.metadata.resourceVersion;
  }
}

function specChanged(served: Served, object: ApiObject, old: ApiObject): boolean {
  if (served.custom === undefined) return !semanticallyEqual(object.spec, old.spec);
  for (const field of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (field === "metadata" || (field === "status" && served.custom.hasStatus)) continue;
    if (!semanticallyEqual(object[field], old[field])) return true;
  }
  return false;
}
