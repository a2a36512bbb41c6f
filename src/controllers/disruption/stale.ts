import { pods } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import { referenceOf } from "../ownership.ts";
import { isFinished, type PodView } from "../views/pod.ts";

const resource = pods as Resource<unknown>;
const type = "DisruptionTarget";

/** Whether a pod is said to be about to go, and nothing has begun to end it. */
export function isAnnounced(pod: PodView): boolean {
  const isSaid = pod.conditions.some((condition) => condition.type === type && condition.status === "True");
  return isSaid && pod.deletionMs === undefined && !isFinished(pod);
}

/** Takes back what was said of a pod by somebody who never deleted it: they were interrupted in between. */
export function planStaleDisruption(pod: PodView, now: number): Plan | undefined {
  if (!isAnnounced(pod)) return undefined;
  const said = pod.conditions.find((condition) => condition.type === type);
  // A time that lies ahead was told by another clock.
  const age = Math.max(0, now - (timeOf(said?.lastTransitionTime) ?? now));
  if (age < limits.staleDisruptionMs) return { actions: [], lookAgainMs: limits.staleDisruptionMs - age };
  const condition = { type, status: "False", lastTransitionTime: timeText(now) };
  const { namespace, name, uid, resourceVersion } = pod;
  const patch = { metadata: { uid, resourceVersion }, status: { conditions: [condition] } };
  const reason = `pod ${name} was to be disrupted ${Math.round(age / 1000)} s ago, and nobody has deleted it`;
  return {
    actions: [{ verb: "patch", resource, namespace, name, type: "strategic", subresource: "status", patch, reason }],
    because: referenceOf(resource, pod),
  };
}
