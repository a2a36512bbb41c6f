import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ObjectMeta } from "../generated/meta-v1.ts";
import type { StorageClass } from "../generated/storage-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual, validateImmutable } from "../validation/immutable.ts";
import { isQualifiedName, validateLabelKey } from "../validation/labels.ts";
import { utf8Length } from "../validation/names.ts";

const defaultAnnotation = "storageclass.kubernetes.io/is-default-class";
const betaDefaultAnnotation = "storageclass.beta.kubernetes.io/is-default-class";
const parametersMax = 512;
const parametersSizeMaxBytes = 256 * 1024;
const bindingModes = ["Immediate", "WaitForFirstConsumer"];
const reclaimPolicies = ["Delete", "Retain"];

/** The name of the class for claims that name none: of several that say so, the newest. Pure. */
export function defaultClass(classes: readonly { readonly metadata: ObjectMeta }[]): string | undefined {
  const isDefault = ({ annotations }: ObjectMeta): boolean =>
    [defaultAnnotation, betaDefaultAnnotation].some((name) => annotations?.[name] === "true");
  const order = (a: ObjectMeta, b: ObjectMeta): number => {
    const [older = "", newer = ""] = [a.creationTimestamp, b.creationTimestamp];
    if (older !== newer) return older < newer ? 1 : -1;
    return (a.name ?? "") < (b.name ?? "") ? -1 : 1;
  };
  return classes
    .map(({ metadata }) => metadata)
    .filter(isDefault)
    .sort(order)[0]?.name;
}

export function validateParameters(
  errors: FieldErrors,
  field: string,
  parameters: Record<string, string> | undefined,
): void {
  const names = Object.keys(parameters ?? {});
  if (names.length > parametersMax) errors.tooLong(field, parametersMax);
  let bytes = 0;
  for (const name of names) {
    if (name === "") errors.invalid(field, name, "field can not be empty.");
    bytes += utf8Length(name) + utf8Length(parameters?.[name] ?? "");
  }
  if (bytes > parametersSizeMaxBytes) errors.tooLong(field, parametersSizeMaxBytes);
}

function validate(errors: FieldErrors, object: StorageClass): void {
  if (!object.provisioner) errors.required("provisioner");
  else errors.invalidEach("provisioner", object.provisioner, isQualifiedName(object.provisioner.toLowerCase()));
  validateParameters(errors, "parameters", object.parameters);
  if (object.reclaimPolicy !== undefined && !reclaimPolicies.includes(object.reclaimPolicy)) {
    errors.notSupported("reclaimPolicy", object.reclaimPolicy, reclaimPolicies);
  }
  if (object.volumeBindingMode === undefined) errors.required("volumeBindingMode");
  else if (!bindingModes.includes(object.volumeBindingMode))
    errors.notSupported("volumeBindingMode", object.volumeBindingMode, bindingModes);
  object.allowedTopologies?.forEach((term, index) => {
    const at = `allowedTopologies[${index}]`;
    if ((term.matchLabelExpressions ?? []).length === 0) errors.required(`${at}.matchLabelExpressions`);
    const keys = new Set<string>();
    term.matchLabelExpressions?.forEach((requirement, position) => {
      const field = `${at}.matchLabelExpressions[${position}]`;
      validateLabelKey(errors, `${field}.key`, requirement.key);
      if (keys.has(requirement.key)) errors.duplicate(`${field}.key`, requirement.key);
      keys.add(requirement.key);
      if ((requirement.values ?? []).length === 0) errors.required(`${field}.values`);
    });
  });
}

export const storageClassRules: KindRules<StorageClass> = {
  defaults(object) {
    object.reclaimPolicy ??= "Delete";
    object.volumeBindingMode ??= "Immediate";
  },
  validate: (object) => collect((errors) => validate(errors, object)),
  validateUpdate: (object, old) =>
    collect((errors) => {
      if (!semanticallyEqual(object.parameters, old.parameters))
        errors.forbidden("parameters", "updates to parameters are forbidden.");
      if (object.provisioner !== old.provisioner)
        errors.forbidden("provisioner", "updates to provisioner are forbidden.");
      if (object.reclaimPolicy !== old.reclaimPolicy)
        errors.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.");
      validateImmutable(errors, "volumeBindingMode", object.volumeBindingMode, old.volumeBindingMode);
    }),
  columns: [
    nameColumn,
    column("Provisioner", "provisioner indicates the type of the provisioner."),
    column(
      "ReclaimPolicy",
      "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class.",
    ),
    column(
      "VolumeBindingMode",
      "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.",
    ),
    column("AllowVolumeExpansion", "allowVolumeExpansion shows whether the storage class allow volume expand."),
    ageColumn,
  ],
  cells(object, now) {
    const { annotations } = object.metadata;
    const isDefault = annotations?.[defaultAnnotation] === "true" || annotations?.[betaDefaultAnnotation] === "true";
    return [
      isDefault ? `${object.metadata.name ?? ""} (default)` : object.metadata.name,
      object.provisioner,
      object.reclaimPolicy ?? "Delete",
      object.volumeBindingMode ?? "<unset>",
      object.allowVolumeExpansion ?? false,
      ageOf(object.metadata.creationTimestamp, now),
    ];
  },
};
