import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { overlaps, type Cidr } from "#base/cidr.ts";
import type { Informer } from "#reconcile/informer.ts";
import { serviceKey } from "../service-proxy/compile.ts";
import { candidateOf } from "./opt-in.ts";

/** The Services that the endpoints of a Service are behind: itself, and those whose chosen users it gets. */
export function servicesBehind(key: string, splits: Informer<TrafficSplit>): string[] {
  return [key, ...splits.by("candidate", key).map(({ metadata, spec }) => `${metadata.namespace}/${spec.service}`)];
}

/** Addresses that a proxy could send requests for a Service to. */
export function endpointsBehind(
  service: Service,
  splits: readonly TrafficSplit[],
  slices: Informer<EndpointSlice>,
): string[] {
  return [serviceKey(service), ...splits.map(candidateOf)].flatMap((key) =>
    slices.by("service", key).flatMap(({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses.slice(0, 1))),
  );
}

/** Whether not everybody may talk to an address; so it is for a pod that policies do not know yet (`isShielded` answers undefined). */
export function isClosed(
  address: string,
  isShielded: (address: string) => boolean | undefined,
  clusterPods: Cidr,
): boolean {
  return isShielded(address) ?? overlaps(clusterPods, address);
}
