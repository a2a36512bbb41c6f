import { parseIpv4 } from "#base/cidr.ts";
import type { NetworkPolicy } from "#api/generated/networking-v1.ts";
import { readyPolicy, type Allowance, type PolicyPod } from "./compile.ts";

/** Addresses of all nodes' pods that some policy shields: who may talk to them is restricted. */
export function shieldedAddresses(policies: readonly NetworkPolicy[], pods: readonly PolicyPod[]): Set<string> {
  const shielding = policies.map(readyPolicy).filter(({ ingress }) => ingress);
  const isShielded = ({ namespace, labels }: PolicyPod): boolean =>
    shielding.some(({ policy, selects }) => policy.metadata.namespace === namespace && selects(labels));
  return new Set(pods.filter(isShielded).map(({ address }) => address));
}

/** Whether allowances of a pod let it open TCP connections to an address and port. */
export function mayReach(allowances: readonly Allowance[], address: string, port: number): boolean {
  const value = parseIpv4(address);
  if (value === undefined) return false;
  return allowances.some(({ peers, ports }) => {
    if (!peers.some(({ first, last }) => first <= value && value <= last)) return false;
    return ports === "all" || (ports.get("TCP") ?? []).some(({ first, last }) => first <= port && port <= last);
  });
}
