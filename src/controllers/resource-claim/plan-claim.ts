import { resourceclaims } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import type { ResourceClaimView } from "../views/resource-claim.ts";

const finalizer = "resource.kubernetes.io/delete-protection";
const resource = resourceclaims as Resource<unknown>;

export interface ObservedClaim {
  readonly claim: ResourceClaimView;
  /** Whether the pod with this name and uid may still run; true as well for users that are no pods. */
  readonly uses: (user: { readonly name: string; readonly uid: string }) => boolean;
}

/** Takes users that are gone out of a claim, its devices with the last of them, and the claim of a pod that will not run. Pure. */
export function planClaim({ claim, uses }: ObservedClaim): Plan {
  const because = referenceOf(resource, claim);
  const left = claim.reservedFor.filter((user) => user.resource !== "pods" || !isCore(user.apiGroup) || uses(user));
  if (left.length < claim.reservedFor.length) return { actions: [take(claim, left)], because };
  if (left.length > 0) return { actions: [], because };
  if (claim.deletionMs !== undefined) {
    if (claim.isAllocated) return { actions: [take(claim, [])], because };
    return { actions: claim.finalizers.includes(finalizer) ? [letGo(claim)] : [], because };
  }
  const owner = claim.controller?.kind === "Pod" ? claim.controller : undefined;
  if (owner === undefined || uses(owner)) return { actions: [], because };
  return { actions: [removal(claim, owner.name)], because };
}

function isCore(group: string | undefined): boolean {
  return group === undefined || group === "";
}

function take(claim: ResourceClaimView, left: ResourceClaimView["reservedFor"]): Action {
  const gone = claim.reservedFor.filter((user) => !left.includes(user)).map(({ name }) => name);
  const users = gone.length === 0 ? "nobody uses the claim" : `no longer used by ${gone.join(", ")}`;
  const isLast = left.length === 0;
  const status = { reservedFor: isLast ? null : left, ...(isLast ? { allocation: null } : {}) };
  const reason = isLast ? `${users}; its devices are free` : `${users}; ${left.length} users are left`;
  return patch(claim, { status }, reason, "status");
}

function letGo(claim: ResourceClaimView): Action {
  const finalizers = claim.finalizers.filter((one) => one !== finalizer);
  return patch(claim, { metadata: { finalizers } }, "it is being deleted and holds no devices");
}

function removal(claim: ResourceClaimView, pod: string): Action {
  const { namespace, name, uid, resourceVersion } = claim;
  const reason = `it was made for pod ${pod}, which will not run any more`;
  return { verb: "delete", resource, namespace, name, uid, resourceVersion, reason };
}

function patch(
  { namespace, name, uid, resourceVersion }: ResourceClaimView,
  change: { readonly metadata?: object; readonly status?: object },
  reason: string,
  subresource?: "status",
): Action {
  const metadata = { ...change.metadata, uid, resourceVersion };
  return {
    verb: "patch",
    resource,
    namespace,
    name,
    type: "merge",
    ...(subresource === undefined ? {} : { subresource }),
    patch: { ...change, metadata },
    reason,
  };
}
