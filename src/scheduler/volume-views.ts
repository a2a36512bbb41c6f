import type { LabelSelector } from "#api/generated/meta-v1.ts";
import type {
  NodeSelectorTerm,
  PersistentVolume,
  PersistentVolumeClaim,
  TopologySelectorTerm,
} from "#api/generated/core-v1.ts";
import { persistentvolumeclaims, persistentvolumes, storageclasses } from "#api/generated/resources.ts";
import type { StorageClass } from "#api/generated/storage-v1.ts";
import { amountsOf } from "./amounts.ts";
import type { Labels } from "#api/label-match.ts";

/** The node for which a claim is to be given a volume: we write it, provisioners read it. */
export const selectedNodeAnnotation = "volume.kubernetes.io/selected-node";
const bindCompleted = "pv.kubernetes.io/bind-completed";
const betaClassAnnotation = "volume.beta.kubernetes.io/storage-class";

/** What the scheduler keeps of a claim. */
export interface ClaimView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly volumeName: string;
  /** Claim and volume name each other, and nodes may mount it. */
  readonly bound: boolean;
  readonly deleting: boolean;
  readonly className: string;
  readonly selectedNode: string | undefined;
  /** Of ReadWriteOncePod: one pod at a time. */
  readonly exclusive: boolean;
  readonly accessModes: readonly string[];
  readonly volumeMode: string;
  readonly selector: LabelSelector | undefined;
  readonly bytes: number;
}

/** What the scheduler keeps of a volume. */
export interface VolumeView {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Labels;
  readonly className: string;
  /** `namespace/name` of the claim that has it; undefined while it is free. */
  readonly claim: string | undefined;
  readonly claimUid: string | undefined;
  readonly available: boolean;
  readonly nodes: readonly NodeSelectorTerm[] | undefined;
  readonly accessModes: readonly string[];
  readonly volumeMode: string;
  readonly bytes: number;
}

export interface ClassView {
  readonly waits: boolean;
  /** Volumes are made on demand. */
  readonly provisions: boolean;
  readonly topologies: readonly TopologySelectorTerm[];
}

export const claimDeclaration = {
  resource: persistentvolumeclaims,
  project: ({ metadata, spec, status }: PersistentVolumeClaim): ClaimView => ({
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    volumeName: spec.volumeName ?? "",
    bound: status?.phase === "Bound" && metadata.annotations?.[bindCompleted] !== undefined,
    deleting: metadata.deletionTimestamp !== undefined,
    className: spec.storageClassName ?? metadata.annotations?.[betaClassAnnotation] ?? "",
    selectedNode: metadata.annotations?.[selectedNodeAnnotation],
    exclusive: spec.accessModes?.includes("ReadWriteOncePod") === true,
    accessModes: spec.accessModes ?? [],
    volumeMode: spec.volumeMode ?? "Filesystem",
    selector: spec.selector,
    bytes: amountsOf(spec.resources?.requests).get("storage") ?? 0,
  }),
};

export const volumeDeclaration = {
  resource: persistentvolumes,
  indexes: { free: (volume: VolumeView): readonly string[] => (volume.claim === undefined ? [volume.className] : []) },
  project: ({ metadata, spec, status }: PersistentVolume): VolumeView => ({
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    labels: metadata.labels ?? {},
    className: spec.storageClassName ?? metadata.annotations?.[betaClassAnnotation] ?? "",
    claim: spec.claimRef === undefined ? undefined : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`,
    claimUid: spec.claimRef?.uid,
    available: status?.phase === "Available" && metadata.deletionTimestamp === undefined,
    nodes: spec.nodeAffinity?.required?.nodeSelectorTerms,
    accessModes: spec.accessModes ?? [],
    volumeMode: spec.volumeMode ?? "Filesystem",
    bytes: amountsOf(spec.capacity).get("storage") ?? 0,
  }),
};

export const classDeclaration = {
  resource: storageclasses,
  project: ({ provisioner, volumeBindingMode, allowedTopologies }: StorageClass): ClassView => ({
    waits: volumeBindingMode === "WaitForFirstConsumer",
    provisions: provisioner !== "kubernetes.io/no-provisioner",
    topologies: allowedTopologies ?? [],
  }),
};
