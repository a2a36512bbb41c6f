import { persistentvolumeclaims, persistentvolumes } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { referenceOf } from "../ownership.ts";
import type { ClaimView, VolumeView } from "../views/storage.ts";

export const claimFinalizer = "kubernetes.io/pvc-protection";
export const volumeFinalizer = "kubernetes.io/pv-protection";
const claims = persistentvolumeclaims as Resource<unknown>;
const volumes = persistentvolumes as Resource<unknown>;

/** A claim that is to go stays while a pod with a node uses it. Pure. */
export function planClaimProtection(claim: ClaimView, users: number): Plan | undefined {
  const isOver = claim.deletionMs !== undefined && claim.finalizers.includes(claimFinalizer) && users === 0;
  if (!isOver) return undefined;
  return {
    because: referenceOf(claims, claim),
    actions: [release(claims, claim, claimFinalizer, "no pod uses the claim")],
  };
}

/** A volume that is to go stays while it is bound to a claim. Pure. */
export function planVolumeProtection(volume: VolumeView): Plan | undefined {
  const isOver =
    volume.deletionMs !== undefined && volume.finalizers.includes(volumeFinalizer) && volume.phase !== "Bound";
  if (!isOver) return undefined;
  const reason = `the volume is ${volume.phase.toLowerCase()} and bound to no claim`;
  return { because: referenceOf(volumes, volume), actions: [release(volumes, volume, volumeFinalizer, reason)] };
}

function release(resource: Resource<unknown>, view: ObjectView, finalizer: string, reason: string): Action {
  const { namespace, name, uid, resourceVersion } = view;
  const finalizers = view.finalizers.filter((one) => one !== finalizer);
  const patch = { metadata: { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } };
  return { verb: "patch", resource, ...(namespace === "" ? {} : { namespace }), name, type: "merge", patch, reason };
}
