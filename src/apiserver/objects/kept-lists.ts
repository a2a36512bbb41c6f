import type { ApiObject } from "#api/kind.ts";
import { keptListLengthMax, keptListsMax } from "../limits.ts";
import type { PendingKeys } from "./pending.ts";

interface Kept {
  readonly generation: number;
  readonly list: readonly ApiObject[];
}

/**
 * Short lists of stored objects, kept until something of their resource changes: each write asks for the limit ranges, quotas,
 * policies and webhooks that concern it, and mostly there are none.
 */
export class KeptLists {
  readonly #pending: PendingKeys;
  readonly #lists = new Map<string, Kept>();

  constructor(pending: PendingKeys) {
    this.#pending = pending;
  }

  /** What `make` answers for the keys that begin with `from`, below a resource's `prefix`. Shared, and frozen where it is kept. */
  list(prefix: string, from: string, make: () => ApiObject[]): readonly ApiObject[] {
    const generation = this.#pending.generation(prefix);
    const known = this.#lists.get(from);
    if (known?.generation === generation) return known.list;
    const list = make();
    if (keptListLengthMax < list.length) {
      this.#lists.delete(from);
      return list;
    }
    if (keptListsMax <= this.#lists.size) this.#lists.clear();
    this.#lists.set(from, { generation, list: Object.freeze(list) });
    return list;
  }
}
