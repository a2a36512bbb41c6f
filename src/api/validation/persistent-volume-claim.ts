import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  TypedLocalObjectReference,
} from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { semanticallyEqual } from "./immutable.ts";
import { validateLabelSelector } from "./label-selector.ts";
import { isDns1123Label, isDns1123Subdomain } from "./names.ts";
import { compare, validateNonNegativeQuantity, validatePositiveQuantity } from "./quantities.ts";

export const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
export const volumeModes = ["Block", "Filesystem"];

export function validateAccessModes(errors: FieldErrors, field: string, modes: readonly string[] | undefined): void {
  let exclusive = false;
  let shared = false;
  modes?.forEach((mode) => {
    if (mode === "ReadWriteOncePod") exclusive = true;
    else if (accessModes.includes(mode)) shared = true;
    if (!accessModes.includes(mode)) errors.notSupported(field, mode, accessModes);
  });
  if (exclusive && shared) errors.forbidden(field, "may not use ReadWriteOncePod with other access modes");
}

function validateDataSource(errors: FieldErrors, field: string, source: TypedLocalObjectReference): void {
  if (!source.name) errors.required(`${field}.name`);
  if (!source.kind) errors.required(`${field}.kind`);
  if (!source.apiGroup && source.kind !== "PersistentVolumeClaim") {
    errors.invalid(field, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  }
  if (source.apiGroup) errors.invalidEach(`${field}.apiGroup`, source.apiGroup, isDns1123Subdomain(source.apiGroup));
}

export function validateClaimSpec(errors: FieldErrors, field: string, spec: PersistentVolumeClaimSpec): void {
  if ((spec.accessModes ?? []).length === 0)
    errors.required(`${field}.accessModes`, "at least 1 access mode is required");
  validateLabelSelector(errors, `${field}.selector`, spec.selector);
  validateAccessModes(errors, `${field}.accessModes`, spec.accessModes);
  const storage = spec.resources?.requests?.["storage"];
  if (storage === undefined) errors.required(`${field}.resources[storage]`);
  else validatePositiveQuantity(errors, `${field}.resources[storage]`, storage);
  if (spec.storageClassName)
    errors.invalidEach(`${field}.storageClassName`, spec.storageClassName, isDns1123Subdomain(spec.storageClassName));
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.notSupported(`${field}.volumeMode`, spec.volumeMode, volumeModes);
  }
  if (spec.dataSource !== undefined) validateDataSource(errors, `${field}.dataSource`, spec.dataSource);
  if (spec.dataSourceRef !== undefined) {
    validateDataSource(errors, `${field}.dataSourceRef`, spec.dataSourceRef);
    if (spec.dataSourceRef.namespace) {
      errors.invalidEach(
        `${field}.dataSourceRef.namespace`,
        spec.dataSourceRef.namespace,
        isDns1123Label(spec.dataSourceRef.namespace),
      );
    }
  }
  if (spec.dataSource !== undefined && spec.dataSourceRef !== undefined && !spec.dataSourceRef.namespace) {
    const { apiGroup, kind, name } = spec.dataSourceRef;
    if (!semanticallyEqual(spec.dataSource, { apiGroup, kind, name })) {
      errors.invalid(field, "", "must match dataSourceRef");
    }
  }
  if (spec.volumeAttributesClassName) {
    errors.invalidEach(
      `${field}.volumeAttributesClassName`,
      spec.volumeAttributesClassName,
      isDns1123Subdomain(spec.volumeAttributesClassName),
    );
  }
}

export function validateClaim(errors: FieldErrors, claim: PersistentVolumeClaim): void {
  validateClaimSpec(errors, "spec", claim.spec);
}

const fixedMessage =
  "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

export function validateClaimUpdate(
  errors: FieldErrors,
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
  context: RuleContext,
): void {
  if (context.subresource === "status") {
    for (const name in claim.status.capacity) {
      validateNonNegativeQuantity(errors, `status.capacity[${name}]`, claim.status.capacity[name] ?? "0");
    }
    return;
  }
  const comparable = { ...claim.spec };
  // The binder fills these once; a claim that is bound may grow.
  if (!old.spec.volumeName) {
    delete comparable.volumeName;
    if (old.spec.volumeName !== undefined) comparable.volumeName = old.spec.volumeName;
  }
  const pending = old.status?.phase !== "Bound";
  if (old.spec.storageClassName === undefined && comparable.storageClassName !== undefined && pending) {
    delete comparable.storageClassName;
  }
  const oldSize = old.spec.resources?.requests?.["storage"] ?? "0";
  const newSize = claim.spec.resources?.requests?.["storage"] ?? "0";
  const growable = old.status?.phase === "Bound";
  if (growable) comparable.resources = old.spec.resources;
  if (growable || old.spec.volumeAttributesClassName !== undefined) {
    delete comparable.volumeAttributesClassName;
    if (old.spec.volumeAttributesClassName !== undefined) {
      comparable.volumeAttributesClassName = old.spec.volumeAttributesClassName;
    }
  }
  if (!semanticallyEqual(comparable, old.spec)) errors.forbidden("spec", fixedMessage);
  if (compare(newSize, oldSize) < 0) {
    const least = old.status?.capacity?.["storage"];
    if (least === undefined || compare(newSize, least) <= 0) {
      errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
  }
  if (old.spec.volumeMode !== claim.spec.volumeMode) {
    errors.invalid("spec.volumeMode", claim.spec.volumeMode, "field is immutable");
  }
}
