import { pods as podResource, replicasets } from "#api/generated/resources.ts";
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from "#api/generated/apps-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, CreateAction, DeleteAction } from "#reconcile/action.ts";
import { isEqual, namedAfter, randomSuffix } from "#reconcile/canonical.ts";
import type { PassContext, Plan } from "#reconcile/controller.ts";
import { timeText } from "#reconcile/object-view.ts";
import { untilReplacedMs } from "../failed-pods.ts";
import { limits } from "../limits.ts";
import type { OwnedPods } from "../owned-objects.ts";
import { aboutOf, controllerReference, referenceOf, settleOwnership } from "../ownership.ts";
import { podFromTemplate } from "../pod-template.ts";
import { availableInMs, isActive, isAvailable, isFinished, type PodView } from "../views/pod.ts";
import type { ReplicaSetView } from "../views/workload.ts";
import { inDeletionOrder } from "./rank.ts";

export interface ObservedReplicaSet extends OwnedPods {
  readonly replicaSet: ReplicaSetView;
  /** Active pods of all ReplicaSets with the same controller, these included. */
  readonly related: readonly PodView[];
}

/** Random numbers in [0, 1) for names. */
export type Ids = { float(): number };

/** Brings the number of active pods to spec.replicas, and the status to what is counted. */
export function planReplicaSet(
  observed: ObservedReplicaSet,
  context: PassContext,
  ids: Ids,
  resource = replicasets as Resource<unknown>,
): Plan {
  const { replicaSet } = observed;
  const because = referenceOf(resource, replicaSet);
  const { kept, handOvers } = settleOwnership(podResource as Resource<unknown>, resource, replicaSet, observed);
  if (handOvers.length > 0) return { actions: handOvers, because };
  const active = kept.filter(isActive);
  const missing = (replicaSet.spec.replicas ?? 1) - active.length;
  const waitMs =
    missing <= 0 ? 0 : untilReplacedMs(kept.filter(isFinished), replicaSet.spec.replicas ?? 1, context.now);
  const isChanging = replicaSet.deletionMs === undefined && waitMs === 0;
  const changes = isChanging ? scale(observed, active, context.now, ids, resource) : [];
  const status = planStatus(replicaSet, kept, active, changes, context, resource);
  const wake = active.map((pod) => availableInMs(pod, replicaSet.spec.minReadySeconds ?? 0, context.now));
  if (waitMs > 0) wake.push(waitMs);
  const lookAgainMs = Math.min(...wake.filter((delay) => delay !== undefined));
  // The status counts what was seen: it waits until the changes were, unless the server refuses them.
  const actions = changes.length === 0 || context.refusal !== undefined ? [...status, ...changes] : changes;
  return { actions, because, ...(Number.isFinite(lookAgainMs) ? { lookAgainMs } : {}) };
}

function scale(
  observed: ObservedReplicaSet,
  active: readonly PodView[],
  now: number,
  ids: Ids,
  resource: Resource<unknown>,
): (CreateAction | DeleteAction)[] {
  const { replicaSet, related } = observed;
  const wanted = replicaSet.spec.replicas ?? 1;
  const missing = Math.min(wanted - active.length, limits.burstReplicasMax);
  const reason = `${active.length} of ${wanted} replicas are active`;
  if (missing > 0) return Array.from({ length: missing }, () => createPod(replicaSet, ids, reason, resource));
  const surplus = Math.min(active.length - wanted, limits.burstReplicasMax);
  if (surplus <= 0) return [];
  const doomed = inDeletionOrder(active, related, now).slice(0, surplus);
  return doomed.map((pod) => deletePod(replicaSet, pod, reason, resource));
}

function createPod(replicaSet: ReplicaSetView, ids: Ids, reason: string, resource: Resource<unknown>): CreateAction {
  const generateName = `${replicaSet.name}-`;
  const name = namedAfter(
    generateName,
    randomSuffix(() => ids.float()),
  );
  const { namespace } = replicaSet;
  const about = aboutOf(resource, replicaSet);
  return {
    verb: "create",
    resource: podResource as Resource<unknown>,
    namespace,
    object: podFromTemplate(replicaSet.spec.template, {
      namespace,
      name,
      generateName,
      owner: controllerReference(resource, replicaSet),
      // Of its Deployment, which alone can depend on others.
      ownerAnnotations: replicaSet.controller?.kind === "Deployment" ? replicaSet.annotations : {},
    }),
    reason: `${reason}: one more pod`,
    event: { about, type: "Normal", eventReason: "SuccessfulCreate", message: `Created pod: ${name}` },
    failureEvent: { about, type: "Warning", eventReason: "FailedCreate", message: "Error creating: " },
  };
}

function deletePod(
  replicaSet: ReplicaSetView,
  pod: PodView,
  reason: string,
  resource: Resource<unknown>,
): DeleteAction {
  const about = aboutOf(resource, replicaSet);
  return {
    verb: "delete",
    resource: podResource as Resource<unknown>,
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    reason: `${reason}: ${pod.name} is first in the deletion order`,
    event: { about, type: "Normal", eventReason: "SuccessfulDelete", message: `Deleted pod: ${pod.name}` },
    failureEvent: { about, type: "Warning", eventReason: "FailedDelete", message: `Error deleting pod ${pod.name}: ` },
  };
}

function planStatus(
  replicaSet: ReplicaSetView,
  kept: readonly PodView[],
  active: readonly PodView[],
  changes: readonly Action[],
  context: PassContext,
  resource: Resource<unknown>,
): Action[] {
  const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0;
  const templateLabels = Object.entries(replicaSet.spec.template?.metadata?.labels ?? {});
  const available = active.filter((pod) => isAvailable(pod, minReadySeconds, context.now)).length;
  const ready = active.filter((pod) => pod.ready).length;
  const labelled = active.filter((pod) => templateLabels.every(([key, value]) => pod.labels[key] === value)).length;
  const conditions = conditionsOf(replicaSet, changes, context);
  const status: ReplicaSetStatus = {
    replicas: active.length,
    ...(labelled === 0 ? {} : { fullyLabeledReplicas: labelled }),
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    ...(available === 0 ? {} : { availableReplicas: available }),
    ...(resource.kind === "ReplicaSet"
      ? { terminatingReplicas: kept.filter((pod) => pod.deletionMs !== undefined).length }
      : {}),
    observedGeneration: replicaSet.generation,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
  if (isEqual(status, replicaSet.status)) return [];
  return [
    {
      verb: "update",
      resource,
      namespace: replicaSet.namespace,
      name: replicaSet.name,
      subresource: "status",
      object: statusObject(replicaSet, status, resource),
      reason: `counted ${active.length} replicas, ${ready} ready, ${available} available`,
    },
  ];
}

function statusObject(replicaSet: ReplicaSetView, status: ReplicaSetStatus, resource: Resource<unknown>): unknown {
  const { name, namespace, uid, resourceVersion } = replicaSet;
  const object: ReplicaSet = {
    apiVersion: resource.group === "" ? "v1" : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata: { name, namespace, uid, resourceVersion },
    spec: replicaSet.spec,
    status,
  };
  return object;
}

/** Only ReplicaFailure: it stands while the server refuses what would bring the count right. */
function conditionsOf(
  replicaSet: ReplicaSetView,
  changes: readonly Action[],
  context: PassContext,
): ReplicaSetCondition[] {
  const others = (replicaSet.status.conditions ?? []).filter((condition) => condition.type !== "ReplicaFailure");
  const { refusal } = context;
  if (refusal === undefined || changes.length === 0) return others;
  const old = replicaSet.status.conditions?.find((condition) => condition.type === "ReplicaFailure");
  const reason = changes[0]!.verb === "create" ? "FailedCreate" : "FailedDelete";
  if (old !== undefined && old.reason === reason) return [...others, old];
  const lastTransitionTime = timeText(context.now);
  return [...others, { type: "ReplicaFailure", status: "True", reason, message: refusal.message, lastTransitionTime }];
}
