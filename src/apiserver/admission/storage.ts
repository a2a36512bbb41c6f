import { persistentvolumeclaims, persistentvolumes, storageclasses } from "#api/generated/resources.ts";
import { defaultClass } from "#api/storage/storage-class.ts";
import { compareQuantities, quantityOf } from "#codec/quantity.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { getStored, listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { allow, forbid, isAbout, objectOf, oldObjectOf } from "./request.ts";

const betaClassAnnotation = "volume.beta.kubernetes.io/storage-class";

/** A claim that names no class gets the default one; of several, the newest. */
export function defaultStorageClass(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "DefaultStorageClass",
    mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, persistentvolumeclaims)) return allow;
      const claim = objectOf(request, persistentvolumeclaims);
      if (claim === undefined || claim.spec.storageClassName !== undefined) return allow;
      if (claim.metadata.annotations?.[betaClassAnnotation] !== undefined) return allow;
      const name = defaultClass(listStored(objects, storageclasses));
      if (name !== undefined) claim.spec.storageClassName = name;
      return allow;
    },
  };
}

/** Volumes and claims stay until nobody uses them: a controller takes the finalizer away then. */
export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: "StorageObjectInUseProtection",
    mutate(request) {
      if (request.operation !== "CREATE") return allow;
      if (isAbout(request, persistentvolumeclaims))
        addFinalizer(objectOf(request, persistentvolumeclaims), "kubernetes.io/pvc-protection");
      if (isAbout(request, persistentvolumes))
        addFinalizer(objectOf(request, persistentvolumes), "kubernetes.io/pv-protection");
      return allow;
    },
  };
}

function addFinalizer(object: { metadata: { finalizers?: string[] } } | undefined, finalizer: string): void {
  if (object === undefined || object.metadata.finalizers?.includes(finalizer) === true) return;
  (object.metadata.finalizers ??= []).push(finalizer);
}

/** A claim grows only when it is bound and its class lets it. */
export function persistentVolumeClaimResize(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "PersistentVolumeClaimResize",
    validate(request) {
      if (request.operation !== "UPDATE" || !isAbout(request, persistentvolumeclaims)) return allow;
      const claim = objectOf(request, persistentvolumeclaims);
      const old = oldObjectOf(request, persistentvolumeclaims);
      const [asked, before] = [
        claim?.spec.resources?.requests?.["storage"],
        old?.spec.resources?.requests?.["storage"],
      ];
      if (asked === undefined || before === undefined || compareQuantities(quantityOf(asked), quantityOf(before)) <= 0)
        return allow;
      if (old?.status.phase !== "Bound") return forbid("Only bound persistent volume claims can be expanded");
      const className = claim?.spec.storageClassName ?? "";
      const allowed =
        className !== "" && getStored(objects, storageclasses, undefined, className)?.allowVolumeExpansion === true;
      const message =
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
      return allowed ? allow : forbid(message);
    },
  };
}
