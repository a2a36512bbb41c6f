import type { ApiObject } from "#api/kind.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import type { Eviction, PodDisruptionBudget } from "#api/generated/policy-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import { schemaOf } from "#api/schemas.ts";
import { selectorOfObject } from "#api/selectors.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { cloneValue } from "#codec/record.ts";
import { formatTime } from "#codec/time.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, conflict, Failure, notFound } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { conflictAttemptsMax } from "../limits.ts";
import { headBelow } from "../objects/pending.ts";
import { readObject, type Expected } from "../objects/read-body.ts";
import { valueResponse } from "../objects/respond.ts";
import type { Served } from "../registry.ts";
import { successStatus } from "../status.ts";
import { removeObject, type DeletionOptions } from "../verbs/delete.ts";
import { invalidOptions, readDryRun } from "../verbs/options.ts";
import { updateObject } from "../verbs/update.ts";

const expected: Expected = {
  apiVersion: "policy/v1",
  kind: "Eviction",
  schema: schemaOf("policy/v1.Eviction"),
  custom: false,
};

/** POST to pods/eviction: a deletion that the pod's disruption budget must allow. */
export async function evict(call: Call, served: Served): Promise<Outcome> {
  const body = readObject(call, expected);
  if (body instanceof Failure) return body;
  const eviction = body as ApiObject & Eviction;
  const { namespace, name } = call.info;
  if (eviction.metadata?.name !== undefined && eviction.metadata.name !== "" && eviction.metadata.name !== name) {
    return badRequest("name in URL does not match name in Eviction object");
  }
  const asked = eviction.deleteOptions;
  const errors = new FieldErrors();
  const dryRun = readDryRun(asked?.dryRun ?? call.info.query.getAll("dryRun"), errors);
  if (errors.list.length > 0) return invalidOptions("DeleteOptions", errors);

  let allowance: Allowance | Failure | undefined;
  let judgedUid: string | undefined;
  for (let attempt = 1; attempt <= conflictAttemptsMax; attempt++) {
    const entry = call.parts.store.latest(keyOf(served.prefix, namespace, name));
    if (entry === undefined) return notFound(served.resource, name);
    const pod = call.parts.objects.decoded(entry) as ApiObject & Pod;
    judgedUid ??= pod.metadata?.uid;
    // A disruption that was taken from the budget is not taken again because the pod's status moved meanwhile; a pod that another
    // budget protects by now is judged by that one.
    if (allowance === undefined || allowance instanceof Failure || !isStillHeld(call, pod, allowance))
      allowance = await allow(call, pod, dryRun);
    if (allowance instanceof Failure) return allowance;
    // The pod whose state was judged is the one that goes: its revision is pinned where health decided (k/k#142201).
    const pinned = asked?.preconditions?.resourceVersion ?? (allowance.judgedHealth ? revisionOf(pod) : undefined);
    const uid = asked?.preconditions?.uid ?? judgedUid;
    const isSamePod = pod.metadata?.uid === judgedUid;
    const mayRetry = allowance.judgedHealth && isSamePod && asked?.preconditions?.resourceVersion === undefined;
    const told = dryRun ? revisionOf(pod) : await announce(call, served, { uid, resourceVersion: pinned });
    if (told instanceof Failure && told.reason === "Conflict" && mayRetry) continue;
    if (told instanceof Failure) return told;
    const options: DeletionOptions = {
      gracePeriodSeconds: asked?.gracePeriodSeconds,
      propagation: asked?.propagationPolicy as DeletionOptions["propagation"],
      uid,
      resourceVersion: pinned === undefined ? undefined : told,
      dryRun,
    };
    const removed = await removeObject(call, served, { namespace, name }, options);
    if (removed instanceof Failure && removed.reason === "Conflict" && mayRetry) continue;
    if (removed instanceof Failure) return removed;
    return valueResponse(call, undefined, 201, successStatus({ code: 201 }));
  }
  return tooManyDisruptions("the pod changes too fast to be judged");
}

function revisionOf({ metadata }: ApiObject): string | undefined {
  return metadata.resourceVersion;
}

/**
 * Says in the pod's conditions that it is evicted, for whoever judges its end (a Job's failure policy); answers the revision that it
 * has then. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
 */
async function announce(
  call: Call,
  served: Served,
  judged: { readonly uid: string | undefined; readonly resourceVersion: string | undefined },
): Promise<string | undefined | Failure> {
  const { namespace, name } = call.info;
  const { uid, resourceVersion } = judged;
  const updated = await updateObject(
    call,
    served,
    { dryRun: false, fieldManager: "kube-apiserver", force: undefined },
    (old) => {
      if (uid !== undefined && old.metadata.uid !== uid) return conflict(served.resource, name);
      if (resourceVersion !== undefined && revisionOf(old) !== resourceVersion) return conflict(served.resource, name);
      const next = cloneValue(old) as ApiObject & Pod;
      if (old.metadata.deletionTimestamp !== undefined) return next;
      const others = (next.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionTarget");
      const evicted = {
        type: "DisruptionTarget",
        status: "True",
        reason: "EvictionByEvictionAPI",
        message: "Eviction API: evicting",
        lastProbeTime: null,
        lastTransitionTime: formatTime(call.parts.clock.now()),
      };
      next.status = { ...next.status, conditions: [...others, evicted as never] };
      return next;
    },
    { verb: "evict", direct: true, at: { namespace, name } },
  );
  if (updated instanceof Failure) return updated;
  return revisionOf("entry" in updated ? call.parts.objects.decoded(updated.entry) : updated.object);
}

interface Allowance {
  /** The pod's health was looked at: only a pod of that very revision may go. */
  readonly judgedHealth: boolean;
  /** Uid of the budget from which a disruption was taken. */
  readonly spentOf: string | undefined;
}

function isStillHeld(call: Call, pod: Pod, { spentOf }: Allowance): boolean {
  if (spentOf === undefined) return false;
  const budgets = budgetsOf(call, pod);
  return budgets.length === 0 || (budgets.length === 1 && budgets[0]?.metadata.uid === spentOf);
}

async function allow(call: Call, pod: ApiObject & Pod, dryRun: boolean): Promise<Allowance | Failure> {
  const phase = pod.status?.phase;
  const isOver = isTerminalPhase(phase) || pod.metadata?.deletionTimestamp !== undefined;
  if (isOver) return { judgedHealth: false, spentOf: undefined };
  // It costs nobody anything, as long as it has not started.
  if (phase === "Pending") return { judgedHealth: true, spentOf: undefined };
  const budgets = budgetsOf(call, pod);
  const budget = budgets[0];
  if (budget === undefined) return { judgedHealth: false, spentOf: undefined };
  if (budgets.length > 1) {
    return new Failure(
      500,
      "InternalError",
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  }
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  if (!isReady) {
    const { status, spec } = budget;
    const isHealthyBudget =
      (status?.currentHealthy ?? 0) >= (status?.desiredHealthy ?? 0) && (status?.desiredHealthy ?? 0) > 0;
    if (spec?.unhealthyPodEvictionPolicy === "AlwaysAllow" || isHealthyBudget)
      return { judgedHealth: true, spentOf: undefined };
  }
  const failure = await spend(call, budget, pod.metadata?.name ?? "", dryRun);
  return failure ?? { judgedHealth: true, spentOf: budget.metadata.uid };
}

function budgetsOf(call: Call, pod: Pod): (ApiObject & PodDisruptionBudget)[] {
  const served = call.parts.registry.find("policy/v1", "poddisruptionbudgets");
  if (served === undefined) return [];
  const prefix = `${served.prefix}${pod.metadata?.namespace ?? ""}/`;
  const found: (ApiObject & PodDisruptionBudget)[] = [];
  for (const entry of headBelow(call.parts.store, call.parts.pending, prefix)) {
    const budget = call.parts.objects.decoded(entry) as ApiObject & PodDisruptionBudget;
    if (selectorOfObject(budget.spec?.selector).matches(pod.metadata?.labels)) found.push(budget);
  }
  return found;
}

/** Takes one disruption from the budget, judged against its newest state inside the write. */
async function spend(
  call: Call,
  budget: ApiObject & PodDisruptionBudget,
  podName: string,
  dryRun: boolean,
): Promise<Failure | undefined> {
  const served = call.parts.registry.find("policy/v1", "poddisruptionbudgets")!;
  const at = { namespace: budget.metadata.namespace ?? "", name: budget.metadata.name ?? "" };
  const options = { dryRun, fieldManager: "kube-apiserver", force: undefined };
  const updated = await updateObject(
    call,
    served,
    options,
    (old) => {
      const next = cloneValue(old) as ApiObject & { status?: NonNullable<PodDisruptionBudget["status"]> };
      const status = next.status;
      if ((status?.observedGeneration ?? 0) < (old.metadata.generation ?? 0)) {
        return tooManyDisruptions(`The disruption budget ${at.name} is still being processed by the server.`, {
          retryAfterSeconds: 10,
        });
      }
      if (status === undefined || status.disruptionsAllowed <= 0) {
        const { desiredHealthy = 0, currentHealthy = 0 } = status ?? {};
        const message = `The disruption budget ${at.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
        return tooManyDisruptions(message);
      }
      status.disruptionsAllowed -= 1;
      status.disruptedPods = { ...status.disruptedPods, [podName]: formatTime(call.parts.clock.now()) };
      return next;
    },
    { verb: "evict", direct: true, at },
  );
  return updated instanceof Failure ? updated : undefined;
}

/**
 * Without a time to try again after: nobody knows when pods are healthy, and a client that is given one tries again by itself
 * instead of telling its user what it waits for.
 */
function tooManyDisruptions(message: string, more: { readonly retryAfterSeconds?: number } = {}): Failure {
  return new Failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: "DisruptionBudget", message }],
    ...more,
  });
}
