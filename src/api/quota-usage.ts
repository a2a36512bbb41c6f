/** What quotas count, and of which objects: one rule for what is admitted and for what is told (Kubernetes: "Resource Quotas"). */
import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
  Service,
} from "./generated/core-v1.ts";
import type { ResourceClaim } from "./generated/resource-v1.ts";
import { isPodTerminal } from "./pod-readiness.ts";
import { amountsOf, podLimits, podRequests, qosClassOf, type Amounts } from "./pod-resources.ts";

const plain: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

/** Pods that have ended, and pods that have outlived their deletion, take nothing. `now` in milliseconds since 1970. */
export function takesQuota(pod: Pod, now: number): boolean {
  const { deletionTimestamp } = pod.metadata;
  return !isPodTerminal(pod) && (deletionTimestamp === undefined || now <= Date.parse(deletionTimestamp));
}

/** One object of which a quota counts more than that it is there; none of them for objects of other kinds. */
export interface QuotaSubject {
  readonly pod?: Pod;
  readonly claim?: PersistentVolumeClaim;
  readonly service?: Service;
  readonly deviceClaim?: ResourceClaim;
}

/** What an object takes beside its place among those of its kind. */
export function quotaOf({ pod, claim, service, deviceClaim }: QuotaSubject): Amounts {
  if (pod !== undefined) return quotaOfPod(podRequests(pod), podLimits(pod));
  if (claim !== undefined) return amountsOf(quotaOfClaim(claim));
  if (service !== undefined) return amountsOf(quotaOfService(service));
  return deviceClaim === undefined ? {} : amountsOf(quotaOfDevices(deviceClaim));
}

/** Whether all scopes of a quota hold of an object: they are about pods and claims of storage, of others none does. */
export function isInQuotaScopes({ scopes = [], scopeSelector }: ResourceQuotaSpec, subject: QuotaSubject): boolean {
  const all = [
    ...scopes.map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
  const { pod, claim } = subject;
  return all.every((scope) =>
    scope.scopeName === "VolumeAttributesClass"
      ? claim !== undefined && isOfVolumeAttributesClass(scope, claim)
      : pod !== undefined && scopeHolds(scope, pod),
  );
}

/** The class that a claim asks for, has, or is on its way to: one of them is enough. */
function isOfVolumeAttributesClass(
  { operator, values = [] }: ScopedResourceSelectorRequirement,
  { spec, status }: PersistentVolumeClaim,
): boolean {
  const named = [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].flatMap((name) => name || []);
  if (operator === "In") return named.some((name) => values.includes(name));
  if (operator === "NotIn") return named.length === 0 || named.some((name) => !values.includes(name));
  return (operator === "Exists") === named.length > 0;
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
function quotaOfPod(requests: Amounts, limits: Amounts): Amounts {
  const usage: Amounts = {};
  for (const [name, amount] of Object.entries(requests)) {
    usage[`requests.${name}`] = amount;
    if (plain.has(name) || name.startsWith("hugepages-")) usage[name] = amount;
  }
  for (const [name, amount] of Object.entries(limits)) if (plain.has(name)) usage[`limits.${name}`] = amount;
  return usage;
}

/** What a Service takes beside its place among the Services. */
function quotaOfService({ spec }: Service): Record<string, string> {
  const { type, ports = [], allocateLoadBalancerNodePorts } = spec;
  const isBalanced = type === "LoadBalancer";
  if (!isBalanced && type !== "NodePort") return {};
  const withNodePort =
    isBalanced && allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort = 0 }) => nodePort !== 0) : ports;
  const nodePorts = { "services.nodeports": String(withNodePort.length) };
  return isBalanced ? { "services.loadbalancers": "1", ...nodePorts } : nodePorts;
}

/** A claim of devices that asks for all there are is reckoned with as many as a claim can ever have. */
const devicesOfClaimMax = 32;
export const quotaOfDevicesSuffix = ".deviceclass.resource.k8s.io/devices";

/** What a claim of devices takes of each class: of alternatives the one that takes most. */
function quotaOfDevices({ spec }: ResourceClaim): Record<string, string> {
  const total: Record<string, number> = {};
  for (const { exactly, firstAvailable = [] } of spec.devices?.requests ?? []) {
    const most: Record<string, number> = {};
    for (const { deviceClassName, allocationMode, count = 1 } of exactly === undefined ? firstAvailable : [exactly]) {
      const devices = allocationMode === "All" ? devicesOfClaimMax : count;
      most[deviceClassName] = Math.max(most[deviceClassName] ?? 0, devices);
    }
    for (const [name, devices] of Object.entries(most)) total[name] = (total[name] ?? 0) + devices;
  }
  return Object.fromEntries(
    Object.entries(total).map(([name, devices]) => [`${name}${quotaOfDevicesSuffix}`, String(devices)]),
  );
}

/** What a claim takes beside its place among the claims: its storage, also of its class. */
function quotaOfClaim({ spec }: PersistentVolumeClaim): Record<string, string> {
  const storage = spec.resources?.requests?.["storage"];
  const taken: Record<string, string> = storage === undefined ? {} : { "requests.storage": storage };
  const { storageClassName = "" } = spec;
  if (storageClassName === "") return taken;
  const prefix = `${storageClassName}.storageclass.storage.k8s.io/`;
  const ofClass = Object.entries({ persistentvolumeclaims: "1", ...taken });
  return { ...taken, ...Object.fromEntries(ofClass.map(([name, amount]) => [`${prefix}${name}`, amount])) };
}
