import type { Service, ServicePort } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { ElementChange, RuleTable } from "#world/kernel-rules.ts";
import { isForwardable, isPort } from "../addresses.ts";
import { affinitySecondsMax } from "../limits.ts";
import { affinitySeconds, targetsOf, type PortTargets, type Target } from "./endpoints.ts";
import type { HostPort, NodeFacts } from "./facts.ts";
import { fillTable } from "./fill.ts";
import {
  dispatchSet,
  emptyTable,
  endpointSet,
  pickChainName,
  rememberChainName,
  type Protocol,
  type Scope,
} from "./table.ts";

const protocolNames: Readonly<Record<string, Protocol>> = { TCP: "tcp", UDP: "udp", SCTP: "sctp" };

/** The whole table of a node, from nothing but what is observed. The oldest Service wins where two claim one address and port. */
export function compile(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  facts: NodeFacts,
  hostPorts: readonly HostPort[] = [],
  nodeAddresses: readonly string[] = [],
): RuleTable {
  const byService = Map.groupBy(slices, serviceOfSlice);
  const claims = services
    .toSorted(olderFirst)
    .flatMap((service) => compileService(service, byService.get(serviceKey(service)) ?? [], facts));
  return fillTable(emptyTable(facts), [...claims, ...compileHostPorts(hostPorts), ...compileNodes(nodeAddresses)]);
}

/** `namespace/name`. */
export function serviceKey(service: {
  readonly metadata: { readonly namespace?: string; readonly name?: string };
}): string {
  return `${service.metadata.namespace}/${service.metadata.name}`;
}

/** `namespace/name` of the Service that a slice belongs to. */
export function serviceOfSlice(slice: EndpointSlice): string {
  return `${slice.metadata.namespace}/${slice.metadata.labels?.["kubernetes.io/service-name"] ?? ""}`;
}

/** Order in which Services get what several claim. */
export function olderFirst(a: Service, b: Service): number {
  const [timeA, timeB] = [a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? ""];
  if (timeA !== timeB) return timeA < timeB ? -1 : 1;
  return serviceKey(a) < serviceKey(b) ? -1 : 1;
}

/**
 * The elements that one Service wants in the node's table. None for headless and ExternalName Services, for one that another
 * proxy serves (label `service.kubernetes.io/service-proxy-name`), and for the DNS Service.
 */
export function compileService(service: Service, slices: readonly EndpointSlice[], facts: NodeFacts): ElementChange[] {
  const { spec } = service;
  if (spec.type === "ExternalName" || spec.clusterIP === "None" || (spec.clusterIP ?? "") === "") return [];
  if (service.metadata.labels?.["service.kubernetes.io/service-proxy-name"] !== undefined) return [];
  if (spec.clusterIP === facts.dnsAddress) return [];
  return (spec.ports ?? []).flatMap((port) => compilePort(service, port, slices, facts));
}

function compilePort(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  facts: NodeFacts,
): ElementChange[] {
  const { spec } = service;
  const protocol = protocolNames[port.protocol ?? "TCP"];
  if (protocol === undefined || !isPort(port.port)) return [];
  const targets = targetsOf(port, slices, facts);
  const seconds = Math.min(affinitySeconds(spec) ?? 0, affinitySecondsMax);
  const elements: ElementChange[] = [];
  const context: PortContext = { targets, seconds, elements, protocol };
  const internalLocal = spec.internalTrafficPolicy === "Local";
  const externalLocal = spec.externalTrafficPolicy === "Local";
  if (isForwardable(spec.clusterIP ?? "")) {
    push(context, "service", `${spec.clusterIP} . ${protocol} . ${port.port}`, internalLocal ? "local" : "cluster");
  }
  for (const address of externalAddresses(service)) {
    const key = `${address} . ${protocol} . ${port.port}`;
    push(context, "service", key, "cluster");
    if (externalLocal) push(context, "service_local", key, "local");
  }
  if (isPort(port.nodePort) && (spec.type === "NodePort" || spec.type === "LoadBalancer")) {
    const key = `${protocol} . ${port.nodePort}`;
    push(context, "node_port", key, "cluster");
    if (externalLocal) push(context, "node_port_local", key, "local");
  }
  const onThisNode = targets.cluster.concat(targets.local).filter(({ nodeName }) => nodeName === facts.nodeName);
  for (const address of new Set(onThisNode.map((target) => target.address))) {
    elements.push({ set: "hairpin", key: `${address} . ${address}`, value: "" });
  }
  return elements;
}

/** Addresses outside the cluster's ranges. One with source ranges is left out: it must not be open to more than it says. */
function externalAddresses({ spec, status }: Service): Set<string> {
  const addresses = new Set((spec.externalIPs ?? []).filter(isForwardable));
  if (spec.type === "LoadBalancer" && (spec.loadBalancerSourceRanges ?? []).length === 0) {
    for (const { ip, ipMode } of status?.loadBalancer?.ingress ?? []) {
      if (ip !== undefined && (ipMode ?? "VIP") === "VIP" && isForwardable(ip)) addresses.add(ip);
    }
  }
  return addresses;
}

interface PortContext {
  readonly targets: PortTargets;
  readonly seconds: number;
  readonly protocol: Protocol;
  readonly elements: ElementChange[];
}

function push(
  { targets, seconds, elements, protocol }: PortContext,
  scope: Scope,
  key: string,
  policy: keyof PortTargets,
): void {
  const chosen = targets[policy];
  const isNodePort = scope === "node_port" || scope === "node_port_local";
  const family = isNodePort ? "node_ports" : "services";
  if (policy === "local" && scope !== "service") elements.push({ set: `keep_source_${family}`, key, value: "" });
  if (chosen.length === 0) {
    // With the policy Local, endpoints elsewhere are no reason to say that nobody listens: documented as dropped.
    if (policy === "local" && 0 < targets.cluster.length)
      elements.push({ set: dispatchSet(scope), key, value: "drop" });
    else elements.push({ set: `unavailable_${family}`, key, value: "goto refuse" });
    return;
  }
  const sticky = 0 < seconds;
  elements.push({ set: dispatchSet(scope), key, value: `goto ${pickChainName(scope, chosen.length, sticky)}` });
  if (sticky) elements.push({ set: `sticky_${family}`, key, value: `goto ${rememberChainName(seconds)}` });
  for (const [index, target] of chosen.entries()) {
    elements.push({ set: endpointSet(scope, protocol), key: `${index} . ${key}`, value: targetText(target) });
  }
}

function targetText({ address, port }: Pick<Target, "address" | "port">): string {
  return `${address} . ${port}`;
}

/** Ports of the node that lead to pods on it. */
export function compileHostPorts(hostPorts: readonly HostPort[]): ElementChange[] {
  const elements: ElementChange[] = [];
  for (const { hostAddress, hostPort, protocol, address, port } of hostPorts.toSorted((a, b) =>
    a.pod < b.pod ? -1 : 1,
  )) {
    if (!isPort(hostPort) || !isPort(port) || !isForwardable(address)) continue;
    const everywhere = hostAddress === undefined || hostAddress === "" || hostAddress === "0.0.0.0";
    if (!everywhere && !isForwardable(hostAddress)) continue;
    const portKey = `${protocolNames[protocol]} . ${hostPort}`;
    const key = everywhere ? portKey : `${hostAddress} . ${portKey}`;
    elements.push({ set: everywhere ? "host_ports" : "host_ports_at", key, value: `${address} . ${port}` });
    elements.push({ set: everywhere ? "keep_source_node_ports" : "keep_source_services", key, value: "" });
    elements.push({ set: "hairpin", key: `${address} . ${address}`, value: "" });
  }
  return elements;
}

/** Addresses of the cluster's nodes: pods reach them with their own address. */
export function compileNodes(addresses: readonly string[]): ElementChange[] {
  return addresses.filter(isForwardable).map((key) => ({ set: "nodes", key, value: "" }));
}
