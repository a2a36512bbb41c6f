import { addressAt, overlaps, parseCidr, type Cidr } from "#base/cidr.ts";
import type { Route } from "#world/network.ts";
import { isForwardable } from "../addresses.ts";
import type { NodeView } from "../observed.ts";

export interface PodNetworkFacts {
  readonly clusterId: string;
  readonly nodeName: string;
  readonly bridge: string;
  readonly clusterPods: Cidr;
  /** Folder where addresses given to pods are noted. */
  readonly addressFolder: string;
}

/** What a node's pod network should be. */
export interface PodNetworkPlan {
  /** The bridge's own address in this node's range, the pods' gateway; undefined while the node has no range. */
  readonly gateway: string | undefined;
  /** The CNI configuration; undefined while the node has no range. */
  readonly configuration: string | undefined;
  readonly routes: readonly Route[];
}

/**
 * Plans from the Nodes: a route to every other node's pods by that node's address, and one for each of the Services' ranges, so
 * that the node's own connections to Services need no default route. Ranges outside of the cluster's are left out: a Node object
 * must not be able to take over other traffic.
 */
export function planPodNetwork(
  nodes: readonly NodeView[],
  serviceRanges: readonly Cidr[],
  facts: PodNetworkFacts,
): PodNetworkPlan {
  const own = nodes.find(({ name }) => name === facts.nodeName);
  const range = own?.podRange !== undefined && isNodeRange(own.podRange, facts.clusterPods) ? own.podRange : undefined;
  const source = own?.addresses.find(isForwardable);
  const routes = serviceRanges.map((destination): Route => {
    return { destination, device: facts.bridge, ...(source === undefined ? {} : { source }) };
  });
  const taken: Cidr[] = range === undefined ? [] : [range];
  for (const node of nodes) {
    const via = node.addresses.find(isForwardable);
    if (node.name === facts.nodeName || node.podRange === undefined || via === undefined || via === source) continue;
    const { podRange } = node;
    if (!isNodeRange(podRange, facts.clusterPods) || taken.some((other) => overlaps(other, podRange))) continue;
    taken.push(podRange);
    routes.push({ destination: podRange, via });
  }
  const bits = range === undefined ? 0 : (parseCidr(range)?.bits ?? 0);
  return {
    gateway: range === undefined ? undefined : `${addressAt(range, 1)}/${bits}`,
    configuration: range === undefined ? undefined : configurationOf(range, facts),
    routes,
  };
}

function isNodeRange(range: Cidr, clusterPods: Cidr): boolean {
  const inner = parseCidr(range);
  const outer = parseCidr(clusterPods);
  if (inner === undefined || outer === undefined || 30 < inner.bits) return false;
  return outer.first <= inner.first && inner.first + inner.size <= outer.first + outer.size;
}

/** A bridge and an address of the node's range. No masquerading and no host ports by plugins: the node's packet rules do both. */
function configurationOf(range: Cidr, { clusterId, bridge, addressFolder }: PodNetworkFacts): string {
  const plugin = {
    type: "bridge",
    bridge,
    isGateway: true,
    isDefaultGateway: true,
    ipMasq: false,
    hairpinMode: true,
    ipam: { type: "host-local", dataDir: addressFolder, ranges: [[{ subnet: range }]] },
  };
  return `${JSON.stringify({ cniVersion: "1.0.0", name: `steer-${clusterId}`, plugins: [plugin] }, undefined, 2)}\n`;
}

/** How routes of ours must change. Others' routes are not in `present`. */
export function planRoutes(present: readonly Route[], wanted: readonly Route[]): { remove: Route[]; replace: Route[] } {
  const keyOf = ({ destination, via, device, source }: Route): string =>
    [destination, via ?? "", via === undefined ? device : "", source ?? ""].join(" ");
  const presentKeys = new Set(present.map(keyOf));
  const destinations = new Set(wanted.map(({ destination }) => destination));
  return {
    remove: present.filter(({ destination }) => !destinations.has(destination)),
    replace: wanted.filter((route) => !presentKeys.has(keyOf(route))),
  };
}
