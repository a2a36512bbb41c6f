import type { PersistentVolumeClaim, Pod, Service } from "#api/generated/core-v1.ts";
import type { ResourceClaim } from "#api/generated/resource-v1.ts";
import { addAmounts, type Amounts } from "#api/pod-resources.ts";
import { isInQuotaScopes, quotaOf, takesQuota, type QuotaSubject } from "#api/quota-usage.ts";
import { quantityFromInteger } from "#codec/quantity.ts";
import type { QuotaView } from "../views/policy.ts";

const zero = quantityFromInteger(0);
const one = quantityFromInteger(1);

/** The objects of a namespace that a quota counts by more than their number. */
export interface Counted {
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly claims: readonly PersistentVolumeClaim[];
  readonly deviceClaims: readonly ResourceClaim[];
  /** Number of objects by `resource` or `resource.group`. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** What is used of each name in `spec.hard`; names that nothing uses are 0, those that nobody knows too. */
export function usageOf(quota: QuotaView, counted: Counted, now: number): Amounts {
  const total: Amounts = {};
  for (const pod of counted.pods)
    if (takesQuota(pod, now) && isInQuotaScopes(quota.spec, { pod })) addAmounts(total, oneOf("pods", { pod }));
  for (const claim of counted.claims)
    if (isInQuotaScopes(quota.spec, { claim })) addAmounts(total, oneOf("persistentvolumeclaims", { claim }));
  const countsAll = isInQuotaScopes(quota.spec, {});
  if (countsAll) {
    for (const service of counted.services) addAmounts(total, quotaOf({ service }));
    for (const deviceClaim of counted.deviceClaims) addAmounts(total, quotaOf({ deviceClaim }));
  }
  const used: Amounts = {};
  for (const name of Object.keys(quota.spec.hard ?? {}))
    used[name] = total[name] ?? (countsAll ? numberOf(name, counted) : zero);
  return used;
}

function numberOf(name: string, { numbers }: Counted): Amounts[string] {
  const resource = name.startsWith("count/") ? name.slice("count/".length) : name;
  return quantityFromInteger(numbers.get(resource) ?? 0);
}

/** Of these not all may be in the quota's scopes: their number is that of those that are. */
function oneOf(resource: "pods" | "persistentvolumeclaims", subject: QuotaSubject): Amounts {
  return { [resource]: one, [`count/${resource}`]: one, ...quotaOf(subject) };
}
