import { parseIpv4 } from "#base/cidr.ts";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "#api/generated/networking-v1.ts";
import { selectorOfObject } from "#api/selectors.ts";
import { cidrRange, merged, without, type Range } from "./ranges.ts";

type Labels = Readonly<Record<string, string>>;
export const protocols = ["TCP", "UDP", "SCTP"] as const;
export type Protocol = (typeof protocols)[number];

/** A pod as policies see it. Pods on the node's own network and ended ones are no pods to policies: leave them out. */
export interface PolicyPod {
  readonly namespace: string;
  readonly labels: Labels;
  readonly address: string;
  readonly nodeName: string | undefined;
  readonly namedPorts: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

export interface PolicyInput {
  readonly policies: readonly NetworkPolicy[];
  readonly pods: readonly PolicyPod[];
  /** Labels of a namespace. */
  readonly namespaces: ReadonlyMap<string, Labels>;
  /** Only pods of this node get rules. */
  readonly nodeName: string;
}

/** Peers that may talk on these ports. */
export interface Allowance {
  readonly peers: readonly Range[];
  /** `all`: any port of any protocol, and protocols without ports. */
  readonly ports: "all" | ReadonlyMap<Protocol, readonly Range[]>;
}

/** By address of a pod of this node that some policy selects: what is allowed, everything else is not. */
export interface PolicyPlan {
  readonly ingress: ReadonlyMap<string, readonly Allowance[]>;
  readonly egress: ReadonlyMap<string, readonly Allowance[]>;
}

export interface ReadyPolicy {
  readonly policy: NetworkPolicy;
  readonly selects: (labels: Labels) => boolean;
  readonly ingress: boolean;
  readonly egress: boolean;
}

/** What NetworkPolicies allow the pods of one node (documented under "Network Policies"; allowances of several add up). */
export function compilePolicies(input: PolicyInput): PolicyPlan {
  const byNamespace = Map.groupBy(input.policies.map(readyPolicy), ({ policy }) => policy.metadata.namespace ?? "");
  const ingress = new Map<string, Allowance[]>();
  const egress = new Map<string, Allowance[]>();
  for (const pod of input.pods) {
    if (pod.nodeName !== input.nodeName) continue;
    for (const { policy, selects, ...applies } of byNamespace.get(pod.namespace) ?? []) {
      if (!selects(pod.labels)) continue;
      const { namespace = "" } = policy.metadata;
      if (applies.ingress) {
        const rules = (policy.spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }));
        extend(
          ingress,
          pod.address,
          rules.flatMap(({ peers, ports }) => ingressAllowance(input, namespace, pod, peers, ports)),
        );
      }
      if (applies.egress) {
        const rules = (policy.spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
        extend(
          egress,
          pod.address,
          rules.flatMap(({ peers, ports }) => egressAllowances(input, namespace, peers, ports)),
        );
      }
    }
  }
  return { ingress, egress };
}

function extend(into: Map<string, Allowance[]>, address: string, allowances: readonly Allowance[]): void {
  const known = into.get(address);
  if (known === undefined) into.set(address, [...allowances]);
  else known.push(...allowances);
}

/** Without policyTypes a policy is about ingress, and about egress when it has such rules. */
export function readyPolicy(policy: NetworkPolicy): ReadyPolicy {
  const { policyTypes, egress, podSelector } = policy.spec;
  const selects = selectorOfObject(podSelector ?? {}).matches;
  if (policyTypes === undefined || policyTypes.length === 0)
    return { policy, selects, ingress: true, egress: 0 < (egress ?? []).length };
  return { policy, selects, ingress: policyTypes.includes("Ingress"), egress: policyTypes.includes("Egress") };
}

const everybody: readonly Range[] = [{ first: 0, last: 2 ** 32 - 1 }];

function ingressAllowance(
  input: PolicyInput,
  namespace: string,
  pod: PolicyPod,
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
): Allowance[] {
  const ranges = peerRanges(input, namespace, peers);
  // A name of a port is looked up in the pod that is reached: here the selected one.
  const allowed = portRanges(ports, (name, protocol) => portsNamed([pod], name, protocol));
  return isNothing(ranges, allowed) ? [] : [{ peers: ranges, ports: allowed }];
}

/** Named ports differ by the pod that is reached: each peer pod that has such a name makes an allowance of its own. */
function egressAllowances(
  input: PolicyInput,
  namespace: string,
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
): Allowance[] {
  const ranges = peerRanges(input, namespace, peers);
  const named = (ports ?? []).filter(({ port }) => typeof port === "string");
  const numbered = portRanges(ports, () => []);
  const allowances: Allowance[] = isNothing(ranges, numbered) ? [] : [{ peers: ranges, ports: numbered }];
  if (named.length === 0) return allowances;
  for (const pod of input.pods) {
    const own = podRange(pod);
    if (!ranges.some((range) => own.some(({ first }) => range.first <= first && first <= range.last))) continue;
    const allowed = portRanges(named, (name, protocol) => portsNamed([pod], name, protocol));
    if (!isNothing(own, allowed)) allowances.push({ peers: own, ports: allowed });
  }
  return allowances;
}

function isNothing(peers: readonly Range[], ports: Allowance["ports"]): boolean {
  return peers.length === 0 || (ports !== "all" && ports.size === 0);
}

function peerRanges(
  input: PolicyInput,
  namespace: string,
  peers: readonly NetworkPolicyPeer[] | undefined,
): readonly Range[] {
  if (peers === undefined || peers.length === 0) return everybody;
  return merged(peers.flatMap((peer) => rangesOfPeer(input, namespace, peer)));
}

function rangesOfPeer(
  input: PolicyInput,
  namespace: string,
  { ipBlock, podSelector, namespaceSelector }: NetworkPolicyPeer,
): Range[] {
  if (ipBlock !== undefined) return without(cidrRange(ipBlock.cidr), (ipBlock.except ?? []).flatMap(cidrRange));
  if (podSelector === undefined && namespaceSelector === undefined) return [];
  const selectsPod = selectorOfObject(podSelector ?? {}).matches;
  const selectsNamespace = selectorOfObject(namespaceSelector ?? {}).matches;
  const fine = new Set(
    namespaceSelector === undefined
      ? [namespace]
      : [...input.namespaces].filter(([, labels]) => selectsNamespace(labels)).map(([name]) => name),
  );
  return input.pods.flatMap((pod) => (fine.has(pod.namespace) && selectsPod(pod.labels) ? podRange(pod) : []));
}

function podRange({ address }: PolicyPod): Range[] {
  const value = parseIpv4(address);
  return value === undefined ? [] : [{ first: value, last: value }];
}

function portRanges(
  ports: readonly NetworkPolicyPort[] | undefined,
  lookUp: (name: string, protocol: Protocol) => readonly number[],
): Allowance["ports"] {
  if (ports === undefined || ports.length === 0) return "all";
  const found = new Map<Protocol, Range[]>();
  for (const { protocol: asked, port, endPort } of ports) {
    const protocol = protocols.find((known) => known === (asked ?? "TCP"));
    if (protocol === undefined) continue;
    const ranges =
      port === undefined
        ? [{ first: 0, last: 65_535 }]
        : typeof port === "number"
          ? [{ first: port, last: Math.max(port, endPort ?? port) }]
          : lookUp(port, protocol).map((number) => ({ first: number, last: number }));
    if (0 < ranges.length) found.set(protocol, merged([...(found.get(protocol) ?? []), ...ranges]));
  }
  return found;
}

function portsNamed(pods: readonly PolicyPod[], name: string, protocol: Protocol): number[] {
  return pods.flatMap(({ namedPorts }) =>
    namedPorts.filter((port) => port.name === name && port.protocol === protocol).map(({ port }) => port),
  );
}
