import type { Entry, Store } from "#store/store.ts";
import { endOf, resourcePrefixOf } from "../keys.ts";

/** The entries of head below a prefix: what is visible and has not gone meanwhile, then what is accepted but not visible yet. */
export function* headBelow(store: Store, pending: PendingKeys, prefix: string): IterableIterator<Entry> {
  const snapshot = store.snapshot();
  for (const visible of snapshot.range(prefix, endOf(prefix))) {
    const entry = store.latest(visible.key);
    if (entry !== undefined) yield entry;
  }
  for (const key of pending.below(prefix)) {
    if (snapshot.get(key) !== undefined) continue;
    const entry = store.latest(key);
    if (entry !== undefined) yield entry;
  }
}

/**
 * Keys of objects that have been accepted but are not visible yet. Whoever judges by lists (admission, authorizers) must see
 * them: two creates at once may each be within a bound that both together break.
 */
export class PendingKeys {
  /** By resource: who asks for quotas must not look at hundreds of pods that are under way. */
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #generations = new Map<string, number>();

  add(key: string): void {
    const prefix = resourcePrefixOf(key);
    this.changed(prefix);
    let counts = this.#counts.get(prefix);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(prefix, counts);
    }
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  remove(key: string): void {
    const counts = this.#counts.get(resourcePrefixOf(key));
    if (counts === undefined) return;
    const count = (counts.get(key) ?? 0) - 1;
    if (count <= 0) counts.delete(key);
    else counts.set(key, count);
  }

  /** Something below a resource's prefix was accepted, or became visible. */
  changed(prefix: string): void {
    this.#generations.set(prefix, (this.#generations.get(prefix) ?? 0) + 1);
  }

  /** Another number after every change below a resource's prefix, so that whoever keeps a list knows when it is old. */
  generation(prefix: string): number {
    return this.#generations.get(prefix) ?? 0;
  }

  /** Those that begin with `prefix`, which is a resource's or longer. */
  *below(prefix: string): IterableIterator<string> {
    for (const key of this.#counts.get(resourcePrefixOf(prefix))?.keys() ?? []) if (key.startsWith(prefix)) yield key;
  }
}
