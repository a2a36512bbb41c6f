import type { Cidr } from "#base/cidr.ts";
import type { RuleChain, RuleSet, RuleTable } from "#world/kernel-rules.ts";
import { protocols, type Allowance, type PolicyPlan } from "./compile.ts";
import { addressText, merged, type Range } from "./ranges.ts";

export interface PolicyTableFacts {
  readonly table: string;
  /** The pods of this node; absent until the node has its range. */
  readonly nodePods?: Cidr;
  /** Addresses of this node's pods whose policies are in the plan. Others of `nodePods` get no packet through (fail closed). */
  readonly known: readonly string[];
}

/**
 * A plan as packet rules. A packet looks up its pod once for each direction; pods that are allowed the same share a chain, in
 * which allowances on the same ports are one rule. Only forwarded packets are judged: a pod and its own node always reach each other.
 */
export function policyTable(plan: PolicyPlan, facts: PolicyTableFacts): RuleTable {
  const builder = new Builder();
  const ingress = builder.direction("in", "ip saddr", plan.ingress);
  const egress = builder.direction("out", "ip daddr", plan.egress);
  const known = new Map(facts.known.map((address) => [address, ""]));
  const closed =
    facts.nodePods === undefined
      ? []
      : [`ip saddr ${facts.nodePods} ip saddr != @known drop`, `ip daddr ${facts.nodePods} ip daddr != @known drop`];
  const judge: RuleChain = {
    name: "judge",
    hook: { type: "filter", at: "forward", priority: -10 },
    rules: ["ct state established,related accept", ...closed, "ip saddr vmap @egress", "ip daddr vmap @ingress"],
  };
  return {
    name: facts.table,
    sets: [
      { name: "known", definition: "type ipv4_addr", map: false, elements: known },
      { name: "ingress", definition: "type ipv4_addr : verdict", map: true, elements: ingress },
      { name: "egress", definition: "type ipv4_addr : verdict", map: true, elements: egress },
      ...builder.sets,
    ],
    chains: [...builder.chains, judge],
  };
}

class Builder {
  readonly sets: RuleSet[] = [];
  readonly chains: RuleChain[] = [];

  /** Chains for one direction; answers the jump of each pod's address. */
  direction(prefix: string, peer: string, pods: PolicyPlan["ingress"]): Map<string, string> {
    const jumps = new Map<string, string>();
    const byContent = new Map<string, string>();
    for (const [address, allowances] of pods) {
      const groups = grouped(allowances);
      const content = JSON.stringify(groups);
      let name = byContent.get(content);
      if (name === undefined) {
        name = `${prefix}_${byContent.size}`;
        byContent.set(content, name);
        this.#chain(name, peer, groups);
      }
      jumps.set(address, `jump ${name}`);
    }
    return jumps;
  }

  #chain(name: string, peer: string, groups: readonly Group[]): void {
    const rules: string[] = [];
    for (const [index, { peers, ports }] of groups.entries()) {
      const peerSet = `${name}_peers_${index}`;
      this.sets.push(set(peerSet, "type ipv4_addr; flags interval", peers.map(addressText)));
      if (ports === "all") {
        rules.push(`${peer} @${peerSet} return`);
        continue;
      }
      for (const [protocol, ranges] of ports) {
        const portSet = `${name}_${protocol.toLowerCase()}_${index}`;
        this.sets.push(set(portSet, "type inet_service; flags interval", ranges.map(portText)));
        rules.push(`${peer} @${peerSet} ${protocol.toLowerCase()} dport @${portSet} return`);
      }
    }
    this.chains.push({ name, rules: [...rules, "drop"] });
  }
}

interface Group {
  readonly peers: readonly Range[];
  readonly ports: "all" | readonly (readonly [string, readonly Range[]])[];
}

/** Allowances on the same ports as one, in an order that depends on nothing else. */
function grouped(allowances: readonly Allowance[]): Group[] {
  const keyOf = ({ ports }: Allowance): string => JSON.stringify(portsInOrder(ports));
  return [...Map.groupBy(allowances, keyOf)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, same]) => ({
      peers: merged(same.flatMap(({ peers }) => peers)),
      ports: portsInOrder(same[0]?.ports ?? "all"),
    }));
}

function portsInOrder(ports: Allowance["ports"]): Group["ports"] {
  if (ports === "all") return "all";
  return protocols.flatMap((protocol) => {
    const ranges = ports.get(protocol);
    return ranges === undefined ? [] : [[protocol, ranges] as const];
  });
}

function set(name: string, definition: string, keys: readonly string[]): RuleSet {
  return { name, definition, map: false, elements: new Map(keys.map((key) => [key, ""])) };
}

function portText({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}
