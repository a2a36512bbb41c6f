import { daemonsets } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { FailedPods } from "../failed-pods.ts";
import { limits } from "../limits.ts";
import { followOwned, ownedObjects } from "../owned-objects.ts";
import { isOfPredecessor } from "../ownership.ts";
import { selectedPods } from "../selected-pods.ts";
import { nodeDeclaration, type NodeView } from "../views/node.ts";
import { podDeclaration, type PodView } from "../views/pod.ts";
import { daemonSetDeclaration, revisionDeclaration } from "../views/workload.ts";
import { planDaemonSet } from "./plan.ts";

/** Keeps a pod of each DaemonSet on the nodes it fits. */
export function createDaemonSetController(dependencies: Dependencies): Controller {
  const { client, informers, random } = dependencies;
  const sets = informers.of(daemonSetDeclaration);
  const pods = informers.of(podDeclaration);
  const nodes = informers.of(nodeDeclaration);
  const revisions = informers.of(revisionDeclaration);
  const failed = new FailedPods();
  return createLoop(dependencies, {
    name: "daemonset",
    needs: [sets, pods, nodes, revisions],
    spacingMs: limits.workloadSpacingMs,
    watch: (enqueue) => [
      sets.handle((key) => enqueue(key)),
      followOwned(revisions, sets, "DaemonSet", enqueue),
      nodes.handle((_key, old, current) => {
        // Heartbeats change nothing about where daemons belong.
        if (old !== undefined && current !== undefined && isPlacedAlike(old, current)) return;
        for (const set of sets.list()) enqueue(set.key);
      }),
      followOwned(pods, sets, "DaemonSet", enqueue),
    ],
    async pass(key, context) {
      const set = sets.get(key);
      if (set === undefined) return undefined;
      // Pods of a set of this name that are about to be left to this one have their nodes: their next change wakes it.
      const isYoung = context.now - set.createdMs < limits.takeOverMs;
      if (isYoung && selectedPods(pods, set).some((pod) => isOfPredecessor(pod, "DaemonSet", set))) return undefined;
      const observed = {
        ...(await ownedObjects(client, daemonsets, pods, set)),
        set,
        nodes: nodes.list(),
        untilReplacedMs: (pod: PodView) => failed.untilReplacedMs(`${set.uid}/${pod.target}`, pod, context.now),
        revisions: await ownedObjects(client, daemonsets, revisions, set),
        revisionNamed: (name: string) => revisions.get(keyOf(set.namespace, name)),
      };
      return planDaemonSet(observed, context, random);
    },
  });
}

function isPlacedAlike(a: NodeView, b: NodeView): boolean {
  return a.uid === b.uid && isEqual(a.labels, b.labels) && isEqual(a.taints, b.taints);
}
