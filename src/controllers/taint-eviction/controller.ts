import type { Taint } from "#api/generated/core-v1.ts";
import type { Controller } from "#reconcile/controller.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { nodeDeclaration, type NodeView } from "../views/node.ts";
import { podDeclaration } from "../views/pod.ts";
import { planEviction } from "./plan.ts";

/** Evicts pods from nodes with NoExecute taints. */
export function createTaintEvictionController(dependencies: Dependencies): Controller {
  const { clock, informers } = dependencies;
  const nodes = informers.of(nodeDeclaration);
  const pods = informers.of(podDeclaration);
  const seenSince = new Map<string, number>();
  return createLoop(dependencies, {
    name: "taint-eviction",
    eventSource: "taint-eviction-controller",
    needs: [nodes, pods],
    watch: (enqueue) => [
      nodes.handle((key, old, current) => {
        const taints = evicting(current);
        if (isEqual(evicting(old), taints)) return;
        if (taints.length === 0) seenSince.delete(key);
        else if (!seenSince.has(key)) seenSince.set(key, clock.now());
        for (const pod of pods.by("node", key)) enqueue(pod.key);
      }),
      pods.handle((key, _old, current) => {
        if (current !== undefined && current.node !== "" && seenSince.has(current.node)) enqueue(key);
      }),
    ],
    pass(key, { now }) {
      const pod = pods.get(key);
      if (pod === undefined) return undefined;
      return planEviction({ pod, taints: evicting(nodes.get(pod.node)), seenMs: seenSince.get(pod.node) ?? now }, now);
    },
  });
}

function evicting(node: NodeView | undefined): readonly Taint[] {
  return node?.taints.filter((taint) => taint.effect === "NoExecute") ?? [];
}
