import type { ClusterRole, PolicyRule, RoleRef, Subject } from "../generated/rbac-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateLabelSelector } from "./label-selector.ts";
import { isDns1123Subdomain, isPathSegmentName } from "./names.ts";

export const rbacGroup = "rbac.authorization.k8s.io";

export function validateRule(errors: FieldErrors, field: string, rule: PolicyRule, namespaced: boolean): void {
  if ((rule.verbs ?? []).length === 0) errors.required(`${field}.verbs`, "verbs must contain at least one value");
  if ((rule.nonResourceURLs ?? []).length > 0) {
    if (namespaced) {
      errors.invalid(
        `${field}.nonResourceURLs`,
        rule.nonResourceURLs,
        "namespaced rules cannot apply to non-resource URLs",
      );
    }
    if ((rule.apiGroups ?? []).length + (rule.resources ?? []).length + (rule.resourceNames ?? []).length > 0) {
      errors.invalid(
        `${field}.nonResourceURLs`,
        rule.nonResourceURLs,
        "rules cannot apply to both regular resources and non-resource URLs",
      );
    }
    return;
  }
  if ((rule.apiGroups ?? []).length === 0)
    errors.required(`${field}.apiGroups`, "resource rules must supply at least one api group");
  if ((rule.resources ?? []).length === 0)
    errors.required(`${field}.resources`, "resource rules must supply at least one resource");
}

export function validateRules(
  errors: FieldErrors,
  rules: readonly PolicyRule[] | undefined,
  namespaced: boolean,
): void {
  rules?.forEach((rule, index) => validateRule(errors, `rules[${index}]`, rule, namespaced));
}

export function validateAggregation(errors: FieldErrors, role: ClusterRole): void {
  if (role.aggregationRule === undefined) return;
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) {
    errors.required(
      "aggregationRule.clusterRoleSelectors",
      "at least one clusterRoleSelector required if aggregationRule is non-nil",
    );
  }
  selectors.forEach((selector, index) =>
    validateLabelSelector(errors, `aggregationRule.clusterRoleSelectors[${index}]`, selector),
  );
}

export function validateRoleRef(errors: FieldErrors, ref: RoleRef, kinds: readonly string[]): void {
  if (ref.apiGroup !== rbacGroup) errors.notSupported("roleRef.apiGroup", ref.apiGroup ?? "", [rbacGroup]);
  if (!kinds.includes(ref.kind)) errors.notSupported("roleRef.kind", ref.kind ?? "", kinds);
  if (!ref.name) errors.required("roleRef.name");
  else errors.invalidEach("roleRef.name", ref.name, isPathSegmentName(ref.name));
}

/** `namespaced`: the subjects of a RoleBinding, where a service account may leave out its namespace. */
export function validateSubject(errors: FieldErrors, field: string, subject: Subject, namespaced: boolean): void {
  if (!subject.name) errors.required(`${field}.name`);
  switch (subject.kind) {
    case "ServiceAccount":
      if (subject.name) errors.invalidEach(`${field}.name`, subject.name, isDns1123Subdomain(subject.name));
      if (subject.apiGroup) errors.notSupported(`${field}.apiGroup`, subject.apiGroup, [""]);
      if (!namespaced && !subject.namespace) errors.required(`${field}.namespace`);
      break;
    case "User":
    case "Group":
      if (subject.apiGroup !== rbacGroup) errors.notSupported(`${field}.apiGroup`, subject.apiGroup ?? "", [rbacGroup]);
      break;
    default:
      errors.notSupported(`${field}.kind`, subject.kind ?? "", ["Group", "ServiceAccount", "User"]);
  }
}

/** API groups of references that clients may leave out. */
export function defaultBinding(binding: { subjects?: Subject[]; roleRef: RoleRef }): void {
  if (!binding.roleRef.apiGroup) binding.roleRef.apiGroup = rbacGroup;
  for (const subject of binding.subjects ?? []) {
    if (!subject.apiGroup && (subject.kind === "User" || subject.kind === "Group")) subject.apiGroup = rbacGroup;
  }
}
