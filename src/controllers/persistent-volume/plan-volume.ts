import { persistentvolumes } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import type { VolumeView } from "../views/storage.ts";
import { isLocallyProvisioned } from "./provision.ts";

const resource = persistentvolumes as Resource<unknown>;

/**
 * What a volume is, seen from the claim it names: free, released, or to be deleted with its claim. `claimUid` is the uid of
 * that claim as the server has it now; undefined when there is none. Pure.
 */
export function planVolume(volume: VolumeView, claimUid: string | undefined): Plan | undefined {
  if (volume.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, volume);
  const wanted = volume.spec.claimRef?.uid;
  if (wanted === undefined) return { because, actions: phase(volume, "Available", "no claim has taken the volume") };
  // Its claim says when both are bound.
  if (claimUid === wanted) return undefined;
  const reason = `the claim that the volume was bound to is gone`;
  if (volume.phase !== "Released") return { because, actions: phase(volume, "Released", reason) };
  if (volume.spec.persistentVolumeReclaimPolicy !== "Delete" || !isLocallyProvisioned(volume)) return undefined;
  return { because, actions: [remove(volume)] };
}

function phase(volume: VolumeView, wanted: string, reason: string): Action[] {
  if (volume.phase === wanted) return [];
  const { name, uid, resourceVersion } = volume;
  const patch = { metadata: { uid, resourceVersion }, status: { phase: wanted } };
  return [{ verb: "patch", resource, name, type: "merge", subresource: "status", patch, reason }];
}

function remove(volume: VolumeView): Action {
  const { name, uid, resourceVersion } = volume;
  const reason = "its claim is gone and its reclaim policy is Delete";
  const message = `cannot delete volume ${name}: `;
  const failureEvent = {
    about: aboutOf(resource, volume),
    type: "Warning" as const,
    eventReason: "VolumeFailedDelete",
    message,
  };
  return { verb: "delete", resource, name, uid, resourceVersion, reason, failureEvent };
}
