import { formatIpv4, overlaps, parseCidr, type Cidr } from "#base/cidr.ts";

/** A Node as far as its range matters. */
export interface NodeRange {
  readonly name: string;
  readonly podRange: Cidr | undefined;
}

/** What each Node without a range gets; `exhausted` names those for which none is left. */
export interface Allocation {
  readonly ranges: ReadonlyMap<string, Cidr>;
  readonly exhausted: ReadonlySet<string>;
}

/**
 * Gives Nodes without a range the first free ones of `clusterPods`, in the order of their names. A range that is in use, also
 * one outside the cluster's or of another size, is never given again.
 */
export function allocate(nodes: readonly NodeRange[], clusterPods: Cidr, nodeBits: number): Allocation {
  const cluster = parseCidr(clusterPods);
  if (cluster === undefined || nodeBits < cluster.bits || 30 < nodeBits) {
    throw new Error(`Cannot divide the pod range "${clusterPods}" into networks of /${nodeBits}`);
  }
  const size = 2 ** (32 - nodeBits);
  const taken = new Set<number>();
  for (const { podRange } of nodes) {
    const used = podRange === undefined ? undefined : parseCidr(podRange);
    if (podRange === undefined || used === undefined || !overlaps(podRange, clusterPods)) continue;
    const first = Math.max(used.first, cluster.first);
    const end = Math.min(used.first + used.size, cluster.first + cluster.size);
    for (let index = Math.floor((first - cluster.first) / size); cluster.first + index * size < end; index++)
      taken.add(index);
  }
  const ranges = new Map<string, Cidr>();
  const exhausted = new Set<string>();
  const count = cluster.size / size;
  let next = 0;
  for (const { name } of nodes
    .filter(({ podRange }) => podRange === undefined)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    while (taken.has(next)) next += 1;
    if (count <= next) {
      exhausted.add(name);
      continue;
    }
    taken.add(next);
    ranges.set(name, `${formatIpv4(cluster.first + next * size)}/${nodeBits}`);
  }
  return { ranges, exhausted };
}
