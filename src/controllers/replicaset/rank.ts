import type { PodView } from "../views/pod.ts";

const deletionCost = "controller.kubernetes.io/pod-deletion-cost";
const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * Pods in the order in which a scale-down deletes them: unassigned, not running, not ready, cheap, crowded on their node,
 * briefly ready, often restarted, young. Ages are compared in powers of two, so that small differences decide nothing.
 * `related` are the active pods of all ReplicaSets with the same owner: they tell how crowded a node is.
 */
export function inDeletionOrder(pods: readonly PodView[], related: readonly PodView[], now: number): PodView[] {
  const crowd = new Map<string, number>();
  for (const pod of related) if (pod.node !== "") crowd.set(pod.node, (crowd.get(pod.node) ?? 0) + 1);
  const compare = (a: PodView, b: PodView): number =>
    Number(a.node !== "") - Number(b.node !== "") ||
    (phaseRank[a.phase] ?? 0) - (phaseRank[b.phase] ?? 0) ||
    Number(a.ready) - Number(b.ready) ||
    costOf(a) - costOf(b) ||
    (crowd.get(b.node) ?? 0) - (crowd.get(a.node) ?? 0) ||
    (a.ready && b.ready ? magnitude(now - a.readyChangedMs) - magnitude(now - b.readyChangedMs) : 0) ||
    b.restarts - a.restarts ||
    magnitude(now - a.createdMs) - magnitude(now - b.createdMs) ||
    (a.uid < b.uid ? -1 : a.uid === b.uid ? 0 : 1);
  return [...pods].sort(compare);
}

function costOf(pod: PodView): number {
  const text = pod.annotations[deletionCost];
  return text !== undefined && /^[+-]?[0-9]{1,10}$/.test(text) ? Number(text) : 0;
}

function magnitude(ageMs: number): number {
  return ageMs <= 0 ? 0 : Math.floor(Math.log2(ageMs / 1000 + 1));
}
