import { replicasets } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { followOwned, ownedObjects } from "../owned-objects.ts";
import { isActive, podDeclaration, type PodView } from "../views/pod.ts";
import { replicaSetDeclaration, type ReplicaSetView } from "../views/workload.ts";
import { planReplicaSet } from "./plan.ts";

/** Keeps spec.replicas pods for each ReplicaSet. */
export function createReplicaSetController(dependencies: Dependencies): Controller {
  const { client, informers, random } = dependencies;
  const replicaSets = informers.of(replicaSetDeclaration);
  const pods = informers.of(podDeclaration);
  return createLoop(dependencies, {
    name: "replicaset",
    needs: [replicaSets, pods],
    spacingMs: limits.workloadSpacingMs,
    watch: (enqueue) => [
      replicaSets.handle((key) => enqueue(key)),
      followOwned(pods, replicaSets, "ReplicaSet", enqueue),
    ],
    async pass(key, context) {
      const replicaSet = replicaSets.get(key);
      if (replicaSet === undefined) return undefined;
      const mine = await ownedObjects(client, replicasets, pods, replicaSet);
      // Only a scale-down asks how crowded nodes are.
      const related =
        mine.owned.length > (replicaSet.spec.replicas ?? 1) ? relatedPods(replicaSet, replicaSets, pods) : [];
      return planReplicaSet({ replicaSet, ...mine, related }, context, random);
    },
  });
}

function relatedPods(
  replicaSet: ReplicaSetView,
  replicaSets: Informer<ReplicaSetView>,
  pods: Informer<PodView>,
): PodView[] {
  const owner = replicaSet.controller?.uid;
  const siblings = owner === undefined ? [replicaSet] : replicaSets.by("owner", owner);
  return siblings.flatMap((sibling) => pods.by("owner", sibling.uid).filter(isActive));
}
