import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { deploymentDeclaration, replicaSetDeclaration } from "../views/workload.ts";
import { planDeadlineRollback } from "./plan.ts";

/** Takes updates of Deployments back that pass their progress deadline, where the Deployment asks for it. */
export function createDeadlineRollbackController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const deployments = informers.of(deploymentDeclaration);
  const replicaSets = informers.of(replicaSetDeclaration);
  return createLoop(dependencies, {
    name: "deadline-rollback",
    needs: [deployments, replicaSets],
    watch: (enqueue) => [
      deployments.handle((key, _old, current) => {
        if (current !== undefined) enqueue(key);
      }),
      replicaSets.handle((_key, old, current) => {
        const owner = (current ?? old)?.controller;
        const namespace = (current ?? old)?.namespace ?? "";
        if (owner?.kind === "Deployment" && old === undefined) enqueue(keyOf(namespace, owner.name));
      }),
    ],
    pass(key) {
      const deployment = deployments.get(key);
      return deployment && planDeadlineRollback(deployment, replicaSets.by("owner", deployment.uid));
    },
  });
}
