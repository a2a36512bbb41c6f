import type { Entry, Store } from "#store/store.ts";
import { endOf } from "../keys.ts";

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
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  remove(key: string): void {
    const count = (this.#counts.get(key) ?? 0) - 1;
    if (count <= 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }

  /** Those that begin with `prefix`. */
  *below(prefix: string): IterableIterator<string> {
    for (const key of this.#counts.keys()) if (key.startsWith(prefix)) yield key;
  }
}
