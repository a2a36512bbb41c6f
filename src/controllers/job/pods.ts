import { jobs, pods as podResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { PodTemplateSpec } from "#api/generated/core-v1.ts";
import type { CreateAction, DeleteAction, PatchAction } from "#reconcile/action.ts";
import { namedAfter, randomSuffix } from "#reconcile/canonical.ts";
import { limits } from "../limits.ts";
import { aboutOf, controllerReference } from "../ownership.ts";
import { podFromTemplate } from "../pod-template.ts";
import { inDeletionOrder } from "../replicaset/rank.ts";
import type { JobView } from "../views/batch.ts";
import type { PodView } from "../views/pod.ts";
import {
  indexFailures,
  indexFailuresKey,
  indexKey,
  indexOf,
  isIndexed,
  trackingFinalizer,
  type Count,
} from "./counting.ts";
import { judgeFailure } from "./failure-policy.ts";

const resource = podResource as Resource<unknown>;
const owner = jobs as Resource<unknown>;

/** Pods to create or delete now, and when to look again because of back-off. Milliseconds. */
export interface PodChanges {
  readonly actions: readonly (CreateAction | DeleteAction)[];
  readonly lookAgainMs?: number;
}

/** Brings the number of active pods to what parallelism and the open completions ask for. */
export function changePods(job: JobView, count: Count, now: number, ids: { float(): number }): PodChanges {
  const wanted = wantedActive(job, count);
  const surplus = count.active.length - wanted;
  const reason = `${count.active.length} of ${wanted} wanted pods are active, ${count.succeeded} succeeded, ${count.failed} failed`;
  if (surplus > 0)
    return { actions: deletePods(job, inDeletionOrder(count.active, [], now).slice(0, surplus), reason) };
  const replacedLate = job.spec.podReplacementPolicy === "Failed" || job.spec.podFailurePolicy !== undefined;
  const missing = Math.min(
    wanted - count.active.length - (replacedLate ? count.terminating.length : 0),
    limits.burstReplicasMax,
  );
  if (missing <= 0) return { actions: [] };
  const waitMs = backoffLeftMs(count.failures, now);
  if (waitMs > 0 && job.spec.backoffLimitPerIndex === undefined) return { actions: [], lookAgainMs: waitMs };
  if (!isIndexed(job))
    return { actions: Array.from({ length: missing }, () => createPod(job, undefined, 0, reason, ids)) };
  return createIndexed(job, count, missing, reason, now, ids);
}

function wantedActive(job: JobView, count: Count): number {
  const parallelism = job.spec.parallelism ?? 1;
  if (job.spec.completions === undefined)
    return count.succeeded > 0 ? Math.min(count.active.length, parallelism) : parallelism;
  return Math.max(0, Math.min(parallelism, job.spec.completions - count.succeeded - count.failedIndexes.size));
}

function createIndexed(
  job: JobView,
  count: Count,
  missing: number,
  reason: string,
  now: number,
  ids: { float(): number },
): PodChanges {
  const late = job.spec.podReplacementPolicy === "Failed" || job.spec.podFailurePolicy !== undefined;
  const taken = new Set([...count.active, ...(late ? count.terminating : [])].map(indexOf));
  const actions: CreateAction[] = [];
  let lookAgainMs = Number.POSITIVE_INFINITY;
  for (let index = 0; index < (job.spec.completions ?? 0) && actions.length < missing; index++) {
    if (taken.has(index) || count.completed.has(index) || count.failedIndexes.has(index)) continue;
    const earlier = count.failures.filter((pod) => indexOf(pod) === index);
    const waitMs = job.spec.backoffLimitPerIndex === undefined ? 0 : backoffLeftMs(earlier, now);
    if (waitMs > 0) {
      lookAgainMs = Math.min(lookAgainMs, waitMs);
      continue;
    }
    // A failure that the policy ignores is no failure of its index.
    const failures = Math.max(0, ...earlier.map((pod) => indexFailures(pod) + (isIgnored(job, pod) ? 0 : 1)));
    actions.push(createPod(job, index, failures, reason, ids));
  }
  return { actions, ...(Number.isFinite(lookAgainMs) ? { lookAgainMs } : {}) };
}

function isIgnored(job: JobView, pod: PodView): boolean {
  return pod.phase === "Failed" && judgeFailure(job.spec.podFailurePolicy, pod).action === "Ignore";
}

/** What is left of the back-off after the newest failure: 10 s, doubling with each failure, at most 10 min. */
function backoffLeftMs(failures: readonly PodView[], now: number): number {
  if (failures.length === 0) return 0;
  const newest = Math.max(...failures.map((pod) => pod.finishedMs || pod.readyChangedMs || pod.createdMs));
  const delayMs = Math.min(limits.jobBackoffMaxMs, limits.jobBackoffMs * 2 ** Math.min(failures.length - 1, 30));
  return newest + delayMs - now;
}

function createPod(
  job: JobView,
  index: number | undefined,
  failures: number,
  reason: string,
  ids: { float(): number },
): CreateAction {
  const generateName = index === undefined ? `${job.name}-` : `${job.name}-${index}-`;
  const name = namedAfter(
    generateName,
    randomSuffix(() => ids.float()),
  );
  const about = aboutOf(owner, job);
  const perIndex = job.spec.backoffLimitPerIndex !== undefined;
  const marks = index === undefined ? {} : { [indexKey]: String(index) };
  return {
    verb: "create",
    resource,
    namespace: job.namespace,
    object: podFromTemplate(index === undefined ? job.spec.template : withIndex(job, index), {
      namespace: job.namespace,
      name,
      generateName,
      owner: controllerReference(owner, job),
      ownerAnnotations: job.annotations,
      labels: {
        "batch.kubernetes.io/job-name": job.name,
        "batch.kubernetes.io/controller-uid": job.uid,
        "job-name": job.name,
        "controller-uid": job.uid,
        ...marks,
      },
      annotations: { ...marks, ...(perIndex && index !== undefined ? { [indexFailuresKey]: String(failures) } : {}) },
      finalizers: [trackingFinalizer],
    }),
    reason: index === undefined ? `${reason}: one more pod` : `${reason}: index ${index} has no pod`,
    event: { about, type: "Normal", eventReason: "SuccessfulCreate", message: `Created pod: ${name}` },
    failureEvent: { about, type: "Warning", eventReason: "FailedCreate", message: "Error creating: " },
  };
}

/** The template with the index as host name and environment variable. */
function withIndex(job: JobView, index: number): PodTemplateSpec {
  const { template } = job.spec;
  const variable = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${indexKey}']` } },
  };
  const given = (container: { env?: { name: string }[] }): boolean =>
    container.env?.some((other) => other.name === variable.name) === true;
  const extend = <C extends { env?: { name: string }[] }>(containers: readonly C[] | undefined): C[] | undefined =>
    containers?.map((container) =>
      given(container) ? container : { ...container, env: [...(container.env ?? []), variable] },
    );
  const spec = template.spec;
  if (spec === undefined) return template;
  const initContainers = extend(spec.initContainers);
  return {
    ...template,
    spec: {
      ...spec,
      hostname: `${job.name}-${index}`,
      containers: extend(spec.containers) ?? [],
      ...(initContainers === undefined ? {} : { initContainers }),
    },
  };
}

export function deletePods(job: JobView, doomed: readonly PodView[], reason: string): DeleteAction[] {
  const about = aboutOf(owner, job);
  return doomed.map((pod) => ({
    verb: "delete",
    resource,
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    reason,
    event: { about, type: "Normal", eventReason: "SuccessfulDelete", message: `Deleted pod: ${pod.name}` },
  }));
}

/** Lets pods go whose end is in the status. */
export function dropFinalizers(pods: readonly PodView[], reason: string): PatchAction[] {
  return pods
    .filter((pod) => pod.finalizers.includes(trackingFinalizer))
    .map((pod) => ({
      verb: "patch",
      resource,
      namespace: pod.namespace,
      name: pod.name,
      type: "merge",
      patch: { metadata: { uid: pod.uid, resourceVersion: pod.resourceVersion, finalizers: withoutTracking(pod) } },
      reason,
    }));
}

function withoutTracking(pod: PodView): readonly string[] | null {
  const rest = pod.finalizers.filter((finalizer) => finalizer !== trackingFinalizer);
  return rest.length === 0 ? null : rest;
}
