import type { PersistentVolume, PersistentVolumeSpec } from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { immutableMessage, semanticallyEqual } from "./immutable.ts";
import { isDns1123Subdomain } from "./names.ts";
import { validateNoBacksteps } from "./paths.ts";
import { accessModes, validateAccessModes, volumeModes } from "./persistent-volume-claim.ts";
import { validateNodeSelector } from "./pod-spec/scheduling.ts";
import { sourceValidators, validateCsiDriverName } from "./pod-spec/volume-sources.ts";
import { isStandardResource, validatePositiveQuantity } from "./quantities.ts";

const reclaimPolicies = ["Delete", "Recycle", "Retain"];
const sources = [
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "hostPath",
  "glusterfs",
  "nfs",
  "rbd",
  "iscsi",
  "cinder",
  "cephfs",
  "fc",
  "flocker",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "quobyte",
  "azureDisk",
  "photonPersistentDisk",
  "portworxVolume",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const satisfies readonly (keyof PersistentVolumeSpec)[];

function validateSource(errors: FieldErrors, spec: PersistentVolumeSpec): void {
  let count = 0;
  for (const name of sources) {
    const source = spec[name];
    if (source === undefined) continue;
    if (++count > 1) {
      errors.forbidden(`spec.${name}`, "may not specify more than 1 volume type");
      continue;
    }
    switch (name) {
      case "local":
        if (!spec.local?.path) errors.required("spec.local.path");
        else validateNoBacksteps(errors, "spec.local.path", spec.local.path);
        if (spec.nodeAffinity?.required === undefined)
          errors.required("spec.nodeAffinity", "Local volume requires node affinity");
        break;
      case "csi":
        validateCsiDriverName(errors, "spec.csi.driver", spec.csi?.driver);
        if (!spec.csi?.volumeHandle) errors.required("spec.csi.volumeHandle");
        break;
      case "hostPath":
      case "nfs":
      case "iscsi":
      case "fc": {
        const check = sourceValidators[name] as (errors: FieldErrors, field: string, source: object) => void;
        check(errors, `spec.${name}`, source);
        break;
      }
      default:
    }
  }
  if (count === 0) errors.required("spec", "must specify a volume type");
}

export function validatePersistentVolume(errors: FieldErrors, volume: PersistentVolume): void {
  const { spec } = volume;
  if ((spec.accessModes ?? []).length === 0)
    errors.required("spec.accessModes", `supported modes: ${accessModes.join(", ")}`);
  validateAccessModes(errors, "spec.accessModes", spec.accessModes);
  const capacity = Object.keys(spec.capacity ?? {});
  if (capacity.length === 0) errors.required("spec.capacity");
  if (spec.capacity?.["storage"] === undefined || capacity.length > 1)
    errors.notSupported("spec.capacity", capacity, ["storage"]);
  for (const name of capacity) {
    if (isStandardResource(name))
      validatePositiveQuantity(errors, `spec.capacity[${name}]`, spec.capacity?.[name] ?? "0");
  }
  if (spec.persistentVolumeReclaimPolicy && !reclaimPolicies.includes(spec.persistentVolumeReclaimPolicy)) {
    errors.notSupported("spec.persistentVolumeReclaimPolicy", spec.persistentVolumeReclaimPolicy, reclaimPolicies);
  }
  if (spec.nodeAffinity !== undefined) {
    if (spec.nodeAffinity.required === undefined)
      errors.required("spec.nodeAffinity.required", "must specify required node constraints");
    else validateNodeSelector(errors, "spec.nodeAffinity.required", spec.nodeAffinity.required);
  }
  validateSource(errors, spec);
  if (spec.hostPath?.path === "/" && spec.persistentVolumeReclaimPolicy === "Recycle") {
    errors.forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'");
  }
  if (spec.storageClassName)
    errors.invalidEach("spec.storageClassName", spec.storageClassName, isDns1123Subdomain(spec.storageClassName));
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.notSupported("spec.volumeMode", spec.volumeMode, volumeModes);
  }
}

export function validatePersistentVolumeUpdate(
  errors: FieldErrors,
  volume: PersistentVolume,
  old: PersistentVolume,
  context: RuleContext,
): void {
  if (context.subresource === "status") return;
  const changed = sources.some((name) => name !== "csi" && !semanticallyEqual(volume.spec[name], old.spec[name]));
  if (
    changed ||
    volume.spec.csi?.volumeHandle !== old.spec.csi?.volumeHandle ||
    volume.spec.csi?.driver !== old.spec.csi?.driver
  ) {
    errors.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation");
  }
  if (volume.spec.volumeMode !== old.spec.volumeMode)
    errors.invalid("spec.volumeMode", volume.spec.volumeMode, immutableMessage);
  if (old.spec.nodeAffinity !== undefined && !semanticallyEqual(volume.spec.nodeAffinity, old.spec.nodeAffinity)) {
    errors.invalid(
      "spec.nodeAffinity",
      volume.spec.nodeAffinity,
      "field is immutable, except for updating from beta label to GA",
    );
  }
}
