import { onHoldAnnotation, type Hold } from "#api/apps/hold.ts";
import { deployments as deploymentResource, replicasets as replicaSetResource } from "#api/generated/resources.ts";
import type { Deployment, DeploymentCondition, DeploymentStatus } from "#api/generated/apps-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { PassContext, Plan } from "#reconcile/controller.ts";
import { aboutOf, referenceOf, settleOwnership } from "../ownership.ts";
import type { DeploymentView, ReplicaSetView } from "../views/workload.ts";
import { endHold, governingHold, heldActions, holdCondition } from "./held.ts";
import { annotations, boundsOf, isObserved, sizeOf, type Bounds, type ObservedDeployment } from "./observed.ts";
import {
  findNew,
  newSet as newSetObject,
  newSetAnnotations,
  newSetName,
  revisionOf,
  sizeAnnotations,
} from "./revisions.ts";
import { isResized, newSize, resizeAll, rollingStep, type Resize } from "./sizes.ts";
import { isComplete, statusOf, untilDeadlineMs, type NewCondition, type StatusInput } from "./status.ts";

const deployments = deploymentResource as Resource<unknown>;
const replicaSets = replicaSetResource as Resource<unknown>;

/** One step of a Deployment towards its template and size; never more than one kind of step, the rest follows what comes of it. */
export function planDeployment(observed: ObservedDeployment, context: PassContext): Plan {
  const { deployment } = observed;
  const because = referenceOf(deployments, deployment);
  const { kept, handOvers } = settleOwnership(replicaSets, deployments, deployment, observed);
  if (handOvers.length > 0) return { actions: handOvers, because };
  const newSet = findNew(deployment, kept);
  const oldSets = kept.filter((set) => set !== newSet);
  const step = stepOf(observed, newSet, oldSets, context);
  const status = statusOf({
    deployment,
    newSet,
    oldSets,
    bounds: boundsOf(deployment),
    now: context.now,
    progressing: step.progressing,
    collisionCount: step.collisionCount ?? deployment.status.collisionCount,
    isRollout: step.isRollout,
  });
  const actions = [...step.actions];
  // A write to the Deployment itself makes the judged revision old, and one to a set changes the counts again: the status
  // follows in the next pass. What a condition has to say of this pass is said now.
  const isMoved = actions.some(
    (action) => action.verb === "patch" && (action.resource === deployments || step.progressing === undefined),
  );
  if (!isMoved && !isEqual(status, deployment.status)) actions.push(updateStatus(deployment, status));
  else if (actions.length === 0) actions.push(...cleanUp(deployment, status, oldSets));
  const lookAgainMs = untilDeadlineMs(deployment, status, context.now);
  return { actions, because, ...(lookAgainMs === undefined ? {} : { lookAgainMs }) };
}

interface Step extends Partial<Pick<StatusInput, "progressing" | "collisionCount">> {
  readonly actions: readonly Action[];
  readonly progressing: NewCondition | undefined;
  readonly isRollout: boolean;
}

function stepOf(
  observed: ObservedDeployment,
  newSet: ReplicaSetView | undefined,
  oldSets: readonly ReplicaSetView[],
  context: PassContext,
): Step {
  const { deployment } = observed;
  const bounds = boundsOf(deployment);
  const all = newSet === undefined ? oldSets : [...oldSets, newSet];
  const isRolling = deployment.spec.strategy?.type !== "Recreate";
  if (deployment.deletionMs !== undefined) return { actions: [], progressing: undefined, isRollout: false };
  const hold = governingHold(deployment, all, newSet);
  if (hold !== undefined) return heldStep(observed, hold, newSet, oldSets, bounds, context);
  const released = endHold(newSet);
  if (released.length > 0) return { actions: released, progressing: undefined, isRollout: true };
  const pausing = pauseCondition(deployment);
  if (deployment.spec.paused === true) {
    const actions = resizeActions(deployment, resized(observed, newSet, oldSets, bounds), bounds);
    return { actions, progressing: pausing, isRollout: false };
  }
  if (isResized(all, bounds)) {
    const resizes = resized(observed, newSet, oldSets, bounds);
    const actions = resizeActions(deployment, resizes, bounds);
    // Sets that keep their size are marked as seen at the Deployment's new one, so that the update can go on.
    const touched = new Set<ReplicaSetView | undefined>(resizes.map((resize) => resize.replicaSet));
    for (const set of all)
      if (!touched.has(set) && sizeOf(set) > 0) actions.push(...mark(deployment, set, sizeAnnotations(bounds)));
    return { actions, progressing: pausing, isRollout: false };
  }
  if (newSet === undefined) return createStep(observed, oldSets, bounds, context, isRolling ? "rolling" : "recreate");
  const marks = followRevision(deployment, newSet, oldSets, bounds);
  const resizes = isRolling ? rollingStep(newSet, oldSets, bounds) : recreateStep(observed, newSet, oldSets, bounds);
  const condition = deployment.status.conditions?.find(({ type }) => type === "Progressing");
  const found: NewCondition = {
    type: "Progressing",
    status: "True",
    reason: "FoundNewReplicaSet",
    message: `Found new replica set "${newSet.name}"`,
  };
  const changed = new Set<ReplicaSetView | undefined>(resizes.map((resize) => resize.replicaSet));
  const actions = [
    ...marks.filter((mark) => !changed.has(mark.set)).map((mark) => mark.action),
    ...resizeActions(deployment, resizes, bounds),
  ];
  return { actions, progressing: pausing ?? (isAbout(condition, newSet) ? undefined : found), isRollout: true };
}

/** Whether the condition is of this rollout. A passed deadline outlives the set that passed it and must not be held against the next. */
function isAbout(condition: DeploymentCondition | undefined, newSet: ReplicaSetView): boolean {
  if (condition?.reason !== "ProgressDeadlineExceeded") return condition !== undefined;
  return condition.message?.startsWith(`ReplicaSet "${newSet.name}"`) === true;
}

/** One set stays whole, another comes beside it; nothing moves between templates. */
function heldStep(
  observed: ObservedDeployment,
  hold: Hold,
  newSet: ReplicaSetView | undefined,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
  context: PassContext,
): Step {
  const { deployment } = observed;
  if (newSet === undefined && deployment.spec.paused !== true)
    return createStep(observed, oldSets, bounds, context, "held");
  const all = newSet === undefined ? oldSets : [...oldSets, newSet];
  const actions = heldActions(deployment, hold, all, bounds);
  if (newSet === undefined || actions.length > 0) return { actions, progressing: undefined, isRollout: false };
  const marks = followRevision(deployment, newSet, oldSets, bounds).map(({ action }) => action);
  if (marks.length > 0) return { actions: marks, progressing: undefined, isRollout: false };
  return { actions: [], progressing: holdCondition(deployment, hold, newSet), isRollout: false };
}

/** The sets at the Deployment's new size; with strategy Recreate the new one waits for the last old pod here too. */
function resized(
  observed: ObservedDeployment,
  newSet: ReplicaSetView | undefined,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
): Resize[] {
  const isRolling = observed.deployment.spec.strategy?.type !== "Recreate";
  const resizes = resizeAll(newSet, oldSets, bounds, isRolling);
  if (isRolling || !oldPodsExist(observed, oldSets)) return resizes;
  return resizes.filter(({ replicaSet, size }) => replicaSet !== newSet || size < sizeOf(replicaSet));
}

/** Old pods must be gone before the first new one is made. */
function recreateStep(
  observed: ObservedDeployment,
  newSet: ReplicaSetView | undefined,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
): Resize[] {
  const active = oldSets.filter((set) => sizeOf(set) > 0);
  if (active.length > 0) {
    const reason = "strategy Recreate: old pods go before new ones come";
    return active.map((replicaSet) => ({ replicaSet, size: 0, reason }));
  }
  if (newSet === undefined || sizeOf(newSet) === bounds.replicas || oldPodsExist(observed, oldSets)) return [];
  return [{ replicaSet: newSet, size: bounds.replicas, reason: "strategy Recreate: no old pod is left" }];
}

function oldPodsExist(observed: ObservedDeployment, oldSets: readonly ReplicaSetView[]): boolean {
  return oldSets.some((set) => !isObserved(set) || set.status.replicas > 0 || observed.unfinishedPods(set.uid) > 0);
}

function createStep(
  observed: ObservedDeployment,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
  context: PassContext,
  how: "rolling" | "recreate" | "held",
): Step {
  const { deployment } = observed;
  if (how === "recreate") {
    const resizes = recreateStep(observed, undefined, oldSets, bounds);
    const wait = resizes.length > 0 || oldPodsExist(observed, oldSets);
    if (wait) return { actions: resizeActions(deployment, resizes, bounds), progressing: undefined, isRollout: true };
  } else if (how === "rolling" && !oldSets.every(isObserved))
    return { actions: [], progressing: undefined, isRollout: true };
  const { name } = newSetName(deployment);
  const other = observed.replicaSetNamed(name);
  if (other !== undefined && other.deletionMs === undefined && other.controller?.uid === deployment.uid) {
    return collision(deployment, name, "another template has the same hash");
  }
  if (other !== undefined && other.controller?.uid !== deployment.uid)
    return collision(deployment, name, "the name is taken by another owner");
  const size = how === "held" ? 0 : newSize(undefined, oldSets, bounds, how === "recreate");
  const about = aboutOf(deployments, deployment);
  const create: Action = {
    verb: "create",
    resource: replicaSets,
    namespace: deployment.namespace,
    object: newSetObject(deployment, oldSets, bounds, size, how === "held" ? { [onHoldAnnotation]: "true" } : {}),
    reason: `no ReplicaSet has the current template; ${name} starts with ${size} of ${bounds.replicas}`,
    ...(size === 0 ? {} : { event: scaled(about, "up", name, 0, size) }),
    failureEvent: {
      about,
      type: "Warning",
      eventReason: "ReplicaSetCreateError",
      message: `Failed to create new replica set "${name}": `,
    },
  };
  const revision = String(Math.max(0, ...oldSets.map(revisionOf)) + 1);
  const actions = [create, ...annotateRevision(deployment, revision)];
  const { refusal } = context;
  const progressing: NewCondition =
    refusal === undefined
      ? {
          type: "Progressing",
          status: "True",
          reason: "NewReplicaSetCreated",
          message: `Created new replica set "${name}"`,
        }
      : {
          type: "Progressing",
          status: "False",
          reason: "ReplicaSetCreateError",
          message: `Failed to create new replica set "${name}": ${refusal.message}`,
        };
  // A refused create must not keep the status from saying so.
  if (refusal !== undefined && !hasFailure(deployment, progressing))
    return { actions: [], progressing, isRollout: true };
  return { actions, progressing: refusal === undefined ? progressing : undefined, isRollout: true };
}

function hasFailure(deployment: DeploymentView, wanted: NewCondition): boolean {
  const current = deployment.status.conditions?.find((condition) => condition.type === "Progressing");
  return current?.reason === wanted.reason && current.message === wanted.message;
}

/** The name for the new set is taken: another hash is tried once the status says so. */
function collision(deployment: DeploymentView, name: string, why: string): Step {
  const collisionCount = (deployment.status.collisionCount ?? 0) + 1;
  const condition: NewCondition = {
    type: "Progressing",
    status: "True",
    reason: "NewReplicaSetCreated",
    message: `Replica set name "${name}" is taken (${why}); trying another`,
  };
  return { actions: [], progressing: condition, isRollout: true, collisionCount };
}

/** The new set carries the highest revision, the Deployment's annotations and bounds; the Deployment shows the revision. */
function followRevision(
  deployment: DeploymentView,
  newSet: ReplicaSetView,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
): { readonly set: ReplicaSetView | undefined; readonly action: Action }[] {
  const wanted = newSetAnnotations(deployment, newSet.annotations, oldSets);
  const marks = mark(deployment, newSet, { ...wanted, ...sizeAnnotations(bounds) });
  const revision = wanted[annotations.revision] ?? "1";
  return [
    ...marks.map((action) => ({ set: newSet, action })),
    ...annotateRevision(deployment, revision).map((action) => ({ set: undefined, action })),
  ];
}

/** Brings a set's annotations (and minReadySeconds) to what they should be; nothing when they are. */
function mark(deployment: DeploymentView, set: ReplicaSetView, wanted: Readonly<Record<string, string>>): Action[] {
  const changed = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => set.annotations[key] !== value));
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  const isReadyChanged =
    wanted[annotations.revision] !== undefined && (set.spec.minReadySeconds ?? 0) !== minReadySeconds;
  if (Object.keys(changed).length === 0 && !isReadyChanged) return [];
  return [
    {
      verb: "patch",
      resource: replicaSets,
      namespace: set.namespace,
      name: set.name,
      type: "merge",
      patch: {
        metadata: { uid: set.uid, resourceVersion: set.resourceVersion, annotations: changed },
        ...(isReadyChanged ? { spec: { minReadySeconds } } : {}),
      },
      reason: `ReplicaSet ${set.name} follows the annotations of the Deployment: ${Object.keys(changed).join(", ")}`,
    },
  ];
}

function annotateRevision(deployment: DeploymentView, revision: string): Action[] {
  if (deployment.annotations[annotations.revision] === revision) return [];
  return [
    {
      verb: "patch",
      resource: deployments,
      namespace: deployment.namespace,
      name: deployment.name,
      type: "merge",
      patch: { metadata: { uid: deployment.uid, annotations: { [annotations.revision]: revision } } },
      reason: `the current template is revision ${revision}`,
    },
  ];
}

function resizeActions(deployment: DeploymentView, resizes: readonly Resize[], bounds: Bounds): Action[] {
  const about = aboutOf(deployments, deployment);
  return resizes.map(({ replicaSet, size, reason }) => ({
    verb: "patch" as const,
    resource: replicaSets,
    namespace: replicaSet.namespace,
    name: replicaSet.name,
    type: "merge" as const,
    patch: {
      metadata: {
        uid: replicaSet.uid,
        resourceVersion: replicaSet.resourceVersion,
        annotations: sizeAnnotations(bounds),
      },
      spec: { replicas: size },
    },
    reason,
    event: scaled(about, size > sizeOf(replicaSet) ? "up" : "down", replicaSet.name, sizeOf(replicaSet), size),
  }));
}

function scaled(
  about: EventText["about"],
  direction: "up" | "down",
  name: string,
  from: number,
  to: number,
): EventText {
  const message = `Scaled ${direction} replica set ${name} from ${from} to ${to}`;
  return { about, type: "Normal", eventReason: "ScalingReplicaSet", message };
}

/** Progressing while paused, and when it goes on; undefined when nothing about it is new. */
function pauseCondition(deployment: DeploymentView): NewCondition | undefined {
  const current = deployment.status.conditions?.find((condition) => condition.type === "Progressing");
  if (current?.reason === "ProgressDeadlineExceeded" || deployment.spec.progressDeadlineSeconds === undefined)
    return undefined;
  if (deployment.spec.paused === true) {
    if (current?.reason === "DeploymentPaused") return undefined;
    return { type: "Progressing", status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" };
  }
  if (current?.reason !== "DeploymentPaused") return undefined;
  return { type: "Progressing", status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" };
}

/** Deletes empty old sets beyond the history limit, lowest revision first. */
function cleanUp(deployment: DeploymentView, status: DeploymentStatus, oldSets: readonly ReplicaSetView[]): Action[] {
  const limit = deployment.spec.revisionHistoryLimit;
  if (
    limit === undefined ||
    deployment.deletionMs !== undefined ||
    !isComplete(deployment, status, boundsOf(deployment))
  )
    return [];
  const empty = oldSets.filter(
    (set) => set.deletionMs === undefined && sizeOf(set) === 0 && set.status.replicas === 0 && isObserved(set),
  );
  const surplus = oldSets.filter((set) => set.deletionMs === undefined).length - limit;
  const oldest = [...empty].sort((a, b) => revisionOf(a) - revisionOf(b) || a.createdMs - b.createdMs);
  return oldest.slice(0, Math.max(0, surplus)).map((set) => ({
    verb: "delete",
    resource: replicaSets,
    namespace: set.namespace,
    name: set.name,
    uid: set.uid,
    resourceVersion: set.resourceVersion,
    propagation: "Background",
    reason: `${oldSets.length} old ReplicaSets exist and the history keeps ${limit}`,
  }));
}

function updateStatus(deployment: DeploymentView, status: DeploymentStatus): Action {
  const { name, namespace, uid, resourceVersion } = deployment;
  const object: Deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, uid, resourceVersion },
    spec: deployment.spec,
    status,
  };
  return {
    verb: "update",
    resource: deployments,
    namespace,
    name,
    subresource: "status",
    object,
    reason: `counted ${status.replicas ?? 0} replicas, ${status.updatedReplicas ?? 0} updated, ${status.availableReplicas ?? 0} available`,
  };
}
