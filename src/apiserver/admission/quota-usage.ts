import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from "#api/generated/core-v1.ts";
import type { ResourceClaim } from "#api/generated/resource-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Amounts } from "#api/pod-resources.ts";
import { isInQuotaScopes, quotaOf, takesQuota, type QuotaSubject } from "#api/quota-usage.ts";
import { quantityFromInteger } from "#codec/quantity.ts";

const one = quantityFromInteger(1);
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
  return { ...out, ...quotaOf(subjectOf(group, resource, object)) };
}

function subjectOf(group: string, resource: string, object: ApiObject): QuotaSubject {
  switch (group === "" ? resource : `${resource}.${group}`) {
    case "pods":
      return { pod: object as Pod & ApiObject };
    case "services":
      return { service: object as Service & ApiObject };
    case "persistentvolumeclaims":
      return { claim: object as PersistentVolumeClaim & ApiObject };
    case "resourceclaims.resource.k8s.io":
      return { deviceClaim: object as ResourceClaim & ApiObject };
    default:
      return {};
  }
}

/** Whether an object takes anything of a quota now. */
export function countsForQuota(group: string, resource: string, object: ApiObject, now: number): boolean {
  return group !== "" || resource !== "pods" || takesQuota(object as Pod & ApiObject, now);
}

/** Whether a quota is about this object at all: its scopes, all of which must hold. */
export function inScope(quota: ResourceQuota, group: string, resource: string, object: ApiObject): boolean {
  return isInQuotaScopes(quota.spec, subjectOf(group, resource, object));
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
