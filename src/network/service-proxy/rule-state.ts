import type { ElementChange, RuleChain, RuleChange, RuleTable } from "#world/kernel-rules.ts";
import { addChainName, fillTable } from "./fill.ts";
import { chainsFor } from "./table.ts";

interface Claim {
  readonly owner: string;
  readonly rank: string;
  readonly value: string;
}

const noClaims: readonly Claim[] = [];

/**
 * Which elements the table should have, by owner, so that a change of one Service costs only that Service's elements.
 * Where several owners claim a key, the one with the lowest rank has it (ranks begin with the time of creation).
 */
export class RuleState {
  readonly #byOwner = new Map<string, readonly ElementChange[]>();
  /** `set key` to its claims, the winner first. One claim is by far the most frequent case. */
  readonly #claims = new Map<string, readonly Claim[]>();
  readonly #chains = new Set<string>();
  readonly #table: string;
  readonly #base: RuleTable;

  constructor(base: RuleTable) {
    this.#base = base;
    this.#table = base.name;
  }

  owners(): IterableIterator<string> {
    return this.#byOwner.keys();
  }

  elementsOf(owner: string): readonly ElementChange[] {
    return this.#byOwner.get(owner) ?? [];
  }

  /** Replaces what an owner claims and notes in `draft` how the table must change. */
  set(owner: string, rank: string, elements: readonly ElementChange[], draft: ChangeDraft): void {
    for (const { set, key } of this.elementsOf(owner)) {
      const id = `${set} ${key}`;
      draft.touch(id, set, key, this.#winner(id));
      const rest = (this.#claims.get(id) ?? noClaims).filter((claim) => claim.owner !== owner);
      if (rest.length === 0) this.#claims.delete(id);
      else this.#claims.set(id, rest);
    }
    for (const { set, key, value } of elements) {
      const id = `${set} ${key}`;
      draft.touch(id, set, key, this.#winner(id));
      const claim: Claim = { owner, rank, value };
      const others = (this.#claims.get(id) ?? noClaims).filter((other) => other.owner !== owner);
      this.#claims.set(id, others.length === 0 ? [claim] : [...others, claim].toSorted(byRank));
    }
    if (elements.length === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, elements);
  }

  /** The change that `draft` gathered; undefined when nothing differs. The chains in it count as made from now on. */
  finish(draft: ChangeDraft): RuleChange | undefined {
    const removeElements: { set: string; key: string }[] = [];
    const addElements: ElementChange[] = [];
    const names = new Set<string>();
    for (const [id, { set, key, before }] of draft.touched) {
      const after = this.#winner(id);
      if (after === before) continue;
      if (before !== undefined) removeElements.push({ set, key });
      if (after === undefined) continue;
      addElements.push({ set, key, value: after });
      addChainName(names, after);
    }
    if (removeElements.length === 0 && addElements.length === 0) return undefined;
    return { table: this.#table, addChains: this.#missing(names), removeElements, addElements };
  }

  /** The whole table as it should be. The chains in it count as made from now on. */
  table(): RuleTable {
    const elements: ElementChange[] = [];
    for (const id of this.#claims.keys()) {
      const [set, key] = splitOnce(id);
      elements.push({ set, key, value: this.#winner(id) ?? "" });
    }
    const table = fillTable(this.#base, elements);
    this.#chains.clear();
    for (const { name } of table.chains) this.#chains.add(name);
    return table;
  }

  #winner(id: string): string | undefined {
    return this.#claims.get(id)?.[0]?.value;
  }

  #missing(names: Iterable<string>): RuleChain[] {
    const missing: RuleChain[] = [];
    for (const chain of [...names].flatMap(chainsFor)) {
      if (this.#chains.has(chain.name)) continue;
      this.#chains.add(chain.name);
      missing.push(chain);
    }
    return missing;
  }
}

/** The elements that a round of changes touches, with their values before the round. */
export class ChangeDraft {
  readonly touched = new Map<
    string,
    { readonly set: string; readonly key: string; readonly before: string | undefined }
  >();

  touch(id: string, set: string, key: string, before: string | undefined): void {
    if (!this.touched.has(id)) this.touched.set(id, { set, key, before });
  }
}

function byRank(a: Claim, b: Claim): number {
  return a.rank < b.rank ? -1 : 1;
}

function splitOnce(id: string): [string, string] {
  const space = id.indexOf(" ");
  return [id.slice(0, space), id.slice(space + 1)];
}
