import type { Endpoint, EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { ServicePort, ServiceSpec } from "#api/generated/core-v1.ts";
import { isForwardable, isPort } from "../addresses.ts";
import { endpointsPerPortMax } from "../limits.ts";

/** Where a connection may be sent on to. */
export interface Target {
  readonly address: string;
  readonly port: number;
  readonly nodeName: string | undefined;
}

export interface PortTargets {
  /** For traffic with the policy Cluster. */
  readonly cluster: readonly Target[];
  /** Those on this node. */
  readonly local: readonly Target[];
}

export interface Place {
  readonly nodeName: string;
  readonly zone?: string;
}

/**
 * The endpoints of one service port that get traffic: the ready ones; when there is none, those that end but still serve
 * (KEP-1669). Topology hints narrow the former when every endpoint carries them (documented under "Topology Aware Routing").
 */
export function targetsOf(port: ServicePort, slices: readonly EndpointSlice[], place: Place): PortTargets {
  const ready: Found[] = [];
  const ending: Found[] = [];
  for (const slice of slices) {
    if (slice.addressType !== "IPv4") continue;
    for (const slicePort of slice.ports ?? []) {
      if ((slicePort.name ?? "") !== (port.name ?? "")) continue;
      if ((slicePort.protocol ?? "TCP") !== (port.protocol ?? "TCP") || !isPort(slicePort.port)) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const list = listFor(endpoint, ready, ending);
        const address = endpoint.addresses[0];
        if (list === undefined || address === undefined || !isForwardable(address)) continue;
        list.push({ target: { address, port: slicePort.port, nodeName: endpoint.nodeName }, endpoint });
      }
    }
  }
  const isLocal = (found: Found): boolean => found.target.nodeName === place.nodeName;
  const local = ready.some(isLocal) ? ready.filter(isLocal) : ending.filter(isLocal);
  return { cluster: ordered(0 < ready.length ? nearest(ready, place) : ending), local: ordered(local) };
}

interface Found {
  readonly target: Target;
  readonly endpoint: Endpoint;
}

function listFor(endpoint: Endpoint, ready: Found[], ending: Found[]): Found[] | undefined {
  const { conditions } = endpoint;
  if (conditions.ready ?? true) return ready;
  return (conditions.serving ?? false) && (conditions.terminating ?? false) ? ending : undefined;
}

function nearest(found: readonly Found[], place: Place): readonly Found[] {
  if (found.every(({ endpoint }) => 0 < (endpoint.hints?.forNodes?.length ?? 0))) {
    const near = found.filter(({ endpoint }) => endpoint.hints?.forNodes?.some(({ name }) => name === place.nodeName));
    if (0 < near.length) return near;
  }
  if (place.zone === undefined) return found;
  if (!found.every(({ endpoint }) => 0 < (endpoint.hints?.forZones?.length ?? 0))) return found;
  const near = found.filter(({ endpoint }) => endpoint.hints?.forZones?.some(({ name }) => name === place.zone));
  return 0 < near.length ? near : found;
}

/** Sorted and each once: the same endpoints in whatever slices give the same rules. */
function ordered(found: readonly Found[]): Target[] {
  const byKey = new Map(found.map(({ target }) => [`${target.address}:${target.port}`, target]));
  const sorted = [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
  return sorted.length <= endpointsPerPortMax ? sorted : sorted.slice(0, endpointsPerPortMax);
}

/** Seconds of session affinity by client address; undefined when the Service has none. */
export function affinitySeconds(spec: ServiceSpec): number | undefined {
  if (spec.sessionAffinity !== "ClientIP") return undefined;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800;
}
