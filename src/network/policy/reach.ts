import { parseIpv4 } from "#base/cidr.ts";
import type { NetworkPolicy } from "#api/generated/networking-v1.ts";
import { readyPolicy, type Allowance, type PolicyPod } from "./compile.ts";

/** Tells of a pod whether some policy shields it: whether not everybody may talk to it. */
export function shieldOf(
  policies: readonly NetworkPolicy[],
): (pod: Pick<PolicyPod, "namespace" | "labels">) => boolean {
  const shielding = policies.map(readyPolicy).filter(({ ingress }) => ingress);
  const byNamespace = Map.groupBy(shielding, ({ policy }) => policy.metadata.namespace ?? "");
  return ({ namespace, labels }) => (byNamespace.get(namespace) ?? []).some(({ selects }) => selects(labels));
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
