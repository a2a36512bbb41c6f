import type { ReplicationController } from "#api/generated/core-v1.ts";
import { replicationcontrollers } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { selectorOfLabels, nothing } from "#api/selectors.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { followPods, ownedPods } from "../owned-pods.ts";
import { planReplicaSet } from "../replicaset/plan.ts";
import { isActive, podDeclaration } from "../views/pod.ts";
import type { ReplicaSetView } from "../views/workload.ts";

/** A ReplicationController differs from a ReplicaSet in the form of its selector alone: it is read as one. */
export const replicationControllerDeclaration: InformerDeclaration<ReplicationController, ReplicaSetView> = {
  resource: replicationcontrollers,
  indexes: objectIndexes,
  project: (object) => {
    const { selector, template, replicas, minReadySeconds } = object.spec;
    const hasSelector = selector !== undefined && Object.keys(selector).length > 0;
    return {
      ...objectView(object.metadata),
      spec: {
        ...(replicas === undefined ? {} : { replicas }),
        ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
        // In the form of its own kind, because status updates send it back.
        ...(selector === undefined ? {} : { selector: selector as object }),
        template: template ?? { metadata: {}, spec: { containers: [] } },
      },
      status: object.status ?? { replicas: 0 },
      selector: hasSelector ? selectorOfLabels(selector) : nothing,
    };
  },
};

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
      followPods(pods, controllers, "ReplicationController", enqueue),
    ],
    async pass(key, context) {
      const replicaSet = controllers.get(key);
      if (replicaSet === undefined) return undefined;
      const mine = await ownedPods(client, replicationcontrollers, pods, replicaSet);
      const observed = { replicaSet, ...mine, related: mine.owned.filter(isActive) };
      return planReplicaSet(observed, context, random, replicationcontrollers as Resource<unknown>);
    },
  });
}
