import type { KindRules, ObjectMetadata } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { immutableMessage } from "./immutable.ts";
import { isQualifiedName, validateAnnotations, validateLabels } from "./labels.ts";
import type { NameCheck } from "./names.ts";
import { isDns1035Label, isDns1123Label, isDns1123Subdomain, isPathSegmentName, maskTrailingDash } from "./names.ts";

const standardFinalizers: ReadonlySet<string> = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

/** Keys of managers in managedFields may not be longer. */
const fieldManagerLengthMax = 128;

const nameChecks: Record<NonNullable<KindRules["nameFormat"]>, NameCheck> = {
  "dns1123-subdomain": isDns1123Subdomain,
  "dns1123-label": isDns1123Label,
  "dns1035-label": isDns1035Label,
  "path-segment": isPathSegmentName,
};

export interface MetadataOptions {
  readonly namespaced: boolean;
  readonly nameFormat?: KindRules["nameFormat"] | undefined;
  /** Custom resources may carry finalizers without a domain; built-in kinds only those of the house. */
  readonly custom?: boolean;
}

/** Everything that holds for the metadata of every object: names, labels, annotations, owners, finalizers. */
export function validateMetadata(
  errors: FieldErrors,
  field: string,
  metadata: ObjectMetadata,
  options: MetadataOptions,
): void {
  const check = nameChecks[options.nameFormat ?? "dns1123-subdomain"];
  if (metadata.generateName !== undefined && metadata.generateName !== "") {
    errors.invalidEach(`${field}.generateName`, metadata.generateName, check(maskTrailingDash(metadata.generateName)));
  }
  if (metadata.name === undefined || metadata.name === "") {
    errors.required(`${field}.name`, "name or generateName is required");
  } else {
    errors.invalidEach(`${field}.name`, metadata.name, check(metadata.name));
  }
  validateNamespace(errors, `${field}.namespace`, metadata.namespace, options.namespaced);
  errors.nonNegative(`${field}.generation`, metadata.generation);
  validateLabels(errors, `${field}.labels`, metadata.labels);
  validateAnnotations(errors, `${field}.annotations`, metadata.annotations);
  validateOwnerReferences(errors, `${field}.ownerReferences`, metadata.ownerReferences);
  validateFinalizers(errors, `${field}.finalizers`, metadata.finalizers, options.custom === true);
  validateManagedFields(errors, `${field}.managedFields`, metadata.managedFields);
}

function validateNamespace(
  errors: FieldErrors,
  field: string,
  namespace: string | undefined,
  namespaced: boolean,
): void {
  if (namespaced) {
    if (namespace === undefined || namespace === "") errors.required(field);
    else errors.invalidEach(field, namespace, isDns1123Label(namespace));
  } else if (namespace !== undefined && namespace !== "") {
    errors.forbidden(field, "not allowed on this type");
  }
}

function validateOwnerReferences(errors: FieldErrors, field: string, owners: ObjectMetadata["ownerReferences"]): void {
  let controller: string | undefined;
  owners?.forEach((owner, index) => {
    const at = `${field}[${index}]`;
    const group = owner.apiVersion?.split("/") ?? [];
    if (!owner.apiVersion || (group.length === 2 ? group[1] : group[0]) === "") {
      errors.invalid(`${at}.apiVersion`, owner.apiVersion ?? "", "version must not be empty");
    } else if (group.length > 2) {
      errors.invalid(`${at}.apiVersion`, owner.apiVersion, `unexpected GroupVersion string: ${owner.apiVersion}`);
    }
    if (!owner.kind) errors.invalid(`${at}.kind`, owner.kind ?? "", "must not be empty");
    if (!owner.name) errors.invalid(`${at}.name`, owner.name ?? "", "must not be empty");
    if (!owner.uid) errors.invalid(`${at}.uid`, owner.uid ?? "", "must not be empty");
    if (owner.apiVersion === "v1" && owner.kind === "Event") {
      errors.invalid(at, owner, "/v1, Kind=Event is disallowed from being an owner");
    }
    if (owner.controller !== true) return;
    if (controller === undefined) controller = owner.name;
    else {
      errors.invalid(
        field,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
      );
    }
  });
}

/** Finalizers are qualified names; those of the house need no prefix. */
export function validateFinalizerName(errors: FieldErrors, field: string, name: string): void {
  errors.invalidEach(field, name, isQualifiedName(name));
  if (!name.includes("/") && !standardFinalizers.has(name)) {
    errors.invalid(field, name, "name is neither a standard finalizer name nor is it fully qualified");
  }
}

function validateFinalizers(
  errors: FieldErrors,
  field: string,
  finalizers: readonly string[] | undefined,
  custom: boolean,
): void {
  if (finalizers === undefined) return;
  finalizers.forEach((finalizer, index) => {
    if (custom) errors.invalidEach(field, finalizer, isQualifiedName(finalizer));
    else validateFinalizerName(errors, `${field}[${index}]`, finalizer);
  });
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.invalid(field, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
  }
}

function validateManagedFields(errors: FieldErrors, field: string, entries: readonly unknown[] | undefined): void {
  entries?.forEach((entry, index) => {
    const { operation, fieldsType, manager } = entry as { operation?: string; fieldsType?: string; manager?: string };
    const at = `${field}[${index}]`;
    if (operation !== "Apply" && operation !== "Update") {
      errors.invalid(`${at}.operation`, operation ?? "", "must be `Apply` or `Update`");
    }
    if (fieldsType !== undefined && fieldsType !== "" && fieldsType !== "FieldsV1") {
      errors.invalid(`${at}.fieldsType`, fieldsType, "must be `FieldsV1`");
    }
    if (manager !== undefined && manager.length > fieldManagerLengthMax)
      errors.tooLong(`${at}.manager`, fieldManagerLengthMax);
  });
}

const fixedFields = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

/** What an update may not change. The server has filled the fields that the client left out. */
export function validateMetadataUpdate(
  errors: FieldErrors,
  field: string,
  metadata: ObjectMetadata,
  old: ObjectMetadata,
): void {
  for (const name of fixedFields) {
    if ((metadata[name] ?? "") !== (old[name] ?? ""))
      errors.invalid(`${field}.${name}`, metadata[name], immutableMessage);
  }
  if ((metadata.generation ?? 0) < (old.generation ?? 0)) {
    errors.invalid(`${field}.generation`, metadata.generation ?? 0, "must not be decremented");
  }
  if (old.deletionTimestamp !== undefined) validateNoNewFinalizers(errors, field, metadata, old);
}

function validateNoNewFinalizers(
  errors: FieldErrors,
  field: string,
  metadata: ObjectMetadata,
  old: ObjectMetadata,
): void {
  const known = new Set(old.finalizers);
  const added = (metadata.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  if (added.length === 0) return;
  const shown = JSON.stringify(added);
  errors.forbidden(
    `${field}.finalizers`,
    `no new finalizers can be added if the object is being deleted, found new finalizers []string{${shown.slice(1, -1)}}`,
  );
}
