import type { ResourceQuota, ScopedResourceSelectorRequirement } from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { semanticallyEqual } from "./immutable.ts";
import { isQualifiedName } from "./labels.ts";
import { isHugePage, isIntegerResource, isStandardQuotaResource, validateNonNegativeQuantity } from "./quantities.ts";

const scopes = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];

const podResources: ReadonlySet<string> = new Set([
  "cpu",
  "memory",
  "requests.cpu",
  "requests.memory",
  "limits.cpu",
  "limits.memory",
  "pods",
]);

function scopeCovers(scope: string, name: string): boolean {
  switch (scope) {
    case "BestEffort":
      return name === "pods";
    case "VolumeAttributesClass":
      return name === "persistentvolumeclaims" || name === "requests.storage";
    default:
      return (
        podResources.has(name) ||
        isHugePage(name) ||
        name.includes("/") ||
        name.startsWith("requests.") ||
        name.startsWith("limits.")
      );
  }
}

function validateName(errors: FieldErrors, field: string, name: string): void {
  const messages = isQualifiedName(name);
  errors.invalidEach(field, name, messages);
  if (messages.length > 0 || name.includes("/") || name.startsWith("count/")) return;
  if (!isStandardQuotaResource(name)) errors.invalid(field, name, "must be a standard resource for quota");
}

function validateScopes(errors: FieldErrors, quota: ResourceQuota): void {
  const list = quota.spec.scopes ?? [];
  const set = new Set(list);
  const names = Object.keys(quota.spec.hard ?? {});
  for (const scope of set) {
    if (!scopes.includes(scope)) errors.invalid("spec.scopes", list, "unsupported scope");
    else if (!names.every((name) => scopeCovers(scope, name)))
      errors.invalid("spec.scopes", list, "unsupported scope applied to resource");
  }
  for (const pair of [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
  ]) {
    if (pair.every((scope) => set.has(scope))) errors.invalid("spec.scopes", list, "conflicting scopes");
  }
  if (set.size < list.length) errors.invalid("spec.scopes", list, "duplicate scopes");
}

function validateRequirement(errors: FieldErrors, at: string, requirement: ScopedResourceSelectorRequirement): void {
  const values = requirement.values ?? [];
  if (!scopes.includes(requirement.scopeName))
    errors.invalid(`${at}.scopeName`, requirement.scopeName, "unsupported scope");
  if (
    !["PriorityClass", "VolumeAttributesClass"].includes(requirement.scopeName) &&
    requirement.operator !== "Exists"
  ) {
    errors.invalid(
      `${at}.operator`,
      requirement.operator,
      "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, " +
        "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or " +
        "ResourceQuotaScopeCrossNamespacePodAffinity",
    );
  }
  switch (requirement.operator) {
    case "In":
    case "NotIn":
      if (values.length === 0)
        errors.required(
          `${at}.values`,
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        );
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0)
        errors.invalid(
          `${at}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        );
      break;
    default:
      errors.invalid(`${at}.operator`, requirement.operator, "not a valid selector operator");
  }
}

export function validateResourceQuota(errors: FieldErrors, quota: ResourceQuota): void {
  for (const name in quota.spec?.hard) {
    const value = quota.spec.hard[name] ?? "0";
    validateName(errors, `spec.hard[${name}]`, name);
    validateNonNegativeQuantity(errors, `spec.hard[${name}]`, value);
    if ((isIntegerResource(name) || name.startsWith("count/")) && !/^[+-]?\d+[kMGTPE]?i?$/.test(value)) {
      errors.invalid(`spec.hard[${name}]`, value, "must be an integer");
    }
  }
  validateScopes(errors, quota);
  quota.spec?.scopeSelector?.matchExpressions?.forEach((requirement, index) =>
    validateRequirement(errors, `spec.scopeSelector.matchExpressions[${index}]`, requirement),
  );
}

export function validateResourceQuotaUpdate(
  errors: FieldErrors,
  quota: ResourceQuota,
  old: ResourceQuota,
  context: RuleContext,
): void {
  if (context.subresource === "status") {
    for (const list of ["hard", "used"] as const) {
      for (const name in quota.status[list]) {
        validateName(errors, `status.${list}[${name}]`, name);
        validateNonNegativeQuantity(errors, `status.${list}[${name}]`, quota.status[list]?.[name] ?? "0");
      }
    }
    return;
  }
  if (!semanticallyEqual([...(quota.spec.scopes ?? [])].sort(), [...(old.spec.scopes ?? [])].sort())) {
    errors.invalid("spec.scopes", quota.spec.scopes ?? [], "field is immutable");
  }
}
