import type { ElementChange, RuleTable } from "#world/kernel-rules.ts";
import { chainsFor, toProxyVerdict } from "./table.ts";

/** The table with elements in it and the chains that they lead to. The first who claims a key has it. */
export function fillTable(table: RuleTable, claims: readonly ElementChange[]): RuleTable {
  const elements = new Map(table.sets.map((set) => [set.name, new Map<string, string>()]));
  for (const { set, key, value } of claims) {
    const into = elements.get(set);
    if (into === undefined) throw new Error(`Cannot fill the packet rules: there is no set "${set}"`);
    if (!into.has(key)) into.set(key, value);
  }
  const names = new Set<string>();
  for (const values of elements.values()) for (const value of values.values()) addChainName(names, value);
  const chains = new Map([...names].flatMap(chainsFor).map((chain) => [chain.name, chain]));
  return {
    name: table.name,
    sets: table.sets.map((set) => ({ ...set, elements: elements.get(set.name) ?? new Map<string, string>() })),
    chains: [...table.chains, ...chains.values()],
  };
}

/** Notes the chain made for endpoint counts or times that a verdict goes to. */
export function addChainName(names: Set<string>, value: string): void {
  if (value.startsWith("goto ") && value !== "goto refuse" && value !== toProxyVerdict) names.add(value.slice(5));
}
