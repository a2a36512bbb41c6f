import { limits } from "../limits.ts";
import type { NodeView } from "../views/node.ts";

export function isHealthy(node: NodeView): boolean {
  const ready = node.conditions.find((condition) => condition.type === "Ready");
  return ready === undefined || ready.status === "True";
}

interface Zone {
  nodes: number;
  unhealthy: number;
}

/** For whom the pace of evictions became another one. */
export type Affected = "nobody" | "zone" | "everybody";

/**
 * How zones fare: when most of one is unhealthy, the fault is more likely ours or the network's than each node's. Counted node by
 * node as they change, so that a node costs the same among thousands that fall together.
 */
export class Zones {
  readonly #zones = new Map<string, Zone>();
  #disrupted = 0;

  /** Takes a change of one node in; `old` is undefined for a new one, `current` for one that is gone. */
  change(old: NodeView | undefined, current: NodeView | undefined): Affected {
    if (
      old !== undefined &&
      current !== undefined &&
      old.zone === current.zone &&
      isHealthy(old) === isHealthy(current)
    )
      return "nobody";
    const touched = [old?.zone, current?.zone].filter((zone) => zone !== undefined);
    const rates = (): string => JSON.stringify(touched.map((zone) => this.#ownRate(zone)));
    const before = { isCalledOff: this.isCalledOff, rates: rates() };
    if (old !== undefined) this.#count(old, -1);
    if (current !== undefined) this.#count(current, 1);
    if (before.isCalledOff !== this.isCalledOff) return "everybody";
    return before.rates === rates() ? "nobody" : "zone";
  }

  /** How many nodes each zone has, and how many of them are not healthy. */
  *counts(): Iterable<{ readonly zone: string } & Readonly<Zone>> {
    for (const [zone, counts] of this.#zones) yield { zone, ...counts };
  }

  /** When every zone is disrupted, nothing is evicted at all. */
  get isCalledOff(): boolean {
    return this.#zones.size > 0 && this.#disrupted === this.#zones.size;
  }

  /** Nodes of a zone that may begin to be evicted from per second. */
  evictionRate(zone: string): number | "called off" {
    return this.isCalledOff ? "called off" : this.#ownRate(zone);
  }

  #ownRate(zone: string): number {
    const { nodes, unhealthy } = this.#zones.get(zone) ?? { nodes: 0, unhealthy: 0 };
    const isPartlyDisrupted = unhealthy > 2 && unhealthy < nodes && unhealthy / nodes >= limits.unhealthyZonePart;
    if (!isPartlyDisrupted) return limits.nodeEvictionsPerSecond;
    return nodes > limits.largeZoneNodes ? limits.nodeEvictionsPerSecondDisrupted : 0;
  }

  #count(node: NodeView, by: 1 | -1): void {
    const zone = this.#zones.get(node.zone) ?? { nodes: 0, unhealthy: 0 };
    const wasDisrupted = isDisrupted(zone);
    zone.nodes += by;
    if (!isHealthy(node)) zone.unhealthy += by;
    this.#disrupted += Number(isDisrupted(zone)) - Number(wasDisrupted);
    if (zone.nodes === 0) this.#zones.delete(node.zone);
    else this.#zones.set(node.zone, zone);
  }
}

function isDisrupted({ nodes, unhealthy }: Zone): boolean {
  return unhealthy > 0 && unhealthy === nodes;
}
