import { selectorOfObject } from "#api/selectors.ts";
import { compareQuantities, quantityOf } from "#codec/quantity.ts";
import type { ClaimView, VolumeView } from "../views/storage.ts";

const zero = quantityOf("0");

/**
 * The smallest volume that gives a claim what it asks for: class, mode, access modes, labels and size. Pure.
 * https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
 */
export function smallestMatch(claim: ClaimView, free: readonly VolumeView[]): VolumeView | undefined {
  let best: VolumeView | undefined;
  for (const volume of free) {
    if (volume.phase !== "Available" || !suits(claim, volume)) continue;
    if (best === undefined || compareQuantities(sizeOf(volume), sizeOf(best)) < 0) best = volume;
  }
  return best;
}

/** Whether a volume has all that a claim asks for. */
export function suits(claim: ClaimView, volume: VolumeView): boolean {
  if (volume.deletionMs !== undefined || volume.className !== claim.className) return false;
  if ((volume.spec.volumeMode ?? "Filesystem") !== (claim.spec.volumeMode ?? "Filesystem")) return false;
  if (!(claim.spec.accessModes ?? []).every((mode) => volume.spec.accessModes?.includes(mode) === true)) return false;
  if (claim.spec.selector !== undefined && !selectorOfObject(claim.spec.selector).matches(volume.labels)) return false;
  return compareQuantities(sizeOf(volume), quantityOf(claim.spec.resources?.requests?.["storage"] ?? "0")) >= 0;
}

function sizeOf(volume: VolumeView): ReturnType<typeof quantityOf> {
  const text = volume.spec.capacity?.["storage"];
  return text === undefined ? zero : quantityOf(text);
}
