import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { endpointsDeclaration, serviceDeclaration, sliceDeclaration } from "../views/network.ts";
import { mirrorManagedBy, planMirror } from "./plan.ts";

/** Copies Endpoints of Services without selectors into EndpointSlices. */
export function createEndpointSliceMirroringController(dependencies: Dependencies): Controller {
  const { informers, random } = dependencies;
  const sources = informers.of(endpointsDeclaration);
  const services = informers.of(serviceDeclaration);
  const slices = informers.of(sliceDeclaration);
  return createLoop(dependencies, {
    name: "endpointslice-mirroring",
    eventSource: "endpoint-slice-mirroring-controller",
    needs: [sources, services, slices],
    spacingMs: limits.endpointsSpacingMs,
    watch: (enqueue) => [
      sources.handle((key) => enqueue(key)),
      services.handle((key) => enqueue(key)),
      slices.handle((_key, old, current) => {
        for (const slice of [old, current])
          if (slice?.serviceKey !== undefined && slice.managedBy === mirrorManagedBy) enqueue(slice.serviceKey);
      }),
    ],
    pass(key) {
      const copies = slices.by("service", key).filter((slice) => slice.managedBy === mirrorManagedBy);
      return planMirror(sources.get(key), services.get(key), copies, random);
    },
  });
}
