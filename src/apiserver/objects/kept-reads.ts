import type { ApiObject } from "#api/kind.ts";
import type { Entry, Store } from "#store/store.ts";
import { keyOf } from "../keys.ts";
import { keptEntriesMax, keptListLengthMax, keptListsMax } from "../limits.ts";
import type { ObjectCache } from "./cache.ts";
import { headBelow, type PendingKeys } from "./pending.ts";

interface KeptReadsParts {
  readonly store: Store;
  readonly objects: ObjectCache;
  readonly pending: PendingKeys;
}

/** What was read of one resource since it changed last; by namespace, "" for all and for those without. */
interface Kept {
  generation: number;
  readonly lists: Map<string, readonly ApiObject[]>;
  /** By name within. */
  readonly entries: Map<string, Map<string, Entry>>;
  entriesCount: number;
}

/**
 * Reads of what head holds, kept until something of their resource changes: each write asks for its namespace and service account,
 * and for the limit ranges, quotas, policies and webhooks that concern it, of which mostly there are none.
 */
export class KeptReads {
  readonly #parts: KeptReadsParts;
  readonly #resources = new Map<string, Kept>();

  constructor(parts: KeptReadsParts) {
    this.#parts = parts;
  }

  /** The objects of a namespace, or of all with "", below a resource's `prefix`. Shared, and frozen where they are kept. */
  list(prefix: string, namespace: string): readonly ApiObject[] {
    const { lists } = this.#of(prefix);
    const known = lists.get(namespace);
    if (known !== undefined) return known;
    const { store, objects, pending } = this.#parts;
    const from = namespace === "" ? prefix : `${prefix}${namespace}/`;
    const list = Array.from(headBelow(store, pending, from), (entry) => objects.decoded(entry));
    if (keptListLengthMax < list.length) return list;
    if (keptListsMax <= lists.size) lists.clear();
    lists.set(namespace, Object.freeze(list));
    return list;
  }

  /** One object below a resource's `prefix`; the namespace is "" where it has none. */
  entry(prefix: string, namespace: string, name: string): Entry | undefined {
    const kept = this.#of(prefix);
    let names = kept.entries.get(namespace);
    const known = names?.get(name);
    if (known !== undefined) return known;
    const found = this.#parts.store.latest(keyOf(prefix, namespace, name));
    if (found === undefined) return undefined;
    if (keptEntriesMax <= kept.entriesCount) forgetEntries(kept);
    if (names === undefined || kept.entriesCount === 0) kept.entries.set(namespace, (names = new Map()));
    names.set(name, found);
    kept.entriesCount += 1;
    return found;
  }

  #of(prefix: string): Kept {
    const generation = this.#parts.pending.generation(prefix);
    let kept = this.#resources.get(prefix);
    if (kept === undefined) {
      kept = { generation, lists: new Map(), entries: new Map(), entriesCount: 0 };
      this.#resources.set(prefix, kept);
    } else if (kept.generation !== generation) {
      kept.generation = generation;
      if (kept.lists.size > 0) kept.lists.clear();
      if (kept.entriesCount > 0) forgetEntries(kept);
    }
    return kept;
  }
}

function forgetEntries(kept: Kept): void {
  kept.entries.clear();
  kept.entriesCount = 0;
}
