import { pods as podResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { timeText } from "#reconcile/object-view.ts";
import type { NodeView } from "../views/node.ts";
import { isFinished, type PodView } from "../views/pod.ts";

const resource = podResource as Resource<unknown>;

/** A pod whose node is gone: nobody is left to stop it, so it is marked failed and removed at once. */
export function planOrphanedPod(pod: PodView, now: number): Action[] {
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByPodGC",
    message: "PodGC: node no longer exists",
    lastTransitionTime: timeText(now),
  };
  return failAndRemove(pod, `node ${pod.node} of pod ${pod.name} does not exist any more`, { conditions: [condition] });
}

/** Said of a node by whoever made sure that it does not run any more. https://kubernetes.io/docs/reference/labels-annotations-taints/ */
const outOfServiceTaint = "node.kubernetes.io/out-of-service";

/** Pods that are being deleted, on a node that is silent and of which somebody says that it is out of service: it ends none. */
export function planOutOfService(node: NodeView, pods: readonly PodView[]): Action[] {
  const isReady = node.conditions.some(({ type, status }) => type === "Ready" && status === "True");
  if (isReady || !node.taints.some(({ key }) => key === outOfServiceTaint)) return [];
  const doomed = pods.filter(({ deletionMs }) => deletionMs !== undefined);
  return doomed.flatMap((pod) => failAndRemove(pod, `node ${node.name} of pod ${pod.name} is out of service`, {}));
}

/**
 * A pod that is being deleted and was never given to a node: no agent will ever finish it. It has failed, so that who holds it by
 * a finalizer until it has ended (a Job that counts) lets it go.
 */
export function planUnscheduledTerminating(pod: PodView): Action[] {
  return failAndRemove(pod, `pod ${pod.name} is being deleted and no node runs it`, {});
}

function failAndRemove(pod: PodView, reason: string, status: object): Action[] {
  const at = { resource, namespace: pod.namespace, name: pod.name, reason };
  const removal: Action = { ...at, verb: "delete", uid: pod.uid, gracePeriodSeconds: 0 };
  if (isFinished(pod)) return [removal];
  const patch = { metadata: { uid: pod.uid }, status: { phase: "Failed", ...status } };
  return [{ ...at, verb: "patch", type: "strategic", subresource: "status", patch }, removal];
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
