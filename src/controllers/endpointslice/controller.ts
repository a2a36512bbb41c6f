import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { enqueueHeld, enqueueServices, servingPods } from "../selected-pods.ts";
import { proportional, serviceDeclaration, sliceDeclaration } from "../views/network.ts";
import { nodeDeclaration } from "../views/node.ts";
import { podDeclaration } from "../views/pod.ts";
import { replicaSetDeclaration } from "../views/workload.ts";
import { managedBy, planEndpointSlices } from "./plan.ts";
import { processorsOf, zoneShares } from "./zone-hints.ts";

/** Keeps EndpointSlices of the Services that have selectors. */
export function createEndpointSliceController(dependencies: Dependencies): Controller {
  const { informers, random } = dependencies;
  const services = informers.of(serviceDeclaration);
  const slices = informers.of(sliceDeclaration);
  const pods = informers.of(podDeclaration);
  const replicaSets = informers.of(replicaSetDeclaration);
  const nodes = informers.of(nodeDeclaration);
  let shares: { readonly known: ReturnType<typeof zoneShares> } | undefined;
  return createLoop(dependencies, {
    name: "endpointslice",
    eventSource: "endpoint-slice-controller",
    needs: [services, slices, pods, nodes, replicaSets],
    spacingMs: limits.sliceSpacingMs,
    watch: (enqueue) => [
      services.handle((key) => enqueue(key)),
      slices.handle((_key, old, current) => {
        for (const slice of [old, current])
          if (slice?.serviceKey !== undefined && slice.managedBy === managedBy) enqueue(slice.serviceKey);
      }),
      pods.handle((_key, old, current) => enqueueServices(services, old, current, enqueue)),
      replicaSets.handle((_key, old, current) => enqueueHeld(services, old, current, enqueue)),
      nodes.handle((_key, old, current) => {
        // Zones are labels of nodes; they hardly ever change.
        const isMoved = old?.topologyZone !== current?.topologyZone;
        if (!isMoved && old && current && processorsOf(old) === processorsOf(current)) return;
        shares = undefined;
        const concernsAll = isMoved && old !== undefined && current !== undefined;
        for (const service of services.list())
          if (concernsAll || service.distribution === proportional) enqueue(service.key);
      }),
    ],
    pass(key) {
      const service = services.get(key);
      if (service === undefined) return undefined;
      const own = slices
        .by("service", key)
        .filter((slice) => slice.managedBy === managedBy && isOwned(slice.owners, service.uid));
      const zoneOf = (node: string): string => nodes.get(node)?.topologyZone ?? "";
      const observed = {
        service,
        pods: servingPods(pods, replicaSets, service),
        slices: own,
        zoneOf,
        zoneShares: () => (shares ??= { known: zoneShares(nodes.list()) }).known,
      };
      return planEndpointSlices(observed, random);
    },
  });
}

/** A slice of a former Service of this name belongs to garbage collection. */
function isOwned(owners: readonly { readonly uid: string }[], uid: string): boolean {
  return owners.some((owner) => owner.uid === uid);
}
