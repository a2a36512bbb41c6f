import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimStatus,
  PersistentVolumeSpec,
} from "#api/generated/core-v1.ts";
import type { ObjectMeta } from "#api/generated/meta-v1.ts";
import { persistentvolumeclaims, persistentvolumes, storageclasses } from "#api/generated/resources.ts";
import type { StorageClass } from "#api/generated/storage-v1.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { keyOf, objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

const betaClassAnnotation = "volume.beta.kubernetes.io/storage-class";
/** The node on which a claim's first pod is to run: the scheduler writes it, provisioners read it. */
export const selectedNodeAnnotation = "volume.kubernetes.io/selected-node";

export interface ClaimView extends ObjectView {
  readonly spec: PersistentVolumeClaimSpec;
  readonly status: PersistentVolumeClaimStatus;
  /** "" when it wants volumes without a class. */
  readonly className: string;
  /** It names no class: the default one is meant, when there is one. */
  readonly wantsDefault: boolean;
}

export interface VolumeView extends ObjectView {
  readonly spec: PersistentVolumeSpec;
  readonly phase: string;
  readonly className: string;
}

export interface StorageClassView extends ObjectView {
  readonly metadata: ObjectMeta;
  readonly provisioner: string;
  readonly reclaimPolicy: string;
  /** Claims wait until a pod that uses them has a node. */
  readonly waits: boolean;
  readonly mountOptions: readonly string[];
}

export const claimDeclaration: InformerDeclaration<PersistentVolumeClaim, ClaimView> = {
  resource: persistentvolumeclaims,
  indexes: {
    ...objectIndexes,
    class: (claim) => [claim.className],
    /** By the volume that it names. */
    volume: ({ spec: { volumeName } }) => (volumeName === undefined || volumeName === "" ? [] : [volumeName]),
  },
  project: (claim) => ({
    ...objectView(claim.metadata),
    spec: claim.spec,
    status: claim.status ?? {},
    className: classOf(claim) ?? "",
    wantsDefault: classOf(claim) === undefined,
  }),
};

export const volumeDeclaration: InformerDeclaration<PersistentVolume, VolumeView> = {
  resource: persistentvolumes,
  indexes: {
    ...objectIndexes,
    /** Volumes that nobody claimed, by class. */
    free: (volume) => (volume.spec.claimRef === undefined ? [volume.className] : []),
    /** By the node that has its folder. */
    node: ({ annotations }) =>
      annotations["steersman.dev/node"] === undefined ? [] : [annotations["steersman.dev/node"]],
    /** By the claim that it is bound to or kept for. */
    claim: ({ spec: { claimRef } }) =>
      claimRef === undefined ? [] : [keyOf(claimRef.namespace ?? "", claimRef.name ?? "")],
  },
  project: (volume) => ({
    ...objectView(volume.metadata),
    spec: volume.spec,
    phase: volume.status?.phase ?? "Pending",
    className: classOf(volume) ?? "",
  }),
};

function classOf({ spec, metadata }: PersistentVolumeClaim | PersistentVolume): string | undefined {
  return spec.storageClassName ?? metadata.annotations?.[betaClassAnnotation];
}

export const storageClassDeclaration: InformerDeclaration<StorageClass, StorageClassView> = {
  resource: storageclasses,
  indexes: objectIndexes,
  project: (one) => ({
    ...objectView(one.metadata),
    metadata: one.metadata,
    provisioner: one.provisioner,
    reclaimPolicy: one.reclaimPolicy ?? "Delete",
    waits: one.volumeBindingMode === "WaitForFirstConsumer",
    mountOptions: one.mountOptions ?? [],
  }),
};
