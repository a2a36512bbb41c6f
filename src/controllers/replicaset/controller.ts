import { replicasets } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { claim } from "../ownership.ts";
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
      pods.handle((_key, old, current) => {
        for (const pod of [old, current]) if (pod !== undefined) enqueueOwners(pod, replicaSets, enqueue);
      }),
    ],
    async pass(key, context) {
      const replicaSet = replicaSets.get(key);
      if (replicaSet === undefined) return undefined;
      const owned = pods.by("owner", replicaSet.uid);
      const orphans = pods.by("orphan", replicaSet.namespace);
      const wantsToAdopt = claim(replicaSet, owned, orphans).adoptable.length > 0;
      // What we are about to adopt for may be gone: ask the server, not the cache.
      const fresh = wantsToAdopt ? await client.find(replicasets, replicaSet) : undefined;
      const mayAdopt = fresh?.metadata.uid === replicaSet.uid && fresh.metadata.deletionTimestamp === undefined;
      // Only a scale-down asks how crowded nodes are.
      const related = owned.length > (replicaSet.spec.replicas ?? 1) ? relatedPods(replicaSet, replicaSets, pods) : [];
      return planReplicaSet({ replicaSet, owned, orphans, related, mayAdopt }, context, random);
    },
  });
}

function enqueueOwners(pod: PodView, replicaSets: Informer<ReplicaSetView>, enqueue: (key: string) => void): void {
  if (pod.controller !== undefined) {
    if (pod.controller.kind === "ReplicaSet") enqueue(keyOf(pod.namespace, pod.controller.name));
    return;
  }
  for (const replicaSet of replicaSets.by("namespace", pod.namespace)) {
    if (replicaSet.selector.matches(pod.labels)) enqueue(replicaSet.key);
  }
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
