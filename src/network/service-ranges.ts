import { formatIpv4, overlaps, parseCidr, type Cidr } from "#base/cidr.ts";
import { isForwardable } from "./addresses.ts";
import { serviceRangesMax } from "./limits.ts";
import type { Observed } from "./observed.ts";

/** The networks that a cluster was made with. */
export interface ClusterRanges {
  /** The pods of all nodes. */
  readonly clusterPods: Cidr;
  /** The first range of Services' addresses. */
  readonly serviceRange: Cidr;
}

/**
 * Every range of Services' addresses, the cluster's first one first. A ServiceCIDR that takes in a pod or a node is left out: its
 * addresses cannot all be Services', and a node that treated them so would cut others off.
 */
export function serviceRangesOf(
  { serviceRanges, nodes }: Pick<Observed, "serviceRanges" | "nodes">,
  { clusterPods, serviceRange }: ClusterRanges,
): readonly Cidr[] {
  const named = serviceRanges.list().flat().flatMap(canonical);
  const further = named.filter((range) => range !== serviceRange && isForwardable(addressOf(range)));
  if (further.length === 0) return [serviceRange];
  const taken = nodes.list().flatMap(({ addresses }) => addresses.filter(isForwardable));
  const isTaken = (range: Cidr): boolean => [clusterPods, ...taken].some((other) => overlaps(range, other));
  return [serviceRange, ...new Set(further.filter((range) => !isTaken(range)).sort())].slice(0, serviceRangesMax);
}

/** As the kernel writes it; nothing when it is no IPv4 network. */
function canonical(range: Cidr): Cidr[] {
  const parsed = parseCidr(range);
  return parsed === undefined ? [] : [`${formatIpv4(parsed.first)}/${parsed.bits}`];
}

function addressOf(range: Cidr): string {
  return range.slice(0, range.indexOf("/"));
}
