import { pods as podResource, statefulsets } from "#api/generated/resources.ts";
import type { StatefulSet, StatefulSetStatus } from "#api/generated/apps-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { PassContext, Plan } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import type { Owned, OwnedPods } from "../owned-objects.ts";
import { referenceOf, settleOwnership } from "../ownership.ts";
import { planCleanUp, planHistory, revisionLabel } from "../revision-history.ts";
import { availableInMs, isAvailable, isFinished, type PodView } from "../views/pod.ts";
import type { RevisionView, StatefulSetView } from "../views/workload.ts";
import { ordinalOf } from "./identity.ts";
import { nextSteps, wantedOf } from "./steps.ts";

export interface ObservedStatefulSet extends OwnedPods {
  readonly set: StatefulSetView;
  /** Milliseconds until a finished pod may be replaced. */
  readonly untilReplacedMs: (pod: PodView) => number;
  readonly revisions: Owned<RevisionView>;
  readonly revisionNamed: (name: string) => RevisionView | undefined;
  readonly claimNamed: (name: string) => ObjectView | undefined;
}

const resource = statefulsets as Resource<unknown>;
const pods = podResource as Resource<unknown>;

/** Keeps pods with stable names and claims, in order unless told otherwise, and moves them to the current template. */
export function planStatefulSet(observed: ObservedStatefulSet, context: PassContext): Plan {
  const { set } = observed;
  const because = referenceOf(resource, set);
  const orphans = observed.orphans.filter((pod) => ordinalOf(set, pod) >= 0);
  const { kept, handOvers } = settleOwnership(pods, resource, set, { ...observed, orphans });
  if (handOvers.length > 0) return { actions: handOvers, because };
  const history = planHistory({
    ownerResource: resource,
    owner: set,
    template: set.spec.template,
    collisionCount: set.status.collisionCount ?? 0,
    revisions: observed.revisions,
    named: observed.revisionNamed,
    countCollisions: (collisionCount) =>
      updateStatus(set, { ...set.status, collisionCount }, "the name of its revision is taken"),
  });
  if (history.actions.length > 0 || history.update === undefined) return { actions: history.actions, because };
  const { update } = history;
  const current = history.sorted.find((revision) => revision.name === set.status.currentRevision) ?? update;
  const { claimNamed, untilReplacedMs } = observed;
  const input = { set, pods: kept, current, update, claimNamed, untilReplacedMs, now: context.now };
  const steps = set.deletionMs === undefined ? nextSteps(input) : [];
  const status = statusOf(set, kept, current, update, context.now);
  const actions: Action[] = [];
  if (
    !isEqual(status, set.status) &&
    (steps.length === 0 || context.refusal !== undefined || set.status.currentRevision === undefined)
  ) {
    actions.push(updateStatus(set, status, `counted ${status.replicas} replicas, ${status.readyReplicas ?? 0} ready`));
  }
  actions.push(...steps);
  if (actions.length === 0) {
    const used = new Set([current.name, update.name, ...kept.map((pod) => pod.labels[revisionLabel] ?? "")]);
    actions.push(...planCleanUp(history, set.spec.revisionHistoryLimit ?? 10, used));
  }
  const waits = kept
    .map((pod) =>
      isFinished(pod)
        ? untilReplacedMs(pod) || undefined
        : availableInMs(pod, set.spec.minReadySeconds ?? 0, context.now),
    )
    .filter((wait) => wait !== undefined);
  return { actions, because, ...(waits.length === 0 ? {} : { lookAgainMs: Math.min(...waits) }) };
}

function statusOf(
  set: StatefulSetView,
  kept: readonly PodView[],
  current: RevisionView,
  update: RevisionView,
  now: number,
): StatefulSetStatus {
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  // A terminating pod still counts as a replica: its name is taken until it is gone.
  const alive = kept.filter((pod) => pod.deletionMs === undefined);
  const ready = kept.filter((pod) => pod.phase === "Running" && pod.ready).length;
  const available = kept.filter((pod) => pod.phase === "Running" && isAvailable(pod, minReadySeconds, now)).length;
  const updated = alive.filter((pod) => pod.labels[revisionLabel] === update.name).length;
  const onCurrent = alive.filter((pod) => pod.labels[revisionLabel] === current.name).length;
  const isDone =
    updated === wantedOf(set) &&
    ready === updated &&
    kept.length === updated &&
    set.spec.updateStrategy?.type !== "OnDelete";
  const settled = isDone || current === update;
  const currentReplicas = settled ? updated : onCurrent;
  const { collisionCount, conditions } = set.status;
  return {
    observedGeneration: set.generation,
    replicas: kept.length,
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    ...(currentReplicas === 0 ? {} : { currentReplicas }),
    ...(updated === 0 ? {} : { updatedReplicas: updated }),
    currentRevision: settled ? update.name : current.name,
    updateRevision: update.name,
    collisionCount: collisionCount ?? 0,
    ...(conditions === undefined ? {} : { conditions }),
    availableReplicas: available,
  };
}

function updateStatus(set: StatefulSetView, status: StatefulSetStatus, reason: string): Action {
  const { name, namespace, uid, resourceVersion } = set;
  const metadata = { name, namespace, uid, resourceVersion };
  const object: StatefulSet = { apiVersion: "apps/v1", kind: "StatefulSet", metadata, spec: set.spec, status };
  return { verb: "update", resource, namespace, name, subresource: "status", object, reason };
}
