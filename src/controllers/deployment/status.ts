import type { DeploymentCondition, DeploymentStatus } from "#api/generated/apps-v1.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import type { DeploymentView, ReplicaSetView } from "../views/workload.ts";
import { total, sizeOf, type Bounds } from "./observed.ts";

/** A condition to set: its times are found by comparing with the one that stands. */
export interface NewCondition {
  readonly type: "Available" | "Progressing" | "ReplicaFailure";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

export interface StatusInput {
  readonly deployment: DeploymentView;
  readonly newSet: ReplicaSetView | undefined;
  readonly oldSets: readonly ReplicaSetView[];
  readonly bounds: Bounds;
  readonly now: number;
  /** A Progressing condition that this pass has decided itself (created, found, create failed, paused, resumed). */
  readonly progressing: NewCondition | undefined;
  readonly collisionCount: number | undefined;
  /** The rollout, not only the count, is being followed. */
  readonly isRollout: boolean;
}

/** Progressing while a new set waits beside the one that a hold keeps. */
export const onHoldReason = "ReplicaSetOnHold";

/** `progressDeadlineSeconds` that means "no deadline" (the largest int32). */
const noDeadlineSeconds = 2_147_483_647;

/** The status as counted from the ReplicaSets, with its conditions. */
export function statusOf(input: StatusInput): DeploymentStatus {
  const counts = countsOf(input);
  const conditions = conditionsOf(input, counts);
  return { ...counts, ...(conditions.length === 0 ? {} : { conditions }) };
}

function countsOf({ deployment, newSet, oldSets, collisionCount }: StatusInput): DeploymentStatus {
  const all = newSet === undefined ? [...oldSets] : [...oldSets, newSet];
  const available = total(all, (set) => set.status.availableReplicas);
  const terminating = all.map((set) => set.status.terminatingReplicas);
  const counts = {
    replicas: total(all, (set) => set.status.replicas),
    updatedReplicas: newSet?.status.replicas ?? 0,
    readyReplicas: total(all, (set) => set.status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total(all, sizeOf) - available),
  };
  return {
    observedGeneration: deployment.generation,
    // Zero counts are left out, as the API writes them.
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    ...(terminating.every((count) => count !== undefined)
      ? { terminatingReplicas: terminating.reduce<number>((sum, count) => sum + (count ?? 0), 0) }
      : {}),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
}

function conditionsOf(input: StatusInput, counts: DeploymentStatus): DeploymentCondition[] {
  const { deployment, bounds, now } = input;
  const isAvailable = (counts.availableReplicas ?? 0) >= bounds.replicas - bounds.maxUnavailable;
  let conditions = [...(deployment.status.conditions ?? [])];
  conditions = setCondition(conditions, availability(isAvailable), now);
  const progressing = progressOf(input, counts);
  if (progressing === "remove") conditions = conditions.filter((condition) => condition.type !== "Progressing");
  else if (progressing !== undefined)
    conditions = setCondition(conditions, progressing.condition, now, progressing.touch);
  const failure = failureOf(input);
  if (failure === undefined) return conditions.filter((condition) => condition.type !== "ReplicaFailure");
  return setCondition(conditions, failure, now);
}

function availability(isAvailable: boolean): NewCondition {
  return isAvailable
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

function failureOf({ newSet, oldSets }: StatusInput): NewCondition | undefined {
  const sets = newSet === undefined ? oldSets : [newSet, ...oldSets];
  for (const set of sets) {
    const failure = set.status.conditions?.find(
      (condition) => condition.type === "ReplicaFailure" && condition.status === "True",
    );
    if (failure !== undefined) {
      return { type: "ReplicaFailure", status: "True", reason: failure.reason ?? "", message: failure.message ?? "" };
    }
  }
  return undefined;
}

type Progress = { readonly condition: NewCondition; readonly touch: boolean } | "remove" | undefined;

/** What Progressing is to say; `touch`: there was progress, so the deadline starts anew. Undefined: as it stands. */
function progressOf(input: StatusInput, counts: DeploymentStatus): Progress {
  const { deployment, newSet } = input;
  if (!hasDeadline(deployment))
    return isComplete(deployment, counts, input.bounds) ? { condition: completed(input), touch: false } : "remove";
  if (input.progressing !== undefined) return { condition: input.progressing, touch: true };
  if (!input.isRollout) return undefined;
  const current = deployment.status.conditions?.find((condition) => condition.type === "Progressing");
  // Once complete, pods that come and go are no rollout.
  const isAtRest =
    (counts.replicas ?? 0) === (counts.updatedReplicas ?? 0) && current?.reason === "NewReplicaSetAvailable";
  if (isAtRest) return undefined;
  if (isComplete(deployment, counts, input.bounds)) return { condition: completed(input), touch: false };
  const subject = newSet === undefined ? `Deployment "${deployment.name}"` : `ReplicaSet "${newSet.name}"`;
  if (hasProgressed(deployment.status, counts)) {
    const condition: NewCondition = {
      type: "Progressing",
      status: "True",
      reason: "ReplicaSetUpdated",
      message: `${subject} is progressing.`,
    };
    return { condition, touch: true };
  }
  if (current === undefined || !isOverdue(deployment, current, input.now)) return undefined;
  const message = `${subject} has timed out progressing.`;
  return {
    condition: { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message },
    touch: false,
  };
}

function completed({ deployment, newSet }: StatusInput): NewCondition {
  const subject = newSet === undefined ? `Deployment "${deployment.name}"` : `ReplicaSet "${newSet.name}"`;
  return {
    type: "Progressing",
    status: "True",
    reason: "NewReplicaSetAvailable",
    message: `${subject} has successfully progressed.`,
  };
}

export function isComplete(deployment: DeploymentView, counts: DeploymentStatus, bounds: Bounds): boolean {
  return (
    (counts.updatedReplicas ?? 0) === bounds.replicas &&
    (counts.replicas ?? 0) === bounds.replicas &&
    (counts.availableReplicas ?? 0) === bounds.replicas &&
    (counts.observedGeneration ?? 0) >= deployment.generation
  );
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function hasDeadline(deployment: DeploymentView): boolean {
  const deadline = deployment.spec.progressDeadlineSeconds;
  return deadline !== undefined && deadline !== noDeadlineSeconds;
}

function deadlineMs(deployment: DeploymentView, condition: DeploymentCondition): number {
  return (timeOf(condition.lastUpdateTime) ?? 0) + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;
}

function isOverdue(deployment: DeploymentView, condition: DeploymentCondition, now: number): boolean {
  if (condition.reason === "ProgressDeadlineExceeded") return true;
  if (condition.reason === "NewReplicaSetAvailable" || deployment.spec.paused === true) return false;
  // While a verdict is pending the deadline stands still.
  if (condition.reason === onHoldReason) return false;
  return deadlineMs(deployment, condition) < now;
}

/** Milliseconds until the progress deadline passes; undefined when none runs. */
export function untilDeadlineMs(deployment: DeploymentView, status: DeploymentStatus, now: number): number | undefined {
  if (!hasDeadline(deployment) || deployment.spec.paused === true) return undefined;
  const condition = status.conditions?.find((candidate) => candidate.type === "Progressing");
  if (condition === undefined || condition.status === "False") return undefined;
  if (condition.reason === "NewReplicaSetAvailable" || condition.reason === onHoldReason) return undefined;
  return Math.max(1, deadlineMs(deployment, condition) + 1000 - now);
}

function setCondition(
  conditions: DeploymentCondition[],
  wanted: NewCondition,
  now: number,
  touch = false,
): DeploymentCondition[] {
  const old = conditions.find((condition) => condition.type === wanted.type);
  const isSame = old !== undefined && old.status === wanted.status && old.reason === wanted.reason;
  if (isSame && !touch && isEqual(old.message, wanted.message)) return conditions;
  const stamp = timeText(now);
  const lastTransitionTime =
    old !== undefined && old.status === wanted.status ? (old.lastTransitionTime ?? stamp) : stamp;
  const condition: DeploymentCondition = { ...wanted, lastUpdateTime: stamp, lastTransitionTime };
  return [...conditions.filter((other) => other.type !== wanted.type), condition];
}
