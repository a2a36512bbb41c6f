import { ageColumn, column, nameColumn } from "../columns.ts";
import type { CSIStorageCapacity } from "../generated/storage-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";
import { validateLabelSelector } from "../validation/label-selector.ts";
import { isDns1123Subdomain } from "../validation/names.ts";
import { validateNonNegativeQuantity } from "../validation/quantities.ts";

export const csiStorageCapacityRules: KindRules<CSIStorageCapacity> = {
  validate: (capacity) =>
    collect((errors) => {
      errors.invalidEach(
        "storageClassName",
        capacity.storageClassName,
        isDns1123Subdomain(capacity.storageClassName ?? ""),
      );
      validateLabelSelector(errors, "nodeTopology", capacity.nodeTopology);
      for (const name of ["capacity", "maximumVolumeSize"] as const) {
        if (capacity[name] !== undefined) validateNonNegativeQuantity(errors, name, capacity[name]);
      }
    }),
  validateUpdate: (capacity, old) =>
    collect((errors) => {
      validateImmutable(errors, "nodeTopology", capacity.nodeTopology, old.nodeTopology);
      validateImmutable(errors, "storageClassName", capacity.storageClassName, old.storageClassName);
    }),
  columns: [
    nameColumn,
    column(
      "StorageClassName",
      "storageClassName represents the name of the StorageClass that the reported capacity applies to.",
    ),
    column("Capacity", "capacity is the value reported by the CSI driver in its GetCapacityResponse."),
    ageColumn,
  ],
  cells: (capacity, now) => [
    capacity.metadata.name,
    capacity.storageClassName,
    capacity.capacity ?? "<unset>",
    ageOf(capacity.metadata.creationTimestamp, now),
  ],
};
