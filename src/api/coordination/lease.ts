import { ageColumn, column, nameColumn } from "../columns.ts";
import type { Lease } from "../generated/coordination-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";

function validateLease(errors: FieldErrors, lease: Lease): void {
  const spec = lease.spec ?? {};
  errors.positive("spec.leaseDurationSeconds", spec.leaseDurationSeconds);
  errors.nonNegative("spec.leaseTransitions", spec.leaseTransitions);
  if (spec.strategy !== undefined && spec.strategy !== "OldestEmulationVersion") {
    errors.notSupported("spec.strategy", spec.strategy, ["OldestEmulationVersion"]);
  }
  if (spec.preferredHolder && spec.strategy === undefined) {
    errors.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined");
  }
}

export const leaseRules: KindRules<Lease> = {
  validate: (lease) => collect((errors) => validateLease(errors, lease)),
  columns: [
    nameColumn,
    column("Holder", "holderIdentity contains the identity of the holder of a current lease."),
    ageColumn,
  ],
  cells: (lease, now) => [
    lease.metadata.name,
    lease.spec?.holderIdentity ?? "",
    ageOf(lease.metadata.creationTimestamp, now),
  ],
};
