import { statefulsets } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { FailedPods } from "../failed-pods.ts";
import { limits } from "../limits.ts";
import { followOwned, ownedObjects } from "../owned-objects.ts";
import { podDeclaration, type PodView } from "../views/pod.ts";
import { claimDeclaration } from "../views/storage.ts";
import { revisionDeclaration, statefulSetDeclaration } from "../views/workload.ts";
import { planStatefulSet } from "./plan.ts";

/** Keeps the pods of StatefulSets. */
export function createStatefulSetController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const sets = informers.of(statefulSetDeclaration);
  const pods = informers.of(podDeclaration);
  const revisions = informers.of(revisionDeclaration);
  const claims = informers.of(claimDeclaration);
  const failed = new FailedPods();
  return createLoop(dependencies, {
    name: "statefulset",
    needs: [sets, pods, revisions, claims],
    spacingMs: limits.statefulSetSpacingMs,
    watch: (enqueue) => [
      sets.handle((key) => enqueue(key)),
      followOwned(revisions, sets, "StatefulSet", enqueue),
      followOwned(pods, sets, "StatefulSet", enqueue),
    ],
    async pass(key, context) {
      const set = sets.get(key);
      if (set === undefined) return undefined;
      const observed = {
        ...(await ownedObjects(client, statefulsets, pods, set)),
        set,
        untilReplacedMs: (pod: PodView) => failed.untilReplacedMs(`${set.uid}/${pod.name}`, pod, context.now),
        revisions: await ownedObjects(client, statefulsets, revisions, set),
        revisionNamed: (name: string) => revisions.get(keyOf(set.namespace, name)),
        claimNamed: (name: string) => claims.get(keyOf(set.namespace, name)),
      };
      return planStatefulSet(observed, context);
    },
  });
}
