import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
  Service,
} from "#api/generated/core-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import { isPodTerminal } from "#api/pod-readiness.ts";
import { podAmounts, type Amounts } from "./pod-amounts.ts";

const one = "1";
const withCount = new Set([
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "pods",
]);

/** What one object takes of the names that quotas count (Kubernetes: "Resource Quotas"). */
export function usageOf(group: string, resource: string, object: ApiObject): Amounts {
  const counted = group === "" ? `count/${resource}` : `count/${resource}.${group}`;
  const out: Amounts = { [counted]: one };
  if (group === "" && withCount.has(resource)) out[resource] = one;
  if (group !== "") return out;
  if (resource === "pods") return { ...out, ...usageOfPod(object as Pod & ApiObject) };
  if (resource === "services") return { ...out, ...usageOfService(object as Service & ApiObject) };
  if (resource === "persistentvolumeclaims")
    return { ...out, ...usageOfClaim(object as PersistentVolumeClaim & ApiObject) };
  return out;
}

const plain = new Set(["cpu", "memory", "ephemeral-storage"]);

function usageOfPod(pod: Pod): Amounts {
  const out: Amounts = { pods: one };
  for (const [name, amount] of Object.entries(podAmounts(pod, "requests"))) {
    out[`requests.${name}`] = amount;
    if (plain.has(name) || name.startsWith("hugepages-")) out[name] = amount;
  }
  for (const [name, amount] of Object.entries(podAmounts(pod, "limits"))) {
    if (plain.has(name)) out[`limits.${name}`] = amount;
  }
  return out;
}

/** Pods that have ended, and pods that have outlived their deletion, take nothing. */
export function countsForQuota(group: string, resource: string, object: ApiObject, now: number): boolean {
  if (group !== "" || resource !== "pods") return true;
  const pod = object as Pod & ApiObject;
  if (isPodTerminal(pod)) return false;
  const deletion = pod.metadata.deletionTimestamp;
  return deletion === undefined || now <= Date.parse(deletion);
}

function usageOfService({ spec }: Service): Amounts {
  const out: Amounts = { services: one };
  const ports = spec.ports?.length ?? 0;
  if (spec.type === "NodePort") out["services.nodeports"] = String(ports);
  if (spec.type === "LoadBalancer") {
    out["services.loadbalancers"] = one;
    const given = (spec.ports ?? []).filter((port) => port.nodePort).length;
    out["services.nodeports"] = spec.allocateLoadBalancerNodePorts === false ? String(given) : String(ports);
  }
  return out;
}

function usageOfClaim({ spec }: PersistentVolumeClaim): Amounts {
  const out: Amounts = { persistentvolumeclaims: one };
  const storage = spec.resources?.requests?.["storage"];
  if (storage !== undefined) out["requests.storage"] = storage;
  if (!spec.storageClassName) return out;
  const suffix = `${spec.storageClassName}.storageclass.storage.k8s.io`;
  out[`${suffix}/persistentvolumeclaims`] = one;
  if (storage !== undefined) out[`${suffix}/requests.storage`] = storage;
  return out;
}

/** Whether a quota is about this object at all: its scopes, all of which must hold. */
export function inScope(quota: ResourceQuota, group: string, resource: string, object: ApiObject): boolean {
  const scopes: readonly ScopedResourceSelectorRequirement[] = [
    ...(quota.spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(quota.spec.scopeSelector?.matchExpressions ?? []),
  ];
  if (scopes.length === 0) return true;
  if (group !== "" || resource !== "pods") return false;
  return scopes.every((scope) => scopeHolds(scope, object as Pod & ApiObject));
}

function scopeHolds(scope: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  switch (scope.scopeName) {
    case "Terminating":
      return pod.spec.activeDeadlineSeconds !== undefined;
    case "NotTerminating":
      return pod.spec.activeDeadlineSeconds === undefined;
    case "BestEffort":
      return isBestEffort(pod);
    case "NotBestEffort":
      return !isBestEffort(pod);
    case "CrossNamespacePodAffinity":
      return usesOtherNamespaces(pod);
    case "PriorityClass":
      return priorityHolds(scope, pod.spec.priorityClassName ?? "");
    default:
      return false;
  }
}

function priorityHolds(scope: ScopedResourceSelectorRequirement, name: string): boolean {
  switch (scope.operator) {
    case "In":
      return scope.values?.includes(name) === true;
    case "NotIn":
      return scope.values?.includes(name) !== true;
    case "Exists":
      return name !== "";
    default:
      return name === "";
  }
}

function isBestEffort(pod: Pod): boolean {
  const named = (amounts: Readonly<Amounts>): boolean =>
    ["cpu", "memory"].some((name) => (amounts[name] ?? "0") !== "0");
  return !named(podAmounts(pod, "requests")) && !named(podAmounts(pod, "limits"));
}

function usesOtherNamespaces({ spec }: Pod): boolean {
  const terms = [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
  ]);
  return terms.some((term) => (term.namespaces ?? []).length !== 0 || term.namespaceSelector !== undefined);
}

/** Resources of which every container must say what it takes when a quota counts them; the name that is missing first. */
export function unstated(pod: Pod, counted: readonly string[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  const containers = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])];
  for (const name of counted) {
    const [which, resource] = splitName(name);
    if (which === undefined || pod.spec.resources?.[which]?.[resource] !== undefined) continue;
    const lacking = containers
      .filter((container) => container.resources?.[which]?.[resource] === undefined)
      .map((container) => container.name);
    if (lacking.length !== 0) out.set(name, lacking);
  }
  return out;
}

function splitName(name: string): ["requests" | "limits" | undefined, string] {
  if (name === "cpu" || name === "memory") return ["requests", name];
  const [which, resource = ""] = name.split(".", 2);
  const known = resource === "cpu" || resource === "memory";
  return known && (which === "requests" || which === "limits") ? [which, resource] : [undefined, ""];
}
