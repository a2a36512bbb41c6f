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

/** An accepted write that is not visible yet, in the list of its resource's. */
interface PendingKey {
  readonly key: string;
  readonly prefix: string;
  next: PendingKey | undefined;
  previous: PendingKey | undefined;
}

interface OfResource {
  first: PendingKey | undefined;
  generation: number;
}

/**
 * Keys of objects that have been accepted but are not visible yet. Whoever judges by lists (admission, authorizers) must see
 * them: two creates at once may each be within a bound that both together break.
 */
export class PendingKeys {
  /** By resource: who asks for quotas must not look at hundreds of pods that are under way. */
  readonly #resources = new Map<string, OfResource>();

  /** A write of `key`, below its resource's `prefix`, was accepted. */
  add(prefix: string, key: string): PendingKey {
    const resource = this.#of(prefix);
    resource.generation += 1;
    const { first } = resource;
    const added = { key, prefix, next: first, previous: undefined };
    if (first !== undefined) first.previous = added;
    resource.first = added;
    return added;
  }

  remove({ prefix, next, previous }: PendingKey): void {
    if (next !== undefined) next.previous = previous;
    if (previous !== undefined) previous.next = next;
    else this.#of(prefix).first = next;
  }

  /** Something below a resource's prefix was accepted, or became visible. */
  changed(prefix: string): void {
    this.#of(prefix).generation += 1;
  }

  /** Another number after every change below a resource's prefix, so that whoever keeps a list knows when it is old. */
  generation(prefix: string): number {
    return this.#of(prefix).generation;
  }

  /** Those that begin with `prefix`, which is a resource's or longer. */
  below(prefix: string): ReadonlySet<string> {
    const keys = new Set<string>();
    const { first } = this.#of(resourcePrefixOf(prefix));
    for (let at = first; at !== undefined; at = at.next) if (at.key.startsWith(prefix)) keys.add(at.key);
    return keys;
  }

  #of(prefix: string): OfResource {
    let resource = this.#resources.get(prefix);
    if (resource === undefined) this.#resources.set(prefix, (resource = { first: undefined, generation: 0 }));
    return resource;
  }
}
