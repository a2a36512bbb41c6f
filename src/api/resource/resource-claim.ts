import { ageColumn, column, nameColumn } from "../columns.ts";
import type { DeviceClaim, ResourceClaim } from "../generated/resource-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { validateDeviceClaim } from "../validation/resource-claim.ts";

const reservedMax = 256;

/** Requests without a mode ask for one device. */
export function defaultDeviceClaim(claim: DeviceClaim | undefined): void {
  for (const request of claim?.requests ?? []) {
    for (const one of [
      ...(request.exactly === undefined ? [] : [request.exactly]),
      ...(request.firstAvailable ?? []),
    ]) {
      if (!one.allocationMode) one.allocationMode = "ExactCount";
      if (one.allocationMode === "ExactCount" && !one.count) one.count = 1;
      for (const toleration of one.tolerations ?? []) if (!toleration.operator) toleration.operator = "Equal";
    }
  }
}

function stateOf(claim: ResourceClaim): string {
  const states: string[] = [];
  if (claim.metadata.deletionTimestamp !== undefined) states.push("deleted");
  if (claim.status?.allocation === undefined) {
    if (claim.metadata.deletionTimestamp === undefined) states.push("pending");
  } else {
    states.push("allocated");
    states.push((claim.status.reservedFor?.length ?? 0) > 0 ? "reserved" : "");
  }
  return states.filter((state) => state !== "").join(",");
}

export const resourceClaimRules: KindRules<ResourceClaim> = {
  ...separateStatus<ResourceClaim>(() => ({})),
  defaults: (claim) => defaultDeviceClaim(claim.spec.devices),
  validate: (claim) => collect((errors) => validateDeviceClaim(errors, "spec.devices", claim.spec.devices)),
  validateUpdate: (claim, old, context) =>
    collect((errors) => {
      if (context.subresource !== "status") {
        if (!semanticallyEqual(claim.spec, old.spec)) errors.invalid("spec", claim.spec, "field is immutable");
        return;
      }
      const reserved = claim.status.reservedFor ?? [];
      if (reserved.length > reservedMax) errors.tooMany("status.reservedFor", reserved.length, reservedMax);
      if (reserved.length > 0 && claim.status.allocation === undefined) {
        errors.forbidden("status.reservedFor", "may not be specified when `allocated` is not set");
      }
      if (old.status?.allocation !== undefined && claim.status.allocation !== undefined) {
        if (!semanticallyEqual(claim.status.allocation, old.status.allocation)) {
          errors.invalid("status.allocation", claim.status.allocation, "field is immutable");
        }
      }
    }),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("State", "A summary of the current state (allocated, pending, reserved, etc.)."),
    ageColumn,
  ],
  cells: (claim, now) => [claim.metadata.name, stateOf(claim), ageOf(claim.metadata.creationTimestamp, now)],
};
