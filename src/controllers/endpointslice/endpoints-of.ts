import type { Endpoint, EndpointHints, EndpointPort } from "#api/generated/discovery-v1.ts";
import { canonicalText } from "#reconcile/canonical.ts";
import type { PodView } from "../views/pod.ts";
import type { ServicePortView, ServiceView } from "../views/network.ts";

/** Endpoints that share their ports: they may stand in one slice. */
export interface PortGroup {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** Belongs among the endpoints of Services that select it: it has an address and may still serve. */
export function hasEndpoint(pod: PodView): boolean {
  if (pod.ips.length === 0 || pod.phase === "Succeeded") return false;
  // A failed pod that restarts may serve again.
  return pod.phase !== "Failed" || pod.restartPolicy !== "Never";
}

/** A Service's port on this pod; undefined when the pod has no port of that name. */
function resolvePort(port: ServicePortView, pod: PodView): number | undefined {
  if (typeof port.targetPort === "number") return port.targetPort;
  return pod.ports.find((candidate) => candidate.name === port.targetPort && candidate.protocol === port.protocol)
    ?.port;
}

export function portsOn(service: ServiceView, pod: PodView): EndpointPort[] {
  return service.ports.flatMap((port) => {
    const number = resolvePort(port, pod);
    if (number === undefined) return [];
    const { name, protocol, appProtocol } = port;
    return [{ name, protocol, port: number, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

export function endpointOf(service: ServiceView, pod: PodView, address: string, zone: string): Endpoint {
  const terminating = pod.deletionMs !== undefined;
  const serving = pod.ready;
  const hasName = pod.hostname !== "" && pod.subdomain === service.name;
  return {
    addresses: [address],
    conditions: { ready: service.publishNotReady || (serving && !terminating), serving, terminating },
    ...(hasName ? { hostname: pod.hostname } : {}),
    targetRef: { kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid },
    ...(pod.node === "" ? {} : { nodeName: pod.node }),
    ...(zone === "" ? {} : { zone }),
    ...hintsOf(service, pod, zone),
  };
}

/** Whom an endpoint is for first. https://kubernetes.io/docs/concepts/services-networking/service/#traffic-distribution */
function hintsOf({ distribution }: ServiceView, pod: PodView, zone: string): { hints?: EndpointHints } {
  if (!pod.ready || pod.deletionMs !== undefined) return {};
  const forZones = zone === "" ? {} : { forZones: [{ name: zone }] };
  const hints: EndpointHints =
    distribution === "PreferSameNode"
      ? { ...forZones, ...(pod.node === "" ? {} : { forNodes: [{ name: pod.node }] }) }
      : distribution === "PreferSameZone" || distribution === "PreferClose"
        ? forZones
        : {};
  return Object.keys(hints).length === 0 ? {} : { hints };
}

/** The endpoints of a Service, grouped by address family and resolved ports, in stable order. */
export function groupsOf(
  service: ServiceView,
  pods: readonly PodView[],
  zoneOf: (node: string) => string,
): PortGroup[] {
  const groups = new Map<string, { addressType: string; ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const family of service.families) {
    for (const pod of pods) {
      if (!hasEndpoint(pod)) continue;
      const address = pod.ips.find((ip) => isIpv6(ip) === (family === "IPv6"));
      const ports = portsOn(service, pod);
      // A pod without any of the named ports has nothing to offer; a headless Service without ports has names alone.
      if (address === undefined || (ports.length === 0 && service.ports.length > 0)) continue;
      const key = groupKey(family, ports);
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { addressType: family, ports, endpoints: [] }));
      group.endpoints.push(endpointOf(service, pod, address, zoneOf(pod.node)));
    }
  }
  return [...groups.values()];
}

export function groupKey(addressType: string, ports: readonly EndpointPort[]): string {
  return `${addressType}/${canonicalText([...ports].map(canonicalText).sort())}`;
}
