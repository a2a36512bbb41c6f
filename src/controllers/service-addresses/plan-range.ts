import { servicecidrs } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeText } from "#reconcile/object-view.ts";
import { referenceOf } from "../ownership.ts";
import type { ServiceRangeView } from "../views/network.ts";

const resource = servicecidrs as Resource<unknown>;
const rangeFinalizer = "networking.k8s.io/service-cidr-finalizer";

const ready = { status: "True", reason: "", message: "Kubernetes Service CIDR is ready" } as const;
const terminating = {
  status: "False",
  reason: "Terminating",
  message: "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
} as const;

/**
 * A range of Services' addresses says that it is ready, and goes only when no address is left that lies in no other range. Pure.
 * `left` counts those addresses; only asked of a range that is to go.
 */
export function planRange(range: ServiceRangeView, left: () => number, now: number): Plan | undefined {
  const isHeld = range.finalizers.includes(rangeFinalizer);
  const isGoing = range.deletionMs !== undefined;
  if (isGoing && !isHeld) return undefined;
  const because = referenceOf(resource, range);
  if (isGoing && left() === 0) {
    const finalizers = range.finalizers.filter((one) => one !== rangeFinalizer);
    return { because, actions: [setFinalizers(range, finalizers, "no address of the range is left")] };
  }
  if (!isHeld) {
    const reason = "the range must not go while Services have addresses of it";
    return { because, actions: [setFinalizers(range, [...range.finalizers, rangeFinalizer], reason)] };
  }
  const status = setReady(range, isGoing ? terminating : ready, now);
  return status === undefined ? undefined : { because, actions: [status] };
}

function setFinalizers(range: ServiceRangeView, finalizers: readonly string[], reason: string): Action {
  const { name, uid, resourceVersion } = range;
  const patch = { metadata: { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } };
  return { verb: "patch", resource, name, type: "merge", patch, reason };
}

function setReady(range: ServiceRangeView, wanted: typeof ready | typeof terminating, now: number): Action | undefined {
  const old = range.conditions.find(({ type }) => type === "Ready");
  if (old?.status === wanted.status && old.reason === wanted.reason && old.message === wanted.message) return undefined;
  const changed = old?.status === wanted.status ? old.lastTransitionTime : timeText(now);
  const condition = { type: "Ready", ...wanted, lastTransitionTime: changed };
  const conditions = [...range.conditions.filter(({ type }) => type !== "Ready"), condition];
  const { name, uid, resourceVersion } = range;
  const patch = { metadata: { uid, resourceVersion }, status: { conditions } };
  return { verb: "patch", resource, name, type: "merge", subresource: "status", patch, reason: wanted.message };
}
