import type { PersistentVolumeClaim, Pod, ScopedResourceSelectorRequirement, Service } from "#api/generated/core-v1.ts";
import { isPodTerminal } from "#api/pod-readiness.ts";
import { addAmounts, podLimits, podRequests, qosClassOf, type Amounts } from "#api/pod-resources.ts";
import { quantityFromInteger, quantityOf } from "#codec/quantity.ts";
import type { QuotaView } from "../views/policy.ts";

const one = quantityFromInteger(1);
const plain: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

/** The objects of a namespace that a quota counts by more than their number. */
export interface Counted {
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly claims: readonly PersistentVolumeClaim[];
  /** Number of objects by `resource` or `resource.group`. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** What is used of each name in `spec.hard`; names that nothing uses are 0, those that nobody knows too. */
export function usageOf(quota: QuotaView, counted: Counted, now: number): Amounts {
  const total: Amounts = {};
  for (const pod of counted.pods) if (takes(pod, now) && inScope(quota, pod)) addAmounts(total, podUsage(pod));
  if (scopesOf(quota).length === 0) {
    for (const service of counted.services) addAmounts(total, serviceUsage(service));
    for (const claim of counted.claims) addAmounts(total, claimUsage(claim));
  }
  const used: Amounts = {};
  for (const name of Object.keys(quota.spec.hard ?? {})) used[name] = total[name] ?? numberOf(name, counted);
  return used;
}

function numberOf(name: string, { numbers }: Counted): Amounts[string] {
  const resource = name.startsWith("count/") ? name.slice("count/".length) : name;
  return quantityFromInteger(numbers.get(resource) ?? 0);
}

/** Pods that have ended, and pods that outlived their deletion, take nothing. */
function takes(pod: Pod, now: number): boolean {
  if (isPodTerminal(pod)) return false;
  const { deletionTimestamp } = pod.metadata;
  return deletionTimestamp === undefined || Date.parse(deletionTimestamp) >= now;
}

function podUsage(pod: Pod): Amounts {
  const usage: Amounts = { pods: one, "count/pods": one };
  for (const [name, amount] of Object.entries(podRequests(pod))) {
    usage[`requests.${name}`] = amount;
    if (plain.has(name) || name.startsWith("hugepages-")) usage[name] = amount;
  }
  for (const [name, amount] of Object.entries(podLimits(pod))) if (plain.has(name)) usage[`limits.${name}`] = amount;
  return usage;
}

function serviceUsage({ spec }: Service): Amounts {
  const usage: Amounts = { services: one, "count/services": one };
  const ports = spec.ports ?? [];
  const isBalanced = spec.type === "LoadBalancer";
  if (isBalanced) usage["services.loadbalancers"] = one;
  const assigned = ports.filter((port) => (port.nodePort ?? 0) !== 0).length;
  const hasAll = spec.type === "NodePort" || (isBalanced && spec.allocateLoadBalancerNodePorts !== false);
  if (hasAll || isBalanced) usage["services.nodeports"] = quantityFromInteger(hasAll ? ports.length : assigned);
  return usage;
}

function claimUsage({ spec }: PersistentVolumeClaim): Amounts {
  const usage: Amounts = { persistentvolumeclaims: one, "count/persistentvolumeclaims": one };
  const text = spec.resources?.requests?.["storage"];
  const storage = text === undefined ? undefined : quantityOf(text);
  if (storage !== undefined) usage["requests.storage"] = storage;
  const { storageClassName } = spec;
  if (storageClassName === undefined || storageClassName === "") return usage;
  const suffix = `${storageClassName}.storageclass.storage.k8s.io`;
  usage[`${suffix}/persistentvolumeclaims`] = one;
  if (storage !== undefined) usage[`${suffix}/requests.storage`] = storage;
  return usage;
}

function scopesOf(quota: QuotaView): readonly ScopedResourceSelectorRequirement[] {
  const plainScopes = (quota.spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" }));
  return [...plainScopes, ...(quota.spec.scopeSelector?.matchExpressions ?? [])];
}

function inScope(quota: QuotaView, pod: Pod): boolean {
  return scopesOf(quota).every((scope) => isHeld(scope, pod));
}

function isHeld({ scopeName, operator, values = [] }: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  switch (scopeName) {
    case "Terminating":
      return pod.spec.activeDeadlineSeconds !== undefined;
    case "NotTerminating":
      return pod.spec.activeDeadlineSeconds === undefined;
    case "BestEffort":
      return qosClassOf(pod) === "BestEffort";
    case "NotBestEffort":
      return qosClassOf(pod) !== "BestEffort";
    case "CrossNamespacePodAffinity":
      return namesOtherNamespaces(pod);
    case "PriorityClass": {
      const name = pod.spec.priorityClassName ?? "";
      if (operator === "In") return values.includes(name);
      if (operator === "NotIn") return !values.includes(name);
      return (operator === "Exists") === (name !== "");
    }
    default:
      return false;
  }
}

function namesOtherNamespaces({ spec }: Pod): boolean {
  return [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].some((affinity) => {
    const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const terms = [...required, ...preferred.map((weighted) => weighted.podAffinityTerm)];
    return terms.some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined);
  });
}
