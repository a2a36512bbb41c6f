import type { RuleChain, RuleSet, RuleTable } from "#world/kernel-rules.ts";
import { affinityClientsMax } from "../limits.ts";
import type { NodeFacts } from "./facts.ts";

/** How a packet names its Service: by address and port, or by a port of the node; `local`: only endpoints here, source kept. */
export const scopes = ["service", "service_local", "node_port", "node_port_local"] as const;
export type Scope = (typeof scopes)[number];

export const protocols = ["tcp", "udp", "sctp"] as const;
export type Protocol = (typeof protocols)[number];
const byAddress = "ip daddr . meta l4proto . th dport";
const byPort = "meta l4proto . th dport";
const originalByAddress = "ct original ip daddr . meta l4proto . ct original proto-dst";
const originalByPort = "meta l4proto . ct original proto-dst";
const addressKey = "type ipv4_addr . inet_proto . inet_service";
const portKey = "type inet_proto . inet_service";

export function dispatchSet(scope: Scope): string {
  return `${scope}s`;
}

/** Endpoints lie in a map per protocol: see `sets`. */
export function endpointSet(scope: Scope, protocol: Protocol): string {
  return `${scope}_endpoints_${protocol}`;
}

function keyOf(scope: Scope): string {
  return scope === "service" || scope === "service_local" ? byAddress : byPort;
}

/**
 * The table without Services: every set empty, every fixed chain. A packet passes two lookups, however many Services there are:
 * which Service it is for and how many endpoints that has (a verdict map), then the endpoint of a random number below that.
 */
export function emptyTable(facts: NodeFacts): RuleTable {
  return { name: facts.table, sets: sets(), chains: [...hookChains(facts), ...innerChains(facts)] };
}

function sets(): RuleSet[] {
  const map = (name: string, definition: string): RuleSet => ({ name, definition, map: true, elements: new Map() });
  const set = (name: string, definition: string): RuleSet => ({ name, definition, map: false, elements: new Map() });
  const perScope = scopes.flatMap((scope) => {
    const key = keyOf(scope) === byAddress ? addressKey : portKey;
    // The type of a random number has no name, so the map's types are those of expressions. nft 1.0.6 cannot read back `th dport`
    // as part of a value, and takes `tcp dport` for a condition of every rule with the map: hence a map per protocol.
    const endpoints = protocols.map((protocol) => {
      const types = `typeof numgen random mod 65536 . ${keyOf(scope)} : ip daddr . th dport`;
      return map(endpointSet(scope, protocol), types.replaceAll("th dport", `${protocol} dport`));
    });
    return [map(dispatchSet(scope), `${key} : verdict`), ...endpoints];
  });
  const client = "type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service";
  return [
    ...perScope,
    map("affinity", `${client}; size ${affinityClientsMax}; flags dynamic,timeout; timeout 3h`),
    map("sticky_services", `${addressKey} : verdict`),
    map("sticky_node_ports", `${portKey} : verdict`),
    map("unavailable_services", `${addressKey} : verdict`),
    map("unavailable_node_ports", `${portKey} : verdict`),
    map("host_ports", `${portKey} : ipv4_addr . inet_service`),
    map("host_ports_at", `${addressKey} : ipv4_addr . inet_service`),
    set("keep_source_services", addressKey),
    set("keep_source_node_ports", portKey),
    set("hairpin", "type ipv4_addr . ipv4_addr"),
    set("nodes", "type ipv4_addr"),
    // Through the node's proxy: which Services, and whose connections: all pods' (`proxy_open`), some pods', some pods' to some.
    map("proxied", `${addressKey} : verdict`),
    set("proxy_open", "type inet_proto"),
    set("proxy_clients", "type ipv4_addr"),
    set("proxy_allowed", "type ipv4_addr . ipv4_addr . inet_proto . inet_service"),
  ];
}

function hookChains(facts: NodeFacts): RuleChain[] {
  return [
    {
      name: "guard",
      hook: { type: "filter", at: "prerouting", priority: -300 },
      // Loopback addresses never come from outside (CVE-2020-8558).
      rules: ['iifname != "lo" ip daddr 127.0.0.0/8 drop', 'iifname != "lo" ip saddr 127.0.0.0/8 drop'],
    },
    {
      name: "from_network",
      hook: { type: "nat", at: "prerouting", priority: -100 },
      rules: dispatchRules(facts, true),
    },
    { name: "from_node", hook: { type: "nat", at: "output", priority: -100 }, rules: dispatchRules(facts, false) },
    ...(["input", "forward", "output"] as const).map((at): RuleChain => ({
      name: `filter_${at}`,
      hook: { type: "filter", at, priority: 0 },
      rules: ["ct state new jump refuse_unavailable", ...(at === "output" ? absentProxyRules(facts) : [])],
    })),
    ...(["input", "postrouting"] as const).map((at): RuleChain => ({
      name: `remember_${at}`,
      hook: { type: "filter", at, priority: 90 },
      rules: ["ct state new ct status dnat jump remember"],
    })),
    { name: "leaving", hook: { type: "nat", at: "postrouting", priority: 100 }, rules: leavingRules(facts) },
  ];
}

/**
 * A proxy that has just died refuses nobody: without an answer (the one to a first packet has the number 0) a client tries again a
 * second later, and is judged anew by rules that know by then.
 */
function absentProxyRules({ proxy }: NodeFacts): string[] {
  if (proxy === undefined) return [];
  const from = `ip saddr ${proxy.address} tcp sport ${proxy.port}`;
  return [`${from} tcp flags & (rst | ack) == rst | ack tcp sequence 0 drop`];
}

/** Local variants are for clients outside the cluster: pods and the node itself take the short way to any endpoint. */
function dispatchRules(facts: NodeFacts, outside: boolean): string[] {
  const foreign = `ip saddr != ${facts.clusterPods}`;
  const toNode = `ip daddr != 127.0.0.0/8 ip daddr != ${facts.dnsAddress} fib daddr type local`;
  return [
    ...(outside ? [`${foreign} ${byAddress} vmap @${dispatchSet("service_local")}`] : []),
    ...proxyRules(facts, outside),
    `${byAddress} vmap @${dispatchSet("service")}`,
    ...(outside ? [`${foreign} ${toNode} ${byPort} vmap @${dispatchSet("node_port_local")}`] : []),
    `${toNode} ${byPort} vmap @${dispatchSet("node_port")}`,
    `${toNode} dnat ip to ${byAddress} map @host_ports_at`,
    `${toNode} dnat ip to ${byPort} map @host_ports`,
  ];
}

/** Pods of other nodes, and who is no pod, go past the proxy; so does what the proxy itself sends. */
function proxyRules({ proxy, nodePods }: NodeFacts, outside: boolean): string[] {
  if (proxy === undefined) return [];
  const through = `${byAddress} vmap @proxied`;
  if (!outside) return proxy.userId === undefined ? [] : [`meta skuid != ${proxy.userId} ${through}`];
  if (nodePods === undefined) return [];
  return [
    `ip saddr ${nodePods} meta l4proto @proxy_open ${through}`,
    `ip saddr ${nodePods} ip saddr @proxy_clients ${through}`,
    `ip saddr ${nodePods} ip saddr . ${byAddress} @proxy_allowed ${through}`,
  ];
}

/** The verdict of a Service whose connections go to the node's proxy. */
export const toProxyVerdict = "goto to_proxy";

function leavingRules(facts: NodeFacts): string[] {
  const { nodePods, clusterPods, proxy } = facts;
  return [
    // The proxy sees who asks, also when it is the node itself.
    ...(proxy === undefined ? [] : [`oifname "lo" ip daddr ${proxy.address} return`]),
    "ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random",
    // The endpoint's answer must come back through this node, unless the source must stay visible and the endpoint is here.
    ...protocols.flatMap((protocol) => [
      `ct status dnat ip saddr != ${clusterPods} meta l4proto ${protocol} ${originalByAddress} @keep_source_services return`,
      `ct status dnat ip saddr != ${clusterPods} meta l4proto ${protocol} ${originalByPort} @keep_source_node_ports return`,
    ]),
    ...(nodePods === undefined
      ? ["ct status dnat masquerade fully-random"]
      : [
          `ct status dnat ip saddr != ${nodePods} masquerade fully-random`,
          `ip saddr ${nodePods} ip daddr != ${clusterPods} ip daddr != @nodes ip daddr != 224.0.0.0/4 masquerade fully-random`,
        ]),
  ];
}

function innerChains({ serviceRanges, dnsAddress, proxy }: NodeFacts): RuleChain[] {
  return [
    {
      name: "to_proxy",
      rules: proxy === undefined ? [] : [`meta l4proto tcp dnat ip to ${proxy.address}:${proxy.port}`],
    },
    { name: "refuse", rules: ["meta l4proto tcp reject with tcp reset", "reject with icmp type port-unreachable"] },
    {
      name: "refuse_unavailable",
      rules: [
        // Whatever still has a service address found no Service, or one without endpoints.
        ...serviceRanges.map((range) => `ip daddr ${range} ip daddr != ${dnsAddress} goto refuse`),
        `${byAddress} vmap @unavailable_services`,
        `ip daddr != 127.0.0.0/8 fib daddr type local ${byPort} vmap @unavailable_node_ports`,
      ],
    },
    {
      name: "remember",
      rules: protocols.flatMap((protocol) => [
        `meta l4proto ${protocol} ${originalByAddress} vmap @sticky_services`,
        `meta l4proto ${protocol} ${originalByPort} vmap @sticky_node_ports`,
      ]),
    },
  ];
}

/** Name of the chain that sends a connection to one of `count` endpoints, or back to the one that its client had. */
export function pickChainName(scope: Scope, count: number, sticky: boolean): string {
  return `${sticky ? "stick" : "pick"}_${scope}_${count}`;
}

/** Name of the chain that remembers a client's endpoint for `seconds`. */
export function rememberChainName(seconds: number): string {
  return `remember_${seconds}`;
}

/** The chains behind names given by `pickChainName` and `rememberChainName`: those that `name` needs, itself last. */
export function chainsFor(name: string): RuleChain[] {
  const [, verb, scope, number] = /^(pick|stick|remember)(?:_([a-z_]+))?_(\d+)$/.exec(name) ?? [];
  if (verb === "remember") {
    return [{ name, rules: protocols.map((protocol) => rememberRule(protocol, Number(number))) }];
  }
  const known = scopes.find((candidate) => candidate === scope);
  if (known === undefined) throw new Error(`Cannot build the packet rule chain "${name}": unknown name`);
  if (verb === "pick") {
    const random = `numgen random mod ${number} . ${keyOf(known)}`;
    const rules = protocols.map((protocol) => {
      const key = random.replace("th dport", `${protocol} dport`);
      return `meta l4proto ${protocol} dnat ip to ${key} map @${endpointSet(known, protocol)}`;
    });
    return [{ name, rules }];
  }
  const pick = pickChainName(known, Number(number), false);
  const remembered = `dnat ip to ip saddr . ${byAddress} map @affinity`;
  return [...chainsFor(pick), { name, rules: [remembered, `goto ${pick}`] }];
}

function rememberRule(protocol: string, seconds: number): string {
  const client = `ip saddr . ${originalByAddress}`;
  return `meta l4proto ${protocol} update @affinity { ${client} timeout ${seconds}s : ip daddr . ${protocol} dport }`;
}
