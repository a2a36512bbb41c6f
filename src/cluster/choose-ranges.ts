import { overlaps, type Cidr } from "#base/cidr.ts";

/** Ranges tried in order; the first that overlaps nothing known to the machine is taken. */
const podCandidates = sixteens(10, 244, 12).concat(sixteens(10, 128, 100));
const serviceCandidates = sixteens(10, 96, 12).concat(sixteens(10, 64, 32));
const nodeNetworkCandidates = Array.from({ length: 64 }, (_, index) => `10.223.${index}.0/24`);

/** Kubernetes' own range first, then as many ports below it; above are those that the kernel gives to connections. */
const nodePortCandidates = Array.from({ length: 7 }, (_, index) => {
  const first = 30_000 - index * 3_000;
  return { first, last: first + 2_767 };
});

export interface Ranges {
  readonly podRange: string;
  readonly serviceRange: string;
  /** Where nodes in network namespaces get their addresses. */
  readonly nodeNetwork: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
}

export interface Taken {
  /** Networks that the machine has routes or addresses for, and ranges of other clusters. */
  readonly networks: readonly Cidr[];
  readonly nodePorts: readonly { readonly first: number; readonly last: number }[];
}

/** Chooses ranges that collide with nothing taken; the name of what ran out when there are none. */
export function chooseRanges(taken: Taken): Ranges | { readonly exhausted: string } {
  const isFree = (range: string): boolean => taken.networks.every((network) => !overlaps(network, range));
  const podRange = podCandidates.find(isFree);
  const serviceRange = serviceCandidates.find(isFree);
  const nodeNetwork = nodeNetworkCandidates.find(isFree);
  const nodePorts = nodePortCandidates.find((ports) =>
    taken.nodePorts.every((other) => other.last < ports.first || ports.last < other.first),
  );
  if (podRange === undefined) return { exhausted: "an address range for pods below 10.0.0.0/8" };
  if (serviceRange === undefined) return { exhausted: "an address range for services below 10.0.0.0/8" };
  if (nodeNetwork === undefined) return { exhausted: "an address range for nodes below 10.223.0.0/16" };
  if (nodePorts === undefined) return { exhausted: "a range of node ports" };
  return { podRange, serviceRange, nodeNetwork, nodePorts };
}

function sixteens(first: number, second: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${first}.${second + index}.0.0/16`);
}
