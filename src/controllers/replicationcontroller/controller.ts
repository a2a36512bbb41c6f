import { replicationcontrollers } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { followOwned, ownedObjects } from "../owned-objects.ts";
import { planReplicaSet } from "../replicaset/plan.ts";
import { isActive, podDeclaration } from "../views/pod.ts";
import { replicationControllerDeclaration } from "../views/workload.ts";

/** Keeps spec.replicas pods for each ReplicationController. */
export function createReplicationControllerController(dependencies: Dependencies): Controller {
  const { client, informers, random } = dependencies;
  const controllers = informers.of(replicationControllerDeclaration);
  const pods = informers.of(podDeclaration);
  return createLoop(dependencies, {
    name: "replicationcontroller",
    eventSource: "replication-controller",
    needs: [controllers, pods],
    spacingMs: limits.workloadSpacingMs,
    watch: (enqueue) => [
      controllers.handle((key) => enqueue(key)),
      followOwned(pods, controllers, "ReplicationController", enqueue),
    ],
    async pass(key, context) {
      const replicaSet = controllers.get(key);
      if (replicaSet === undefined) return undefined;
      const mine = await ownedObjects(client, replicationcontrollers, pods, replicaSet);
      const observed = { replicaSet, ...mine, related: mine.owned.filter(isActive) };
      return planReplicaSet(observed, context, random, replicationcontrollers as Resource<unknown>);
    },
  });
}
