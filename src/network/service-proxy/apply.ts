import type { ConnectionFilter, ElementChange, KernelRules } from "#world/kernel-rules.ts";
import { forgottenConnectionsMax } from "../limits.ts";
import { ChangeDraft, type RuleState } from "./rule-state.ts";
import { staleAfter, type Stale } from "./stale.ts";

/** Elements of one owner as they should be now. */
export interface OwnerElements {
  readonly owner: string;
  readonly rank: string;
  readonly elements: readonly ElementChange[];
}

/** Carries wanted elements into the kernel: the whole table first, then the least change, each in one transaction. */
export class RuleApplier {
  readonly #rules: KernelRules;
  readonly #state: RuleState;
  readonly #table: string;
  /** Whether the kernel's table is known to be what the state was after the last round. */
  #inStep = false;

  constructor(rules: KernelRules, table: string, state: RuleState) {
    this.#rules = rules;
    this.#table = table;
    this.#state = state;
  }

  /**
   * Brings the kernel to the given owners' elements (others stay). Rejects with `KernelRulesError` when the kernel refused;
   * the next call then writes the whole table, so nothing is lost.
   */
  async apply(changes: readonly OwnerElements[]): Promise<void> {
    const draft = new ChangeDraft();
    const stale: Stale[] = [];
    for (const { owner, rank, elements } of changes) {
      if (this.#inStep) stale.push(staleAfter(this.#state.elementsOf(owner), elements));
      this.#state.set(owner, rank, elements, draft);
    }
    if (this.#inStep) {
      const change = this.#state.finish(draft);
      this.#inStep = false;
      if (change !== undefined) await this.#rules.change(change);
    } else {
      await this.#rules.replaceTable(this.#state.table());
    }
    this.#inStep = true;
    await this.#forget(stale);
  }

  async #forget(stale: readonly Stale[]): Promise<void> {
    const connections: ConnectionFilter[] = stale.flatMap((one) => one.connections);
    if (0 < connections.length) await this.#rules.forgetConnections(connections.slice(0, forgottenConnectionsMax));
    const gone = new Set(stale.flatMap((one) => one.targets.map(({ service, target }) => `${service} ${target}`)));
    if (gone.size === 0) return;
    const remembered = await this.#rules.readElements(this.#table, "affinity");
    const removeElements = [...(remembered ?? [])]
      .filter(([key, target]) => isGone(gone, key, target))
      .map(([key]) => ({ set: "affinity", key }));
    if (removeElements.length === 0) return;
    // An entry that runs out in between fails the transaction: the next round writes the whole table, which empties the map.
    this.#inStep = false;
    await this.#rules.change({ table: this.#table, addChains: [], removeElements, addElements: [] });
    this.#inStep = true;
  }
}

/** Keys of the affinity map are `client . address . protocol . port`; services by node port carry no address. */
function isGone(gone: ReadonlySet<string>, key: string, target: string): boolean {
  const [, address, protocol, port] = key.split(" . ");
  return gone.has(`${address} . ${protocol} . ${port} ${target}`) || gone.has(`${protocol} . ${port} ${target}`);
}
