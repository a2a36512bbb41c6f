import { daemonsets } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { claim } from "../ownership.ts";
import { nodeDeclaration, type NodeView } from "../views/node.ts";
import { podDeclaration } from "../views/pod.ts";
import { daemonSetDeclaration, revisionDeclaration } from "../views/workload.ts";
import { planDaemonSet } from "./plan.ts";

/** Keeps a pod of each DaemonSet on the nodes it fits. */
export function createDaemonSetController(dependencies: Dependencies): Controller {
  const { client, informers, random } = dependencies;
  const sets = informers.of(daemonSetDeclaration);
  const pods = informers.of(podDeclaration);
  const nodes = informers.of(nodeDeclaration);
  const revisions = informers.of(revisionDeclaration);
  return createLoop(dependencies, {
    name: "daemonset",
    needs: [sets, pods, nodes, revisions],
    spacingMs: limits.workloadSpacingMs,
    watch: (enqueue) => [
      sets.handle((key) => enqueue(key)),
      revisions.handle((_key, old, current) => {
        const owner = (current ?? old)?.controller;
        if (owner?.kind === "DaemonSet") enqueue(keyOf((current ?? old)!.namespace, owner.name));
      }),
      nodes.handle((_key, old, current) => {
        // Heartbeats change nothing about where daemons belong.
        if (old !== undefined && current !== undefined && isPlacedAlike(old, current)) return;
        for (const set of sets.list()) enqueue(set.key);
      }),
      pods.handle((_key, old, current) => {
        for (const pod of [old, current]) {
          if (pod?.controller?.kind === "DaemonSet") enqueue(keyOf(pod.namespace, pod.controller.name));
          if (pod === undefined || pod.controller !== undefined) continue;
          for (const set of sets.by("namespace", pod.namespace)) if (set.selector.matches(pod.labels)) enqueue(set.key);
        }
      }),
    ],
    async pass(key, context) {
      const set = sets.get(key);
      if (set === undefined) return undefined;
      const owned = pods.by("owner", set.uid);
      const orphans = pods.by("orphan", set.namespace);
      const wantsToAdopt = claim(set, owned, orphans).adoptable.length > 0;
      const fresh = wantsToAdopt ? await client.find(daemonsets, set) : undefined;
      const mayAdopt = fresh?.metadata.uid === set.uid && fresh.metadata.deletionTimestamp === undefined;
      const kept = revisions.by("owner", set.uid);
      const revisionNamed = (name: string): ReturnType<typeof revisions.get> =>
        revisions.get(keyOf(set.namespace, name));
      return planDaemonSet(
        { set, nodes: nodes.list(), owned, orphans, mayAdopt, revisions: kept, revisionNamed },
        context,
        random,
      );
    },
  });
}

function isPlacedAlike(a: NodeView, b: NodeView): boolean {
  return a.uid === b.uid && isEqual(a.labels, b.labels) && isEqual(a.taints, b.taints);
}
