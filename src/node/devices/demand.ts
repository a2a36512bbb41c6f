import type { Container, Pod } from "#api/generated/core-v1.ts";
import { quantityOf, quantityToNumber } from "#codec/quantity.ts";
import type { HeldDevices } from "./checkpoint.ts";

/** Devices of one resource that a container asks for. */
export interface DeviceDemand {
  readonly container: string;
  readonly resource: string;
  readonly count: number;
  /** Ids that earlier init containers of the pod held and that this one may take over. */
  readonly reusable: readonly string[];
}

/**
 * What a pod's containers still need of the resources that plugins serve, in the order in which they are given: init containers
 * first, whose devices the later ones take over unless they run beside them. Pure.
 */
export function nextDemand(
  pod: Pod,
  isServed: (resource: string) => boolean,
  held: readonly HeldDevices[],
): DeviceDemand | undefined {
  const uid = pod.metadata.uid ?? "";
  const own = held.filter(({ podUid }) => podUid === uid);
  const reusable = new Map<string, Set<string>>();
  const containers: readonly Container[] = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const inits = pod.spec.initContainers?.length ?? 0;
  for (const [index, { name, resources, restartPolicy }] of containers.entries()) {
    for (const [resource, quantity] of Object.entries({ ...resources?.requests, ...resources?.limits })) {
      const count = isServed(resource) ? quantityToNumber(quantityOf(quantity)) : 0;
      if (count <= 0) continue;
      const has = own.find((one) => one.container === name && one.resource === resource);
      const free = reusable.get(resource) ?? new Set<string>();
      reusable.set(resource, free);
      if (has === undefined) return { container: name, resource, count, reusable: [...free] };
      // An init container that has ended leaves its devices to those after it; any other keeps them.
      const isOver = index < inits && restartPolicy !== "Always";
      for (const id of has.ids) {
        if (isOver) free.add(id);
        else free.delete(id);
      }
    }
  }
  return undefined;
}
