import { deployments } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { followOwned, ownedObjects } from "../owned-objects.ts";
import { isFinished, podDeclaration, type PodView } from "../views/pod.ts";
import {
  deploymentDeclaration,
  replicaSetDeclaration,
  type DeploymentView,
  type ReplicaSetView,
} from "../views/workload.ts";
import { planDeployment } from "./plan.ts";

/** Moves Deployments to their templates through ReplicaSets. */
export function createDeploymentController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const deploymentViews = informers.of(deploymentDeclaration);
  const replicaSets = informers.of(replicaSetDeclaration);
  const pods = informers.of(podDeclaration);
  return createLoop(dependencies, {
    name: "deployment",
    needs: [deploymentViews, replicaSets, pods],
    spacingMs: limits.workloadSpacingMs,
    watch: (enqueue) => [
      deploymentViews.handle((key) => enqueue(key)),
      followOwned(replicaSets, deploymentViews, "Deployment", enqueue),
      // Only Recreate waits for pods themselves; all else is told by the status of ReplicaSets.
      pods.handle((_key, old, current) => {
        if (old !== undefined && (current === undefined || isFinished(current)))
          enqueueRecreate(old, replicaSets, deploymentViews, enqueue);
      }),
    ],
    async pass(key, context) {
      const deployment = deploymentViews.get(key);
      if (deployment === undefined) return undefined;
      const owned = await ownedObjects(client, deployments, replicaSets, deployment);
      const unfinishedPods = (uid: string): number => pods.by("owner", uid).filter((pod) => !isFinished(pod)).length;
      const replicaSetNamed = (name: string): ReplicaSetView | undefined =>
        replicaSets.get(keyOf(deployment.namespace, name));
      return planDeployment({ deployment, ...owned, unfinishedPods, replicaSetNamed }, context);
    },
  });
}

function enqueueRecreate(
  pod: PodView,
  replicaSets: Informer<ReplicaSetView>,
  deploymentViews: Informer<DeploymentView>,
  enqueue: (key: string) => void,
): void {
  if (pod.controller?.kind !== "ReplicaSet") return;
  const set = replicaSets.get(keyOf(pod.namespace, pod.controller.name));
  if (set?.controller?.kind !== "Deployment") return;
  const deployment = deploymentViews.get(keyOf(set.namespace, set.controller.name));
  if (deployment?.spec.strategy?.type === "Recreate") enqueue(deployment.key);
}
