import type { ApiObject } from "#api/kind.ts";
import type { Entry } from "#store/store.ts";
import { keptEntriesMax, keptListLengthMax, keptListsMax } from "../limits.ts";
import type { PendingKeys } from "./pending.ts";

/** What was read of one resource since it changed last; by namespace, "" for all and for those without. */
interface Kept {
  generation: number;
  readonly lists: Map<string, readonly ApiObject[]>;
  /** By name within. */
  readonly entries: Map<string, Map<string, Entry>>;
  entriesCount: number;
}

/**
 * Reads of stored objects, kept until something of their resource changes: each write asks for its namespace and service account,
 * and for the limit ranges, quotas, policies and webhooks that concern it, of which mostly there are none.
 */
export class KeptReads {
  readonly #pending: PendingKeys;
  readonly #resources = new Map<string, Kept>();

  constructor(pending: PendingKeys) {
    this.#pending = pending;
  }

  /** What `make` answers for the objects of a namespace below a resource's `prefix`. Shared, and frozen where it is kept. */
  list(prefix: string, namespace: string, make: () => ApiObject[]): readonly ApiObject[] {
    const { lists } = this.#of(prefix);
    const known = lists.get(namespace);
    if (known !== undefined) return known;
    const list = make();
    if (keptListLengthMax < list.length) return list;
    if (keptListsMax <= lists.size) lists.clear();
    lists.set(namespace, Object.freeze(list));
    return list;
  }

  /** What `find` answers for one object below a resource's `prefix`. */
  entry(prefix: string, namespace: string, name: string, find: () => Entry | undefined): Entry | undefined {
    const kept = this.#of(prefix);
    let names = kept.entries.get(namespace);
    const known = names?.get(name);
    if (known !== undefined) return known;
    const found = find();
    if (found === undefined) return undefined;
    if (keptEntriesMax <= kept.entriesCount) forgetEntries(kept);
    if (names === undefined || kept.entriesCount === 0) kept.entries.set(namespace, (names = new Map()));
    names.set(name, found);
    kept.entriesCount += 1;
    return found;
  }

  #of(prefix: string): Kept {
    const generation = this.#pending.generation(prefix);
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
