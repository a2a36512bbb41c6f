import type { PersistentVolumeClaim, Pod, Service } from "#api/generated/core-v1.ts";
import type { ResourceClaim } from "#api/generated/resource-v1.ts";
import { addAmounts, amountsOf, podLimits, podRequests, type Amounts } from "#api/pod-resources.ts";
import {
  isInQuotaScopes,
  quotaOfClaim,
  quotaOfDevices,
  quotaOfPod,
  quotaOfService,
  takesQuota,
} from "#api/quota-usage.ts";
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
    if (takesQuota(pod, now) && isInQuotaScopes(quota.spec, { pod })) addAmounts(total, podUsage(pod));
  for (const claim of counted.claims) if (isInQuotaScopes(quota.spec, { claim })) addAmounts(total, claimUsage(claim));
  const countsAll = isInQuotaScopes(quota.spec, {});
  if (countsAll) {
    for (const service of counted.services) addAmounts(total, serviceUsage(service));
    for (const claim of counted.deviceClaims) addAmounts(total, amountsOf(quotaOfDevices(claim)));
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

function podUsage(pod: Pod): Amounts {
  return { pods: one, "count/pods": one, ...quotaOfPod(podRequests(pod), podLimits(pod)) };
}

function serviceUsage(service: Service): Amounts {
  return { services: one, "count/services": one, ...amountsOf(quotaOfService(service)) };
}

function claimUsage(claim: PersistentVolumeClaim): Amounts {
  return { persistentvolumeclaims: one, "count/persistentvolumeclaims": one, ...amountsOf(quotaOfClaim(claim)) };
}
