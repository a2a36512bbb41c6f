/** What quotas count, and of which objects: one rule for what is admitted and for what is told (Kubernetes: "Resource Quotas"). */
import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
  Service,
} from "./generated/core-v1.ts";
import { isPodTerminal } from "./pod-readiness.ts";
import { qosClassOf } from "./pod-resources.ts";

const plain: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

/** Pods that have ended, and pods that have outlived their deletion, take nothing. `now` in milliseconds since 1970. */
export function takesQuota(pod: Pod, now: number): boolean {
  const { deletionTimestamp } = pod.metadata;
  return !isPodTerminal(pod) && (deletionTimestamp === undefined || now <= Date.parse(deletionTimestamp));
}

/** Whether all scopes of a quota hold of a pod; `undefined` stands for objects of other kinds, of which none does. */
export function isInQuotaScopes({ scopes = [], scopeSelector }: ResourceQuotaSpec, pod: Pod | undefined): boolean {
  const all = [
    ...scopes.map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
  return all.every((scope) => pod !== undefined && scopeHolds(scope, pod));
}

function scopeHolds({ scopeName, operator, values = [] }: ScopedResourceSelectorRequirement, pod: Pod): boolean {
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
    const terms = [...required, ...preferred.map(({ podAffinityTerm }) => podAffinityTerm)];
    return terms.some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined);
  });
}

/** Under the names of quotas, what a pod asks for and may use. */
export function quotaOfPod<Amount>(
  requests: Readonly<Record<string, Amount>>,
  limits: Readonly<Record<string, Amount>>,
): Record<string, Amount> {
  const usage: Record<string, Amount> = {};
  for (const [name, amount] of Object.entries(requests)) {
    usage[`requests.${name}`] = amount;
    if (plain.has(name) || name.startsWith("hugepages-")) usage[name] = amount;
  }
  for (const [name, amount] of Object.entries(limits)) if (plain.has(name)) usage[`limits.${name}`] = amount;
  return usage;
}

/** What a Service takes beside its place among the Services. */
export function quotaOfService({ spec }: Service): Record<string, string> {
  const { type, ports = [], allocateLoadBalancerNodePorts } = spec;
  const isBalanced = type === "LoadBalancer";
  if (!isBalanced && type !== "NodePort") return {};
  const withNodePort =
    isBalanced && allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort = 0 }) => nodePort !== 0) : ports;
  const nodePorts = { "services.nodeports": String(withNodePort.length) };
  return isBalanced ? { "services.loadbalancers": "1", ...nodePorts } : nodePorts;
}

/** What a claim takes beside its place among the claims: its storage, also of its class. */
export function quotaOfClaim({ spec }: PersistentVolumeClaim): Record<string, string> {
  const storage = spec.resources?.requests?.["storage"];
  const taken: Record<string, string> = storage === undefined ? {} : { "requests.storage": storage };
  const { storageClassName = "" } = spec;
  if (storageClassName === "") return taken;
  const prefix = `${storageClassName}.storageclass.storage.k8s.io/`;
  const ofClass = Object.entries({ persistentvolumeclaims: "1", ...taken });
  return { ...taken, ...Object.fromEntries(ofClass.map(([name, amount]) => [`${prefix}${name}`, amount])) };
}
