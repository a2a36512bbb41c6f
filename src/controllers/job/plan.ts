import { jobs, pods as podResource } from "#api/generated/resources.ts";
import type { Job, JobCondition, JobStatus } from "#api/generated/batch-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { PassContext, Plan } from "#reconcile/controller.ts";
import { timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import type { OwnedPods } from "../owned-objects.ts";
import { aboutOf, referenceOf, settleOwnership } from "../ownership.ts";
import { finishedAs, type JobView } from "../views/batch.ts";
import type { PodView } from "../views/pod.ts";
import { countPods, trackingFinalizer, type Count } from "./counting.ts";
import { changePods, deletePods, dropFinalizers } from "./pods.ts";
import { untilDeadlineMs, verdictOf, type Verdict } from "./verdict.ts";

export interface ObservedJob extends OwnedPods {
  readonly job: JobView;
}

const resource = jobs as Resource<unknown>;

/** One step of a Job: pods to their number, finished pods into the count, the end when it has come. */
export function planJob(observed: ObservedJob, context: PassContext, ids: { float(): number }): Plan | undefined {
  const { job } = observed;
  if (job.spec.managedBy !== undefined && job.spec.managedBy !== "kubernetes.io/job-controller") return undefined;
  const because = referenceOf(resource, job);
  if (finishedAs(job) !== undefined || job.deletionMs !== undefined) {
    return {
      actions: dropFinalizers(observed.owned, ended(job)),
      because,
    };
  }
  const { kept, handOvers } = settleOwnership(podResource as Resource<unknown>, resource, job, observed);
  if (handOvers.length > 0) return { actions: handOvers, because };
  return { ...step(job, kept, context, ids), because };
}

function step(job: JobView, pods: readonly PodView[], context: PassContext, ids: { float(): number }): Plan {
  const { now } = context;
  const count = countPods(job, pods);
  const verdict = verdictOf(job, count, now);
  const isSuspended = verdict === undefined && job.spec.suspend === true;
  const changes =
    verdict !== undefined
      ? { actions: deletePods(job, count.active, `the Job has ended: ${verdict.message}`) }
      : isSuspended
        ? { actions: deletePods(job, count.active, "the Job is suspended") }
        : changePods(job, count, now, ids);
  // The last word is only said when every pod has ended. It counts them all, and from then on nothing is counted.
  const isOver = verdict !== undefined && count.active.length + count.terminating.length === 0;
  const { status, events } = statusOf(job, count, verdict, { isOver, isSuspended }, now);
  const finalizers = dropFinalizers(
    isOver ? pods : count.accounted,
    isOver ? ended(job) : "the pod's end is noted in the status of its Job",
  );
  const isCountChanged = !isEqual(withoutActivity(status), withoutActivity(job.status));
  // What is only seen (active, ready) waits until the changes below were seen too; what counts is written first.
  // Most pods of a young Job run, or have even ended, a moment later: then what is in between is not worth a write.
  const firstMs = isSuspended || job.status.startTime !== undefined ? 0 : job.createdMs + limits.jobFirstStatusMs - now;
  const mayWait = (changes.actions.length > 0 || firstMs > 0) && !isCountChanged && context.refusal === undefined;
  const isWritten = !mayWait && !isEqual(status, job.status);
  const write = isWritten ? [updateStatus(job, status, events)] : [];
  const lookAgain = [
    untilDeadlineMs(job, now),
    "lookAgainMs" in changes ? changes.lookAgainMs : undefined,
    mayWait && firstMs > 0 ? firstMs : undefined,
  ].filter((wait) => wait !== undefined);
  return {
    actions: [...write, ...finalizers, ...changes.actions],
    ...(lookAgain.length === 0 || verdict !== undefined ? {} : { lookAgainMs: Math.max(1, Math.min(...lookAgain)) }),
  };
}

function ended(job: JobView): string {
  return `Job ${job.name} has ended: nothing is counted any more`;
}

function withoutActivity(status: JobStatus): JobStatus {
  const { active: _active, ready: _ready, terminating: _terminating, startTime: _start, ...rest } = status;
  const { uncountedTerminatedPods: noted, ...counts } = rest;
  // An empty note is no note.
  const isNoted = (noted?.succeeded?.length ?? 0) + (noted?.failed?.length ?? 0) > 0;
  return isNoted ? rest : counts;
}

function statusOf(
  job: JobView,
  count: Count,
  verdict: Verdict | undefined,
  { isOver, isSuspended }: { readonly isOver: boolean; readonly isSuspended: boolean },
  now: number,
): { status: JobStatus; events: EventText[] } {
  const stamp = timeText(now);
  const { conditions, events } = conditionsOf(job, verdict, isOver, isSuspended, now);
  const startTime = isSuspended ? undefined : (job.status.startTime ?? firstStart(job, now));
  const ready = count.active.filter((pod) => pod.ready).length;
  const status: JobStatus = {
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(isOver && verdict?.type === "Complete" ? { completionTime: stamp } : {}),
    ...(count.active.length === 0 ? {} : { active: count.active.length }),
    ...(isOver ? count.finalStatus : count.status),
    terminating: count.terminating.length,
    ready,
  };
  return { status, events };
}

/** A Job that was never suspended starts when it is made, whenever that is first written down. */
function firstStart(job: JobView, now: number): string {
  const wasSuspended = (job.status.conditions ?? []).some(({ type }) => type === "Suspended");
  const isYoung = now - job.createdMs < 2 * limits.jobFirstStatusMs;
  return timeText(!wasSuspended && isYoung ? Math.min(now, job.createdMs) : now);
}

function conditionsOf(
  job: JobView,
  verdict: Verdict | undefined,
  isOver: boolean,
  isSuspended: boolean,
  now: number,
): { conditions: JobCondition[]; events: EventText[] } {
  const stamp = timeText(now);
  const conditions = [...(job.status.conditions ?? [])];
  const events: EventText[] = [];
  const about = aboutOf(resource, job);
  const add = (type: string, reason: string, message: string): void => {
    conditions.push({ type, status: "True", reason, message, lastProbeTime: stamp, lastTransitionTime: stamp });
  };
  const suspended = conditions.findIndex((condition) => condition.type === "Suspended");
  const wasSuspended = suspended !== -1 && conditions[suspended]!.status === "True";
  if (verdict === undefined && isSuspended !== wasSuspended) {
    const condition: JobCondition = {
      type: "Suspended",
      status: isSuspended ? "True" : "False",
      reason: isSuspended ? "JobSuspended" : "JobResumed",
      message: isSuspended ? "Job suspended" : "Job resumed",
      lastProbeTime: stamp,
      lastTransitionTime: stamp,
    };
    conditions.splice(suspended === -1 ? conditions.length : suspended, suspended === -1 ? 0 : 1, condition);
    const eventReason = isSuspended ? "Suspended" : "Resumed";
    events.push({ about, type: "Normal", eventReason, message: condition.message ?? "" });
  }
  if (verdict === undefined) return { conditions, events };
  const { type, reason, message } = verdict;
  const first = type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
  if (!conditions.some((condition) => condition.type === first)) add(first, reason, message);
  if (isOver) {
    add(type, reason, message);
    events.push(
      type === "Complete"
        ? { about, type: "Normal", eventReason: "Completed", message: "Job completed" }
        : { about, type: "Warning", eventReason: reason, message },
    );
  }
  return { conditions, events };
}

function updateStatus(job: JobView, status: JobStatus, events: readonly EventText[]): Action {
  const { name, namespace, uid, resourceVersion } = job;
  const object: Job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace, uid, resourceVersion },
    spec: job.spec,
    status,
  };
  const [event] = events;
  return {
    verb: "update",
    resource,
    namespace,
    name,
    subresource: "status",
    object,
    reason: `${status.active ?? 0} pods are active, ${status.succeeded ?? 0} succeeded, ${status.failed ?? 0} failed`,
    ...(event === undefined ? {} : { event }),
  };
}

/** Pods of Jobs that are gone must not be held for ever. */
export function planOrphanedPods(pods: readonly PodView[]): Plan | undefined {
  const held = pods.filter((pod) => pod.finalizers.includes(trackingFinalizer));
  return held.length === 0
    ? undefined
    : { actions: dropFinalizers(held, "the Job of the pod does not exist any more") };
}
