import { pods as podResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { timeText } from "#reconcile/object-view.ts";
import { isFinished, type PodView } from "../views/pod.ts";

const resource = podResource as Resource<unknown>;

/** A pod whose node is gone: nobody is left to stop it, so it is marked failed and removed at once. */
export function planOrphanedPod(pod: PodView, now: number): Action[] {
  const reason = `node ${pod.node} of pod ${pod.name} does not exist any more`;
  const removal: Action = {
    verb: "delete",
    resource,
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    gracePeriodSeconds: 0,
    reason,
  };
  if (isFinished(pod)) return [removal];
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByPodGC",
    message: "PodGC: node no longer exists",
    lastTransitionTime: timeText(now),
  };
  const patch = { metadata: { uid: pod.uid }, status: { phase: "Failed", conditions: [condition] } };
  return [
    {
      verb: "patch",
      resource,
      namespace: pod.namespace,
      name: pod.name,
      type: "strategic",
      subresource: "status",
      patch,
      reason,
    },
    removal,
  ];
}

/** A pod that is being deleted and was never given to a node: no agent will ever finish it. */
export function planUnscheduledTerminating(pod: PodView): Action[] {
  const reason = `pod ${pod.name} is being deleted and no node runs it`;
  return [
    { verb: "delete", resource, namespace: pod.namespace, name: pod.name, uid: pod.uid, gracePeriodSeconds: 0, reason },
  ];
}

/** The oldest finished pods beyond `keptMax`. */
export function planTerminatedPods(pods: readonly PodView[], keptMax: number): Action[] {
  const finished = pods.filter((pod) => isFinished(pod) && pod.deletionMs === undefined);
  const surplus = finished.length - keptMax;
  if (surplus <= 0) return [];
  const oldest = [...finished].sort((a, b) => a.createdMs - b.createdMs || (a.key < b.key ? -1 : 1));
  return oldest.slice(0, surplus).map((pod) => ({
    verb: "delete",
    resource,
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    gracePeriodSeconds: 0,
    reason: `${finished.length} finished pods exist and ${keptMax} are kept`,
  }));
}
