import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { allocatableOf, isReady, isTerminal, repelling, requestOf } from "./facts.ts";

/** A pod that fits somewhere has a node so soon, once faults have stopped. Milliseconds. */
const boundWithinMs = 5_000;
/** Pods that were tried in vain wait for their turn: the longest back-off, as upstream. Milliseconds. */
const backOffMsMax = 10_000;
/** After the faults the server starts, lists, and leads. Milliseconds. */
const recoveryMs = 30_000;
const lookMs = 500;

/**
 * 57: a pod that has been feasible for a while has a node. Only pods are judged whose place depends on nothing but the nodes' room
 * and taints, and only when faults have stopped.
 */
export function waitingPodChecker(view: View, report: Report): Checker {
  /** Since when a pod fits on some node without a break, by uid. */
  const feasibleMs = new Map<string, number>();
  let calmSinceMs: number | undefined;
  let lookedMs = 0;
  return {
    name: "waiting pods",
    changed() {
      const now = view.now();
      if (!view.isCalm()) calmSinceMs = undefined;
      else calmSinceMs ??= now;
      if (calmSinceMs === undefined || now - calmSinceMs < recoveryMs || now - lookedMs < lookMs) return;
      lookedMs = now;
      const waiting = [...view.history.all("pods").values()].filter(isPlain);
      for (const uid of feasibleMs.keys())
        if (!waiting.some(({ metadata }) => metadata.uid === uid)) feasibleMs.delete(uid);
      for (const pod of waiting) {
        const { uid, name } = pod.metadata;
        const node = roomFor(pod, view);
        if (node === undefined) feasibleMs.delete(uid);
        else if (!feasibleMs.has(uid)) feasibleMs.set(uid, now);
        else if (now - feasibleMs.get(uid)! > boundWithinMs + backOffMsMax)
          report("57 waiting", `${name} has fitted on ${node} for ${Math.round(now - feasibleMs.get(uid)!)} ms`);
      }
    },
  };
}

/** Waits for a node, and nothing but room and taints decides which. */
function isPlain({ metadata, spec = {} }: Stored): boolean {
  const others = ["schedulingGates", "resourceClaims", "affinity", "topologySpreadConstraints", "nodeSelector"];
  const volumes = (spec["volumes"] ?? []) as readonly { readonly persistentVolumeClaim?: object }[];
  return (
    spec["nodeName"] === undefined &&
    metadata.deletionTimestamp === undefined &&
    others.every((field) => spec[field] === undefined) &&
    volumes.every(({ persistentVolumeClaim }) => persistentVolumeClaim === undefined)
  );
}

function roomFor(pod: Stored, view: View): string | undefined {
  for (const node of view.history.all("nodes").values()) {
    const { name } = node.metadata;
    if (!isReady(node) || node.spec?.["unschedulable"] === true || repelling(node, pod).length > 0) continue;
    const there = [...view.history.all("pods").values()].filter(
      (one) =>
        !isTerminal(one) &&
        // Room that a pod was promised is not free for those that matter less.
        (one.spec?.["nodeName"] === name || one.status?.["nominatedNodeName"] === name),
    );
    const fits = ["cpu", "memory"].every(
      (kind) =>
        there.reduce((sum, one) => sum + requestOf(one, kind), requestOf(pod, kind)) <= allocatableOf(node, kind),
    );
    if (fits && there.length < allocatableOf(node, "pods")) return name;
  }
  return undefined;
}
