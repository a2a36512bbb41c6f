import type { NodeSelector } from "#api/generated/core-v1.ts";
import type { Counter, Device } from "#api/generated/resource-v1.ts";
import { parseQuantity, quantityToMillis } from "#codec/quantity.ts";
import { termMatches } from "#api/node-match.ts";
import type { NodeView } from "../node-view.ts";
import type { SliceView } from "./views.ts";

/** A device with what its slice says about it. */
export interface PoolDevice {
  /** `driver/pool/device`. */
  readonly id: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  readonly slice: SliceView;
}

/** The newest generation of a driver's pool, as far as one node reaches it. */
export interface Pool {
  readonly driver: string;
  readonly name: string;
  readonly devices: readonly PoolDevice[];
  /** Thousandths by counter set and counter: what devices cut from one thing share. */
  readonly counters: ReadonlyMap<string, ReadonlyMap<string, bigint>>;
  /** Why nobody may count on the pool now: not all of its slices are there, or they contradict one another. */
  readonly problem: string | undefined;
}

export function deviceId(driver: string, pool: string, device: string): string {
  return `${driver}/${pool}/${device}`;
}

/**
 * All pools, each in its newest generation: slices of older generations count for nothing, their driver has replaced them. A node
 * looks only at pools of its own and at those that belong to several nodes.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/resource-slice-v1/
 */
export class PoolIndex {
  readonly #local = new Map<string, (readonly SliceView[])[]>();
  readonly #shared: (readonly SliceView[])[] = [];
  /** Those that every node reaches are the same for all. */
  readonly #everywhere: Pool[] = [];

  constructor(slices: readonly SliceView[]) {
    for (const pool of newest(slices)) {
      const node = pool[0]?.nodeName ?? "";
      const isLocal = node !== "" && pool.every(({ nodeName, perDevice }) => !perDevice && nodeName === node);
      const known = this.#local.get(node);
      if (pool.every(({ allNodes, perDevice }) => allNodes && !perDevice))
        this.#everywhere.push(...poolOf(pool, (slice) => devicesOf(slice, slice.devices)));
      else if (!isLocal) this.#shared.push(pool);
      else if (known === undefined) this.#local.set(node, [pool]);
      else known.push(pool);
    }
  }

  /** The pools with devices that a node can reach. */
  for(node: NodeView): Pool[] {
    const some = [...(this.#local.get(node.name) ?? []), ...this.#shared];
    return [...some.flatMap((slices) => poolOf(slices, (slice) => reachable(slice, node))), ...this.#everywhere];
  }
}

function newest(slices: readonly SliceView[]): Iterable<readonly SliceView[]> {
  const pools = new Map<string, SliceView[]>();
  for (const slice of slices) {
    const key = `${slice.driver}/${slice.pool}`;
    const known = pools.get(key);
    const generation = known?.[0]?.generation ?? -1;
    if (known === undefined || slice.generation > generation) pools.set(key, [slice]);
    else if (slice.generation === generation) known.push(slice);
  }
  return pools.values();
}

/** The pool with the devices that count; none where there are none. */
function poolOf(slices: readonly SliceView[], of: (slice: SliceView) => PoolDevice[]): Pool[] {
  const [first] = slices;
  const devices = slices.flatMap(of);
  if (first === undefined || devices.length === 0) return [];
  const { driver, pool: name } = first;
  return [{ driver, name, devices, counters: countersOf(slices), problem: problemOf(first, slices) }];
}

function reachable(slice: SliceView, node: NodeView): PoolDevice[] {
  if (slice.perDevice)
    return devicesOf(
      slice,
      slice.devices.filter((device) => reaches(device, node)),
    );
  return reaches(slice, node) ? devicesOf(slice, slice.devices) : [];
}

function devicesOf(slice: SliceView, devices: readonly Device[]): PoolDevice[] {
  const { driver, pool } = slice;
  return devices.map((device) => ({ id: deviceId(driver, pool, device.name), driver, pool, device, slice }));
}

interface Place {
  readonly nodeName?: string | undefined;
  readonly nodeSelector?: NodeSelector | undefined;
  readonly allNodes?: boolean | undefined;
}

function reaches(place: Place, node: NodeView): boolean {
  if (place.nodeName !== undefined && place.nodeName !== "") return place.nodeName === node.name;
  if (place.nodeSelector !== undefined)
    return place.nodeSelector.nodeSelectorTerms.some((term) => termMatches(term, node));
  return place.allNodes === true;
}

function problemOf(first: SliceView, slices: readonly SliceView[]): string | undefined {
  const at = `pool ${first.driver}/${first.pool}`;
  if (slices.length < first.sliceCount) return `${at} is incomplete: ${slices.length} of ${first.sliceCount} slices`;
  const names = new Set<string>();
  for (const { devices } of slices) {
    for (const { name } of devices) {
      if (names.has(name)) return `${at} is invalid: device ${name} is there twice`;
      names.add(name);
    }
  }
  return undefined;
}

function countersOf(slices: readonly SliceView[]): ReadonlyMap<string, ReadonlyMap<string, bigint>> {
  const sets = new Map<string, ReadonlyMap<string, bigint>>();
  for (const { counterSets } of slices)
    for (const { name, counters } of counterSets) sets.set(name, amountsOf(counters));
  return sets;
}

/** Thousandths; what cannot be read counts as nothing. */
export function amountsOf(counters: Readonly<Record<string, Counter>> | undefined): Map<string, bigint> {
  const amounts = new Map<string, bigint>();
  for (const name in counters) {
    const parsed = parseQuantity(counters[name]!.value);
    amounts.set(name, parsed.ok ? quantityToMillis(parsed.quantity) : 0n);
  }
  return amounts;
}
