import { formatTime } from "#codec/time.ts";
import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import type { PersistentVolume } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validatePersistentVolume, validatePersistentVolumeUpdate } from "../validation/persistent-volume.ts";
import { formatAccessModes } from "./persistent-volume-claim.ts";

const classAnnotation = "volume.beta.kubernetes.io/storage-class";
const status = separateStatus<PersistentVolume>(() => ({ phase: "Pending" }));

export const persistentVolumeRules: KindRules<PersistentVolume> = {
  defaults(volume) {
    if (!volume.status?.phase) volume.status = { ...volume.status, phase: "Pending" };
    if (!volume.spec.persistentVolumeReclaimPolicy) volume.spec.persistentVolumeReclaimPolicy = "Retain";
    volume.spec.volumeMode ??= "Filesystem";
    if (volume.spec.hostPath !== undefined) volume.spec.hostPath.type ??= "";
  },
  prepareCreate(volume, context) {
    volume.status = { phase: "Pending", lastPhaseTransitionTime: formatTime(context.now) };
  },
  prepareUpdate(volume, old, context) {
    status.prepareUpdate(volume, old, context);
    if (context.subresource !== "status" || volume.status.phase === old.status.phase) return;
    if (volume.status.lastPhaseTransitionTime === old.status.lastPhaseTransitionTime) {
      volume.status.lastPhaseTransitionTime = formatTime(context.now);
    }
  },
  validate: (volume) => collect((errors) => validatePersistentVolume(errors, volume)),
  validateUpdate: (volume, old, context) =>
    collect((errors) => validatePersistentVolumeUpdate(errors, volume, old, context)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Capacity", "capacity is the description of the persistent volume's resources and capacity."),
    column("Access Modes", "accessModes contains all ways the volume can be mounted."),
    column(
      "Reclaim Policy",
      "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim.",
    ),
    column("Status", "phase indicates if a volume is available, bound to a claim, or released by a claim."),
    column("Claim", "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim."),
    column("StorageClass", "storageClassName is the name of StorageClass to which this persistent volume belongs."),
    column("VolumeAttributesClass", "Name of VolumeAttributesClass to which this persistent volume belongs."),
    column("Reason", "reason is a brief CamelCase string that describes any failure."),
    ageColumn,
    wideColumn(
      "VolumeMode",
      "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state.",
    ),
  ],
  cells: (volume, now) => [
    volume.metadata.name,
    volume.spec.capacity?.["storage"] ?? "0",
    formatAccessModes(volume.spec.accessModes),
    volume.spec.persistentVolumeReclaimPolicy ?? "",
    volume.metadata.deletionTimestamp === undefined ? (volume.status?.phase ?? "") : "Terminating",
    volume.spec.claimRef === undefined
      ? ""
      : `${volume.spec.claimRef.namespace ?? ""}/${volume.spec.claimRef.name ?? ""}`,
    volume.metadata.annotations?.[classAnnotation] ?? volume.spec.storageClassName ?? "",
    volume.spec.volumeAttributesClassName ?? "<unset>",
    volume.status?.reason ?? "",
    ageOf(volume.metadata.creationTimestamp, now),
    volume.spec.volumeMode ?? "<unset>",
  ],
};
