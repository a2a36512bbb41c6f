import type { ConnectionFilter, ElementChange, HeldElement, KernelRules, RuleTable } from "#world/kernel-rules.ts";
import { forgottenConnectionsMax } from "../limits.ts";
import { ChangeDraft, type RuleState } from "./rule-state.ts";
import { staleAfter, type Stale } from "./stale.ts";
import { endpointSet, protocols, scopes } from "./table.ts";

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
      const remembered = await this.#rules.readElements(this.#table, "affinity");
      await this.#rules.replaceTable(withRemembered(this.#state.table(), remembered ?? new Map()));
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
      .filter(([key, { value }]) => isAmong(gone, key, value))
      .map(([key]) => ({ set: "affinity", key }));
    if (removeElements.length === 0) return;
    // An entry that runs out in between fails the transaction: the next round writes the whole table, which empties the map.
    this.#inStep = false;
    await this.#rules.change({ table: this.#table, addChains: [], removeElements, addElements: [] });
    this.#inStep = true;
  }
}

/** The table with the clients that the one before remembered, as far as their endpoints are still there. */
function withRemembered(table: RuleTable, remembered: ReadonlyMap<string, HeldElement>): RuleTable {
  const sets = new Map(table.sets.map((set) => [set.name, set.elements]));
  const targets = new Set<string>();
  for (const scope of scopes) {
    for (const protocol of protocols) {
      for (const [key, value] of sets.get(endpointSet(scope, protocol)) ?? []) {
        const service = key.slice(key.indexOf(" . ") + 3);
        if (sets.get("sticky_services")?.has(service) || sets.get("sticky_node_ports")?.has(service)) {
          targets.add(`${service} ${value}`);
        }
      }
    }
  }
  const kept = new Map<string, string>();
  for (const [key, { value, expiresSeconds }] of remembered) {
    if (isAmong(targets, key, value) && expiresSeconds !== undefined && 1 <= expiresSeconds) {
      kept.set(`${key} timeout ${Math.floor(expiresSeconds)}s`, value);
    }
  }
  return { ...table, sets: table.sets.map((set) => (set.name === "affinity" ? { ...set, elements: kept } : set)) };
}

/** Keys of the affinity map are `client . address . protocol . port`; services by node port carry no address. */
function isAmong(targets: ReadonlySet<string>, key: string, target: string): boolean {
  const [, address, protocol, port] = key.split(" . ");
  return targets.has(`${address} . ${protocol} . ${port} ${target}`) || targets.has(`${protocol} . ${port} ${target}`);
}
