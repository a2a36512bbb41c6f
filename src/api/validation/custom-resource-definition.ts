import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from "../generated/apiextensions-v1.ts";
import type { RuleContext } from "../kind.ts";
import { validateClientConfig } from "./admission-registration.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateImmutable } from "./immutable.ts";
import { isDns1035Label, isDns1123Subdomain } from "./names.ts";
import { validateStructural } from "./structural-schema.ts";

const approvedAnnotation = "api-approved.kubernetes.io";
const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["binary", "byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const scopes = ["Cluster", "Namespaced"];
const selectableFieldsMax = 8;
const warningLengthMax = 256;

function isProtected(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group);
}

function validateNames(errors: FieldErrors, field: string, names: CustomResourceDefinitionNames): void {
  if (!names.plural) errors.required(`${field}.plural`);
  else errors.invalidEach(`${field}.plural`, names.plural, isDns1035Label(names.plural));
  if (names.singular) errors.invalidEach(`${field}.singular`, names.singular, isDns1035Label(names.singular));
  for (const name of ["kind", "listKind"] as const) {
    const value = names[name];
    if (!value) {
      errors.required(`${field}.${name}`);
      continue;
    }
    for (const message of isDns1035Label(value.toLowerCase())) {
      errors.invalid(`${field}.${name}`, value, `may have mixed case, but should otherwise match: ${message}`);
    }
  }
  if (names.kind && names.kind === names.listKind)
    errors.invalid(`${field}.listKind`, names.listKind, "kind and listKind may not be the same");
  for (const list of ["shortNames", "categories"] as const) {
    names[list]?.forEach((value, index) =>
      errors.invalidEach(`${field}.${list}[${index}]`, value, isDns1035Label(value)),
    );
  }
}

function validateColumn(errors: FieldErrors, at: string, column: CustomResourceColumnDefinition): void {
  if (!column.name) errors.required(`${at}.name`);
  if (!column.type) errors.required(`${at}.type`, `must be one of ${columnTypes.join(",")}`);
  else if (!columnTypes.includes(column.type))
    errors.invalid(`${at}.type`, column.type, `must be one of ${columnTypes.join(",")}`);
  if (column.format && !columnFormats.includes(column.format))
    errors.invalid(`${at}.format`, column.format, `must be one of ${columnFormats.join(",")}`);
  if (!column.jsonPath) errors.required(`${at}.jsonPath`);
  else if (!/^[.[]/.test(column.jsonPath))
    errors.invalid(`${at}.jsonPath`, column.jsonPath, "must be a valid JSON path");
}

function validatePath(errors: FieldErrors, field: string, path: string | undefined, roots: readonly string[]): void {
  if (!path) {
    errors.required(field);
    return;
  }
  if (!/^(\.[A-Za-z_][A-Za-z0-9_-]*)+$/.test(path))
    errors.invalid(field, path, "must be a simple json path without array notation");
  else if (!roots.some((root) => path.startsWith(root))) {
    errors.invalid(field, path, `should be a json path under ${roots.map((root) => root.slice(0, -1)).join(" or ")}`);
  }
}

function validateSubresources(errors: FieldErrors, at: string, version: CustomResourceDefinitionVersion): void {
  const scale = version.subresources?.scale;
  if (scale === undefined) return;
  validatePath(errors, `${at}.subresources.scale.specReplicasPath`, scale.specReplicasPath, [".spec."]);
  validatePath(errors, `${at}.subresources.scale.statusReplicasPath`, scale.statusReplicasPath, [".status."]);
  if (scale.labelSelectorPath) {
    validatePath(errors, `${at}.subresources.scale.labelSelectorPath`, scale.labelSelectorPath, [".spec.", ".status."]);
  }
}

function validateVersion(errors: FieldErrors, at: string, version: CustomResourceDefinitionVersion): void {
  errors.invalidEach(`${at}.name`, version.name, isDns1035Label(version.name ?? ""));
  if (version.deprecationWarning !== undefined) {
    const field = `${at}.deprecationWarning`;
    if (version.deprecated !== true)
      errors.invalid(field, version.deprecationWarning, "can only be set for deprecated versions");
    if (version.deprecationWarning.trim() === "")
      errors.invalid(field, version.deprecationWarning, "must not be empty");
    if (version.deprecationWarning.length > warningLengthMax)
      errors.invalid(field, version.deprecationWarning, `must be <= ${warningLengthMax} bytes long`);
  }
  const schema = version.schema?.openAPIV3Schema;
  if (schema === undefined) errors.required(`${at}.schema.openAPIV3Schema`, "schemas are required");
  else validateStructural(errors, `${at}.schema.openAPIV3Schema`, schema);
  validateSubresources(errors, at, version);
  const names = new Set<string>();
  version.additionalPrinterColumns?.forEach((column, index) => {
    const field = `${at}.additionalPrinterColumns[${index}]`;
    validateColumn(errors, field, column);
    if (names.has(column.name)) errors.duplicate(`${field}.name`, column.name);
    names.add(column.name);
  });
  const selectable = version.selectableFields ?? [];
  if (selectable.length > selectableFieldsMax)
    errors.tooMany(`${at}.selectableFields`, selectable.length, selectableFieldsMax);
  const paths = new Set<string>();
  selectable.forEach((field, index) => {
    const path = `${at}.selectableFields[${index}].jsonPath`;
    if (!field.jsonPath) errors.required(path);
    else if (!/^(\.[A-Za-z_][A-Za-z0-9_-]*)+$/.test(field.jsonPath))
      errors.invalid(path, field.jsonPath, "must be a simple json path without array notation");
    else if (field.jsonPath.startsWith(".metadata"))
      errors.invalid(path, field.jsonPath, "must not point to fields in metadata");
    if (paths.has(field.jsonPath)) errors.duplicate(path, field.jsonPath);
    paths.add(field.jsonPath);
  });
}

function validateConversion(errors: FieldErrors, conversion: CustomResourceDefinitionSpec["conversion"]): void {
  const field = "spec.conversion";
  const strategy = conversion?.strategy ?? "";
  if (strategy === "") errors.required(`${field}.strategy`);
  else if (strategy !== "None" && strategy !== "Webhook")
    errors.notSupported(`${field}.strategy`, strategy, ["None", "Webhook"]);
  const webhook = conversion?.webhook;
  if (strategy !== "Webhook") {
    if (webhook !== undefined)
      errors.forbidden(`${field}.webhook`, "should not be set when strategy is not set to Webhook");
    return;
  }
  if (webhook?.clientConfig === undefined)
    errors.required(`${field}.webhook.clientConfig`, "required when strategy is set to Webhook");
  else validateClientConfig(errors, `${field}.webhook.clientConfig`, webhook.clientConfig);
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) errors.required(`${field}.webhook.conversionReviewVersions`);
  else if (!versions.some((version) => version === "v1" || version === "v1beta1")) {
    errors.invalid(`${field}.webhook.conversionReviewVersions`, versions, "must include at least one of v1, v1beta1");
  }
}

export function validateDefinition(errors: FieldErrors, definition: CustomResourceDefinition): void {
  const { spec, metadata } = definition;
  const wanted = `${spec.names.plural ?? ""}.${spec.group ?? ""}`;
  if (metadata.name !== wanted)
    errors.invalid("metadata.name", metadata.name ?? "", 'must be spec.names.plural+"."+spec.group');
  if (!spec.group) errors.required("spec.group");
  else {
    errors.invalidEach("spec.group", spec.group, isDns1123Subdomain(spec.group));
    if (!spec.group.includes(".")) errors.invalid("spec.group", spec.group, "should be a domain with at least one dot");
    const approval = metadata.annotations?.[approvedAnnotation];
    if (isProtected(spec.group) && approval === undefined) {
      errors.required(
        `metadata.annotations[${approvedAnnotation}]`,
        `protected groups must have approval annotation "${approvedAnnotation}", see https://github.com/kubernetes/enhancements/pull/1111`,
      );
    }
  }
  errors.oneOf("spec.scope", spec.scope, scopes);
  if (spec.preserveUnknownFields === true) {
    errors.invalid(
      "spec.preserveUnknownFields",
      true,
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    );
  }
  const versions = spec.versions ?? [];
  const names = new Set<string>();
  versions.forEach((version, index) => {
    validateVersion(errors, `spec.versions[${index}]`, version);
    if (names.has(version.name))
      errors.invalid(
        "spec.versions",
        versions.map(({ name }) => name),
        "must contain unique version names",
      );
    names.add(version.name);
  });
  if (versions.filter((version) => version.storage).length !== 1) {
    errors.invalid(
      "spec.versions",
      versions.map(({ name }) => name),
      "must have exactly one version marked as storage version",
    );
  }
  validateNames(errors, "spec.names", spec.names);
  validateConversion(errors, spec.conversion);
}

export function validateDefinitionUpdate(
  errors: FieldErrors,
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
  context: RuleContext,
): void {
  const stored = definition.status?.storedVersions ?? [];
  stored.forEach((version, index) => {
    if (definition.spec.versions?.some(({ name }) => name === version)) return;
    errors.invalid(
      `status.storedVersions[${index}]`,
      version,
      `missing from spec.versions; ${version} was previously a storage version, and must remain in ` +
        `spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ` +
        `${version} from status.storedVersions`,
    );
  });
  if (context.subresource === "status") return;
  validateImmutable(errors, "spec.group", definition.spec.group, old.spec.group);
  validateImmutable(errors, "spec.names.plural", definition.spec.names.plural, old.spec.names.plural);
  const established = old.status?.conditions?.some(
    (condition) => condition.type === "Established" && condition.status === "True",
  );
  if (established !== true) return;
  validateImmutable(errors, "spec.scope", definition.spec.scope, old.spec.scope);
  validateImmutable(errors, "spec.names.kind", definition.spec.names.kind, old.spec.names.kind);
}
