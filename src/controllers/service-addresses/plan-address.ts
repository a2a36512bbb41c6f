import { ipaddresses, services } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import type { AddressView, ServiceView } from "../views/network.ts";

const resource = ipaddresses as Resource<unknown>;
export const managedByLabel = "ipaddress.kubernetes.io/managed-by";
/** Upstream's word: clients look for it. */
const allocatorName = "ipallocator.k8s.io";

/**
 * Each address of a Service stands in an IPAddress that says whose it is; those that people made are theirs. Pure.
 * https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
 */
export function planAddress(
  address: string,
  holder: ServiceView | undefined,
  current: AddressView | undefined,
): Plan | undefined {
  if (current !== undefined) return planKnown(holder, current);
  if (holder === undefined) return undefined;
  const labels = { "ipaddress.kubernetes.io/ip-family": "IPv4", [managedByLabel]: allocatorName };
  const parentRef = { resource: "services", namespace: holder.namespace, name: holder.name };
  return {
    because: referenceOf(services as Resource<unknown>, holder),
    actions: [
      {
        verb: "create",
        resource,
        object: {
          apiVersion: "networking.k8s.io/v1",
          kind: "IPAddress",
          metadata: { name: address, labels },
          spec: { parentRef },
        },
        existingIsFine: true,
        reason: `Service ${holder.key} has the address ${address}`,
      },
    ],
  };
}

function planKnown(holder: ServiceView | undefined, current: AddressView): Plan | undefined {
  const isRight = holder !== undefined && current.parent === `services/${holder.key}`;
  if (isRight || current.deletionMs !== undefined || current.labels[managedByLabel] !== allocatorName) return undefined;
  const { name, uid, resourceVersion } = current;
  const whose = holder === undefined ? "no Service has it" : `Service ${holder.key} has it`;
  const reason = `address ${name} is said to be that of ${current.parent}; ${whose}`;
  return {
    because: referenceOf(resource, current),
    actions: [{ verb: "delete", resource, name, uid, resourceVersion, reason }],
  };
}
