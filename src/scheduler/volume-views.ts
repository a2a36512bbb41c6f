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
import type { NodeView } from "./node-view.ts";

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
  /** It had a volume that is gone. */
  readonly lost: boolean;
  readonly deleting: boolean;
  /** Of the pod for whose ephemeral volume it was made. */
  readonly ownerUid: string | undefined;
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
  /** Of a CSI driver: what counts against the driver's limit on a node. */
  readonly csi: AttachedVolume | undefined;
  /** Labels of which a node must have one of the values. */
  readonly zones: readonly ZoneLabel[];
}

/** A volume that a CSI driver attaches to nodes. */
export interface AttachedVolume {
  readonly driver: string;
  /** Of the volume, or of the claim that it is to be made for. */
  readonly id: string;
}

interface ZoneLabel {
  readonly key: string;
  readonly values: readonly string[];
}

export interface ClassView {
  readonly waits: boolean;
  /** Who makes volumes on demand; undefined: nobody does. */
  readonly provisioner: string | undefined;
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
    lost: status?.phase === "Lost",
    deleting: metadata.deletionTimestamp !== undefined,
    ownerUid: metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid,
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
    csi: spec.csi === undefined ? undefined : { driver: spec.csi.driver, id: `volume ${spec.csi.volumeHandle}` },
    zones: zonesOf(metadata.labels ?? {}),
  }),
};

/** Labels of volumes that say where they can be reached, with the label of nodes that must agree. */
const zoneLabels = {
  "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region": "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
} as const;
const zoneSeparator = "__";
const noZones: readonly ZoneLabel[] = Object.freeze([]);

/** One label may name several zones. https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone */
function zonesOf(labels: Labels): readonly ZoneLabel[] {
  const zones = Object.entries(zoneLabels).flatMap(([label, key]) => {
    const value = labels[label];
    return value === undefined ? [] : [{ key, values: value.split(zoneSeparator) }];
  });
  return zones.length === 0 ? noZones : zones;
}

/** Nodes without any such label stand in a cluster that has no zones: they reach every volume. */
export function isInZones({ zones }: VolumeView, { labels }: NodeView): boolean {
  const isSomewhere = Object.values(zoneLabels).some((key) => labels[key] !== undefined);
  return !isSomewhere || zones.every(({ key, values }) => values.includes(labels[key] ?? ""));
}

export const classDeclaration = {
  resource: storageclasses,
  project: ({ provisioner, volumeBindingMode, allowedTopologies }: StorageClass): ClassView => ({
    waits: volumeBindingMode === "WaitForFirstConsumer",
    provisioner: provisioner === "kubernetes.io/no-provisioner" ? undefined : provisioner,
    topologies: allowedTopologies ?? [],
  }),
};
