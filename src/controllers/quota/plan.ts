import { resourcequotas } from "#api/generated/resources.ts";
import type { ResourceQuota } from "#api/generated/core-v1.ts";
import type { Resource } from "#api/resource.ts";
import { compareQuantities, formatQuantity, quantityOf } from "#codec/quantity.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import type { QuotaView } from "../views/policy.ts";
import { usageOf, type Counted } from "./usage.ts";

const resource = resourcequotas as Resource<unknown>;

/** Brings a quota's status to what is really used: admission only ever adds to it. */
export function planQuota(quota: QuotaView, counted: Counted, now: number): Plan | undefined {
  if (quota.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, quota);
  const hard = quota.spec.hard ?? {};
  const usage = usageOf(quota, counted, now);
  const used: Record<string, string> = {};
  const changed: string[] = [];
  for (const [name, amount] of Object.entries(usage)) {
    const before = quota.status.used?.[name];
    const isSame = before !== undefined && compareQuantities(quantityOf(before), amount) === 0;
    // Equal amounts keep their text: 1000m and 1 are no change.
    used[name] = isSame ? before : formatQuantity(amount);
    if (!isSame) changed.push(`${name} ${before ?? "unknown"} is ${used[name]}`);
  }
  if (changed.length === 0 && isEqual(quota.status.hard, quota.spec.hard) && isEqual(quota.status.used, used))
    return { actions: [], because };
  const { name, namespace, uid, resourceVersion } = quota;
  const object: ResourceQuota = {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name, namespace, uid, resourceVersion },
    spec: quota.spec,
    status: { hard, used },
  };
  const reason = changed.length === 0 ? "the limits changed" : `recounted: ${changed.slice(0, 5).join(", ")}`;
  return { actions: [{ verb: "update", resource, namespace, name, subresource: "status", object, reason }], because };
}
