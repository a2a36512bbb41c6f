import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import { defaultClaimSpec } from "../defaults/volumes.ts";
import type { PersistentVolumeClaim } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateClaim, validateClaimUpdate } from "../validation/persistent-volume-claim.ts";

const shortModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

/** `RWO,ROX` */
export function formatAccessModes(modes: readonly string[] | undefined): string {
  const order = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
  return order
    .filter((mode) => modes?.includes(mode))
    .map((mode) => shortModes[mode] ?? mode)
    .join(",");
}

const classAnnotation = "volume.beta.kubernetes.io/storage-class";

export const persistentVolumeClaimRules: KindRules<PersistentVolumeClaim> = {
  ...separateStatus<PersistentVolumeClaim>(() => ({ phase: "Pending" })),
  defaults(claim) {
    if (!claim.status?.phase) claim.status = { ...claim.status, phase: "Pending" };
    defaultClaimSpec(claim.spec);
    copyDataSource(claim);
  },
  validate: (claim) => collect((errors) => validateClaim(errors, claim)),
  validateUpdate: (claim, old, context) => collect((errors) => validateClaimUpdate(errors, claim, old, context)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Status", "phase represents the current phase of PersistentVolumeClaim."),
    column("Volume", "volumeName is the binding reference to the PersistentVolume backing this claim."),
    column("Capacity", "capacity represents the actual resources of the underlying volume."),
    column("Access Modes", "accessModes contains the actual access modes the volume backing the PVC has."),
    column("StorageClass", "storageClassName is the name of the StorageClass required by the claim."),
    column(
      "VolumeAttributesClass",
      "volumeAttributesClassName may be used to set the VolumeAttributesClass used by this claim.",
    ),
    ageColumn,
    wideColumn("VolumeMode", "volumeMode defines what type of volume is required by the claim."),
  ],
  cells(claim, now) {
    const bound = claim.spec.volumeName !== undefined && claim.spec.volumeName !== "";
    return [
      claim.metadata.name,
      claim.metadata.deletionTimestamp === undefined ? (claim.status?.phase ?? "") : "Terminating",
      claim.spec.volumeName ?? "",
      bound ? (claim.status?.capacity?.["storage"] ?? "0") : "",
      bound ? formatAccessModes(claim.status?.accessModes) : "",
      claim.metadata.annotations?.[classAnnotation] ?? claim.spec.storageClassName ?? "",
      claim.spec.volumeAttributesClassName ?? "<unset>",
      ageOf(claim.metadata.creationTimestamp, now),
      claim.spec.volumeMode ?? "<unset>",
    ];
  },
};

/** Two fields for one thing: each fills the other, unless the source lies in another namespace. */
function copyDataSource(claim: PersistentVolumeClaim): void {
  const { dataSource, dataSourceRef } = claim.spec;
  if (dataSource !== undefined && dataSourceRef === undefined) claim.spec.dataSourceRef = { ...dataSource };
  else if (dataSourceRef !== undefined && dataSource === undefined && !dataSourceRef.namespace) {
    const { namespace: _namespace, ...local } = dataSourceRef;
    claim.spec.dataSource = local;
  }
}
