import { ageColumn, column, nameColumn } from "../columns.ts";
import type { CSIDriver } from "../generated/storage-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";
import { validateCsiDriverName } from "../validation/pod-spec/volume-sources.ts";

const lifecycleModes = ["Ephemeral", "Persistent"];
const groupPolicies = ["File", "None", "ReadWriteOnceWithFSType"];
const tokenLifetimeMinSeconds = 600;
const updatePeriodMinSeconds = 10;

function validate(errors: FieldErrors, driver: CSIDriver): void {
  const { spec } = driver;
  validateCsiDriverName(errors, "metadata.name", driver.metadata.name);
  for (const name of ["attachRequired", "podInfoOnMount", "storageCapacity"] as const) {
    if (spec[name] === undefined) errors.required(`spec.${name}`);
  }
  if (spec.fsGroupPolicy !== undefined && !groupPolicies.includes(spec.fsGroupPolicy)) {
    errors.notSupported("spec.fsGroupPolicy", spec.fsGroupPolicy, groupPolicies);
  }
  const audiences = new Set<string>();
  spec.tokenRequests?.forEach((request, index) => {
    const at = `spec.tokenRequests[${index}]`;
    if (audiences.has(request.audience)) errors.duplicate(`${at}.audience`, request.audience);
    audiences.add(request.audience);
    if (request.expirationSeconds === undefined) return;
    if (request.expirationSeconds < tokenLifetimeMinSeconds) {
      errors.invalid(
        `${at}.expirationSeconds`,
        request.expirationSeconds,
        "may not specify a duration less than 10 minutes",
      );
    }
    if (request.expirationSeconds > 2 ** 32) {
      errors.invalid(
        `${at}.expirationSeconds`,
        request.expirationSeconds,
        "may not specify a duration larger than 2^32 seconds",
      );
    }
  });
  spec.volumeLifecycleModes?.forEach((mode, index) => {
    if (!lifecycleModes.includes(mode))
      errors.notSupported(`spec.volumeLifecycleModes[${index}]`, mode, lifecycleModes);
  });
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < updatePeriodMinSeconds) {
    errors.invalid(
      "spec.nodeAllocatableUpdatePeriodSeconds",
      period,
      `must be greater than or equal to ${updatePeriodMinSeconds} seconds`,
    );
  }
}

export const csiDriverRules: KindRules<CSIDriver> = {
  defaults({ spec }) {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ["Persistent"];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  validate: (driver) => collect((errors) => validate(errors, driver)),
  validateUpdate: (driver, old) =>
    collect((errors) => {
      for (const name of ["attachRequired", "volumeLifecycleModes"] as const) {
        validateImmutable(errors, `spec.${name}`, driver.spec[name], old.spec[name]);
      }
    }),
  countsGeneration: true,
  columns: [
    nameColumn,
    column(
      "AttachRequired",
      "attachRequired indicates this CSI volume driver requires an attach operation.",
      "boolean",
    ),
    column(
      "PodInfoOnMount",
      "podInfoOnMount indicates this CSI volume driver requires additional pod information during mount operations.",
      "boolean",
    ),
    column(
      "StorageCapacity",
      "storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage capacity.",
      "boolean",
    ),
    column(
      "TokenRequests",
      "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for.",
    ),
    column(
      "RequiresRepublish",
      "requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called.",
      "boolean",
    ),
    column("Modes", "volumeLifecycleModes defines what kind of volumes this CSI volume driver supports."),
    ageColumn,
  ],
  cells: (driver, now) => [
    driver.metadata.name,
    driver.spec.attachRequired ?? true,
    driver.spec.podInfoOnMount ?? false,
    driver.spec.storageCapacity ?? false,
    (driver.spec.tokenRequests ?? []).map((request) => request.audience).join(",") || "<unset>",
    driver.spec.requiresRepublish ?? false,
    (driver.spec.volumeLifecycleModes ?? []).join(",") || "<none>",
    ageOf(driver.metadata.creationTimestamp, now),
  ],
};
