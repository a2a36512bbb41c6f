import { generateName } from "#api/generate-name.ts";
import type { ApiObject, RuleContext } from "#api/kind.ts";
import { validateObject } from "#api/validate.ts";
import { cloneValue } from "#codec/record.ts";
import { formatTime } from "#codec/time.ts";
import type { Entry } from "#store/store.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { alreadyExists, badRequest, Failure, generateNameConflict, invalid } from "../failure.ts";
import { isSegment, keyOf } from "../keys.ts";
import { generateNameAttemptsMax } from "../limits.ts";
import { storedVersion } from "../objects/convert.ts";
import { readObject, readObjectInTurns } from "../objects/read-body.ts";
import { entryInVersion, valueInVersion } from "../objects/respond-converted.ts";
import type { Served } from "../registry.ts";
import { customErrors } from "../custom/validate.ts";
import { admissionRequest, admitMutating, admitValidating } from "./admit.ts";
import { commitPut, encodeBounded } from "./commit.ts";
import { trackUpdate } from "./managers.ts";
import { expectedOf } from "./expected.ts";
import { keepOwnersOnce } from "./owners.ts";
import { writeOptions, type WriteOptions } from "./options.ts";
import { isLarge } from "../turns.ts";

/** POST to a collection. */
export async function create(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const options = writeOptions(call);
  if (options instanceof Failure) return options;
  const expected = expectedOf(served);
  const object = isLarge(call) ? await readObjectInTurns(call, expected) : readObject(call, expected);
  if (object instanceof Failure) return object;
  served.kind.rules.defaults?.(object);
  const created = await createObject(call, served, object, options);
  return created instanceof Failure ? created : createdResponse(call, served, created);
}

/** 201 with what was stored, or would have been. */
export function createdResponse(
  call: Call,
  served: Served,
  created: Created,
): HttpResponse | Failure | Promise<HttpResponse | Failure> {
  if ("entry" in created) return entryInVersion(call, served, 201, created.entry);
  return valueInVersion(call, served, 201, created.object);
}

export interface CreateSettings {
  /** Server-side apply has made the entries of managedFields already. */
  readonly managed?: boolean;
}

export type Created = { readonly entry: Entry } | { readonly object: ApiObject };

/** Creates an object that has been decoded and defaulted; a dry run answers what would have been stored. */
export async function createObject(
  call: Call,
  served: Served,
  given: ApiObject,
  options: WriteOptions,
  settings: CreateSettings = {},
): Promise<Created | Failure> {
  const storage = call.parts.registry.storageServed(served);
  const attempts = given.metadata.name !== undefined && given.metadata.name !== "" ? 1 : generateNameAttemptsMax;
  for (let attempt = 1; ; attempt++) {
    // A generated name is tried on a fresh copy: admission may have made something of the first one.
    const object = attempts === 1 ? given : cloneValue(given);
    const inStorage = storedVersion(call, served, storage, object);
    const stored = inStorage instanceof Promise ? await inStorage : inStorage;
    if (stored instanceof Failure) return stored;
    const result = await attemptCreate(call, served, storage, stored, options, settings);
    if (!(result instanceof Failure) || result.reason !== "AlreadyExists") return result;
    if (attempts <= attempt)
      return attempts === 1 ? result : generateNameConflict(served.resource, result.details?.name ?? "");
  }
}

async function attemptCreate(
  call: Call,
  served: Served,
  storage: Served,
  object: ApiObject,
  options: WriteOptions,
  settings: CreateSettings,
): Promise<Created | Failure> {
  const { managedFields } = object.metadata;
  const { timers } = call.parts;
  const giveTurns = isLarge(call);
  const problem = beforeCreate(call, served, object);
  if (problem !== undefined) return problem;
  const { kind } = served;
  const namespace = object.metadata.namespace ?? "";
  const name = object.metadata.name ?? "";
  const context: RuleContext = {
    now: call.parts.clock.now(),
    subresource: undefined,
    user: call.user.name,
    requester: call.user,
  };
  kind.rules.prepareCreate?.(object, context);
  if (served.custom?.hasStatus === true) delete object.status;
  if (giveTurns) await timers.yield();
  keepOwnersOnce(call, object, false);
  if (settings.managed === true && managedFields !== undefined) object.metadata.managedFields = managedFields;
  else trackUpdate(call, served, undefined, object, options.fieldManager, "");
  if (giveTurns) await timers.yield();

  const request = admissionRequest(call, {
    operation: "CREATE",
    served,
    subresource: "",
    namespace,
    name,
    object,
    oldObject: undefined,
    dryRun: options.dryRun,
  });
  const refused = admitMutating(call, request);
  const mutationFailure = refused instanceof Promise ? await refused : refused;
  if (mutationFailure !== undefined) return mutationFailure;
  const admitted = request.object ?? object;
  keepOwnersOnce(call, admitted, true);
  kind.rules.defaults?.(admitted);
  kind.rules.completeCreate?.(admitted);

  const custom = customErrors(call.parts, served, admitted);
  const broken = custom instanceof Promise ? await custom : custom;
  const errors = [...validateObject(kind, admitted, undefined, context), ...broken];
  if (errors.length > 0) return invalid(served.resource.group, served.resource.kind, name, errors);
  if (!isSegment(name)) return badRequest(`the name ${JSON.stringify(name)} cannot stand in a path`);
  if (giveTurns) await timers.yield();
  const encoded = encodeBounded(admitted);
  if (encoded instanceof Failure) return encoded;
  if (giveTurns) await timers.yield();
  // From here to the commit nobody else may come between: quotas are judged against what is stored.
  const refusal = admitValidating(call, request);
  const validationFailure = refusal instanceof Promise ? await refusal : refusal;
  if (validationFailure !== undefined) return validationFailure;
  call.warnings.push(...(kind.rules.warnings?.(admitted, undefined) ?? []));

  const key = keyOf(storage.prefix, namespace, name);
  if (options.dryRun) {
    return call.parts.store.latest(key) === undefined ? { object: admitted } : alreadyExists(served.resource, name);
  }
  const outcome = await commitPut(call, {
    served,
    key,
    verb: "create",
    object: admitted,
    old: undefined,
    expect: 0,
    encoded,
  });
  if (outcome instanceof Failure) return outcome;
  return outcome.done ? { entry: outcome.entry } : alreadyExists(served.resource, name);
}

/** Sets what the server owns, as upstream does before a create. */
function beforeCreate(call: Call, served: Served, object: ApiObject): Failure | undefined {
  if (served.custom?.isTerminating === true) {
    const message = "create not allowed while custom resource definition is terminating";
    return new Failure(405, "MethodNotAllowed", message, {});
  }
  const { metadata } = object;
  if (served.resource.namespaced) {
    if (metadata.namespace === undefined || metadata.namespace === "") metadata.namespace = call.info.namespace;
    else if (metadata.namespace !== call.info.namespace) return namespaceMismatch();
    if (metadata.namespace === "") return badRequest("an empty namespace may not be set during creation");
  } else if (metadata.namespace !== undefined && metadata.namespace !== "") {
    return namespaceMismatch();
  }
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "" && metadata.resourceVersion !== "0") {
    return badRequest("resourceVersion should not be set on objects to be created");
  }
  if (
    (metadata.name === undefined || metadata.name === "") &&
    metadata.generateName !== undefined &&
    metadata.generateName !== ""
  ) {
    metadata.name = generateName(metadata.generateName, call.parts.random);
  }
  metadata.uid = call.parts.random.uuid();
  metadata.creationTimestamp = formatTime(call.parts.clock.now());
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.managedFields;
  delete metadata.resourceVersion;
  delete metadata.selfLink;
  if (countsGeneration(served)) metadata.generation = 1;
  else delete metadata.generation;
  return undefined;
}

export function namespaceMismatch(): Failure {
  return badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

/** Whether metadata.generation counts the changes of the spec. */
export function countsGeneration(served: Served): boolean {
  if (served.custom !== undefined) return true;
  return (
    served.kind.rules.countsGeneration ??
    served.resource.subresources.some((subresource) => subresource.name === "status")
  );
}
