import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { enqueueHeld, enqueueServices, servingPods } from "../selected-pods.ts";
import { endpointsDeclaration, serviceDeclaration } from "../views/network.ts";
import { podDeclaration } from "../views/pod.ts";
import { replicaSetDeclaration } from "../views/workload.ts";
import { planEndpoints, planGoneService } from "./plan.ts";

/** Keeps the Endpoints object of the Services that have selectors. */
export function createEndpointsController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const services = informers.of(serviceDeclaration);
  const endpoints = informers.of(endpointsDeclaration);
  const pods = informers.of(podDeclaration);
  const replicaSets = informers.of(replicaSetDeclaration);
  return createLoop(dependencies, {
    name: "endpoints",
    eventSource: "endpoint-controller",
    needs: [services, endpoints, pods, replicaSets],
    spacingMs: limits.endpointsSpacingMs,
    watch: (enqueue) => [
      services.handle((key) => enqueue(key)),
      endpoints.handle((key) => enqueue(key)),
      pods.handle((_key, old, current) => enqueueServices(services, old, current, enqueue)),
      replicaSets.handle((_key, old, current) => enqueueHeld(services, old, current, enqueue)),
    ],
    pass(key) {
      const service = services.get(key);
      const current = endpoints.get(key);
      if (service === undefined) return planGoneService(current);
      return planEndpoints({ service, pods: servingPods(pods, replicaSets, service), current });
    },
  });
}
