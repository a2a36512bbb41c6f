import { PodCounter } from "./counters.ts";
import { limits } from "./limits.ts";
import type { PodView } from "./pod-view.ts";

/**
 * How many pods of each controller stand on which node, for spreading by default. A pod counts for its own controller alone: what
 * it costs to place it does not grow with the number of others.
 */
export class GroupCounters {
  /** Placed pods with their slots, by controller and by key. */
  readonly #members = new Map<string, Map<string, { readonly pod: PodView; readonly slot: number }>>();
  readonly #counters = new Map<string, PodCounter>();
  readonly #dropped: () => void;

  /** `dropped`: told when counters that somebody may have kept count no longer. */
  constructor(dropped: () => void) {
    this.#dropped = dropped;
  }

  placed(pod: PodView, slot: number): void {
    const { group } = pod.shape;
    if (group === undefined) return;
    let members = this.#members.get(group);
    if (members === undefined) this.#members.set(group, (members = new Map()));
    members.set(pod.key, { pod, slot });
    this.#counters.get(group)?.add(pod, slot, 1);
  }

  removed(pod: PodView, slot: number): void {
    const { group } = pod.shape;
    const members = group === undefined ? undefined : this.#members.get(group);
    if (group === undefined || members === undefined) return;
    members.delete(pod.key);
    if (members.size === 0) this.#members.delete(group);
    this.#counters.get(group)?.add(pod, slot, -1);
  }

  /** The counter of a controller's pods, made when it is asked for first. */
  of(group: string, slots: number): PodCounter {
    const known = this.#counters.get(group);
    if (known !== undefined) return known;
    if (this.#counters.size >= limits.groupCountersMax) {
      this.#counters.clear();
      this.#dropped();
    }
    const counter = new PodCounter(slots, {
      skipsDeleting: true,
      amountOf: (shape) => (shape.group === group ? 1 : 0),
    });
    for (const { pod, slot } of this.#members.get(group)?.values() ?? []) counter.add(pod, slot, 1);
    this.#counters.set(group, counter);
    return counter;
  }

  all(): IterableIterator<PodCounter> {
    return this.#counters.values();
  }
}
