import type { Taint, Toleration } from "#api/generated/core-v1.ts";
import { pods as podResource } from "#api/generated/resources.ts";
import { tolerates } from "#api/node-match.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import type { PodView } from "../views/pod.ts";

export interface ObservedEviction {
  readonly pod: PodView;
  /** NoExecute taints of its node. */
  readonly taints: readonly Taint[];
  /** When the taints were first seen, for those that do not say when they were added. Milliseconds since 1970. */
  readonly seenMs: number;
}

const resource = podResource as Resource<unknown>;

/** Deletes a pod that does not tolerate its node's NoExecute taints, at the end of the shortest toleration. */
export function planEviction({ pod, taints, seenMs }: ObservedEviction, now: number): Plan | undefined {
  if (pod.deletionMs !== undefined || taints.length === 0) return undefined;
  const dueMs = evictionMs(pod.tolerations, taints, seenMs);
  if (dueMs === undefined) return undefined;
  const because = referenceOf(resource, pod);
  if (dueMs > now) return { actions: [], because, lookAgainMs: dueMs - now };
  const names = taints.map((taint) => taint.key).join(", ");
  const reason = `node ${pod.node} has taints that the pod no longer tolerates: ${names}`;
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
    lastTransitionTime: timeText(now),
  };
  const mark: Action = {
    verb: "patch",
    resource,
    namespace: pod.namespace,
    name: pod.name,
    type: "strategic",
    subresource: "status",
    patch: { metadata: { uid: pod.uid }, status: { conditions: [condition] } },
    reason,
  };
  const about = aboutOf(resource, pod);
  const event = {
    about,
    type: "Normal" as const,
    eventReason: "TaintManagerEviction",
    message: `Marking for deletion Pod ${pod.key}`,
  };
  const removal: Action = {
    verb: "delete",
    resource,
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    reason,
    event,
  };
  const isMarked = pod.conditions.some((other) => other.type === "DisruptionTarget" && other.status === "True");
  return { actions: isMarked ? [removal] : [mark, removal], because };
}

/** When the pod must go; undefined: never (all taints are tolerated without end). */
function evictionMs(tolerations: readonly Toleration[], taints: readonly Taint[], seenMs: number): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    const addedMs = timeOf(taint.timeAdded) ?? seenMs;
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return seenMs;
    const seconds = matching.map((toleration) => toleration.tolerationSeconds).filter((value) => value !== undefined);
    // One toleration without end is enough for its taint only when no other one limits it.
    if (seconds.length === 0) continue;
    const dueMs = addedMs + Math.max(0, Math.min(...seconds)) * 1000;
    earliest = earliest === undefined ? dueMs : Math.min(earliest, dueMs);
  }
  return earliest;
}
