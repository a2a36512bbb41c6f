import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validateLabelSelector } from "../label-selector.ts";
import { isLabelValue, isQualifiedName } from "../labels.ts";
import { isDns1123Label, isDns1123Subdomain } from "../names.ts";

const weightMessage = "must be in the range 1-100";
const effects = ["NoExecute", "NoSchedule", "PreferNoSchedule"];
const inclusionPolicies = ["Honor", "Ignore"];

function validateNodeRequirement(errors: FieldErrors, field: string, requirement: NodeSelectorRequirement): void {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
    case "NotIn":
      if (values.length === 0)
        errors.required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0)
        errors.forbidden(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1)
        errors.required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
      break;
    default:
      errors.invalid(`${field}.operator`, requirement.operator, "not a valid selector operator");
  }
  errors.invalidEach(`${field}.key`, requirement.key, isQualifiedName(requirement.key ?? ""));
  if (requirement.operator === "Gt" || requirement.operator === "Lt") return;
  values.forEach((value, index) => errors.invalidEach(`${field}.values[${index}]`, value, isLabelValue(value)));
}

function validateFieldRequirement(errors: FieldErrors, field: string, requirement: NodeSelectorRequirement): void {
  const values = requirement.values ?? [];
  if (requirement.operator !== "In" && requirement.operator !== "NotIn") {
    errors.invalid(`${field}.operator`, requirement.operator, "not a valid selector operator");
  } else if (values.length !== 1) {
    errors.required(
      `${field}.values`,
      "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
    );
  }
  if (requirement.key !== "metadata.name")
    errors.invalid(`${field}.key`, requirement.key, "not a valid field selector key");
  else
    values.forEach((value, index) => errors.invalidEach(`${field}.values[${index}]`, value, isDns1123Subdomain(value)));
}

function validateNodeSelectorTerm(errors: FieldErrors, field: string, term: NodeSelectorTerm): void {
  term.matchExpressions?.forEach((requirement, index) =>
    validateNodeRequirement(errors, `${field}.matchExpressions[${index}]`, requirement),
  );
  term.matchFields?.forEach((requirement, index) =>
    validateFieldRequirement(errors, `${field}.matchFields[${index}]`, requirement),
  );
}

export function validateNodeSelector(errors: FieldErrors, field: string, selector: NodeSelector): void {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) errors.required(`${field}.nodeSelectorTerms`, "must have at least one node selector term");
  terms.forEach((term, index) => validateNodeSelectorTerm(errors, `${field}.nodeSelectorTerms[${index}]`, term));
}

function validatePodAffinityTerm(errors: FieldErrors, field: string, term: PodAffinityTerm): void {
  validateLabelSelector(errors, `${field}.labelSelector`, term.labelSelector);
  validateLabelSelector(errors, `${field}.namespaceSelector`, term.namespaceSelector);
  term.namespaces?.forEach((namespace) =>
    errors.invalidEach(`${field}.namespace`, namespace, isDns1123Label(namespace)),
  );
  for (const name of ["matchLabelKeys", "mismatchLabelKeys"] as const) {
    const keys = term[name] ?? [];
    if (keys.length > 0 && term.labelSelector === undefined) {
      errors.forbidden(`${field}.${name}`, "must not be specified when labelSelector is not set");
    }
    keys.forEach((key, index) => {
      errors.invalidEach(`${field}.${name}[${index}]`, key, isQualifiedName(key));
      if (name === "mismatchLabelKeys" && term.matchLabelKeys?.includes(key)) {
        errors.invalid(
          `${field}.matchLabelKeys[${term.matchLabelKeys.indexOf(key)}]`,
          key,
          "exists in both matchLabelKeys and mismatchLabelKeys",
        );
      }
    });
  }
  if (!term.topologyKey) errors.required(`${field}.topologyKey`, "can not be empty");
  else errors.invalidEach(`${field}.topologyKey`, term.topologyKey, isQualifiedName(term.topologyKey));
}

export function validateAffinity(errors: FieldErrors, field: string, affinity: Affinity | undefined): void {
  if (affinity === undefined) return;
  const node = affinity.nodeAffinity;
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  if (node?.[required] !== undefined) validateNodeSelector(errors, `${field}.nodeAffinity.${required}`, node[required]);
  node?.[preferred]?.forEach((term, index) => {
    const at = `${field}.nodeAffinity.${preferred}[${index}]`;
    if (term.weight < 1 || term.weight > 100) errors.invalid(`${at}.weight`, term.weight, weightMessage);
    validateNodeSelectorTerm(errors, `${at}.preference`, term.preference);
  });
  for (const name of ["podAffinity", "podAntiAffinity"] as const) {
    const at = `${field}.${name}`;
    affinity[name]?.[required]?.forEach((term, index) =>
      validatePodAffinityTerm(errors, `${at}.${required}[${index}]`, term),
    );
    affinity[name]?.[preferred]?.forEach((term, index) => {
      if (term.weight < 1 || term.weight > 100)
        errors.invalid(`${at}.${preferred}[${index}].weight`, term.weight, weightMessage);
      validatePodAffinityTerm(errors, `${at}.${preferred}[${index}].podAffinityTerm`, term.podAffinityTerm);
    });
  }
}

export function validateTolerations(
  errors: FieldErrors,
  field: string,
  tolerations: readonly Toleration[] | undefined,
): void {
  tolerations?.forEach((toleration, index) => {
    const at = `${field}[${index}]`;
    if (toleration.key) errors.invalidEach(`${at}.key`, toleration.key, isQualifiedName(toleration.key));
    if (!toleration.key && toleration.operator !== "Exists") {
      errors.invalid(
        `${at}.operator`,
        toleration.operator ?? "",
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (toleration.tolerationSeconds !== undefined && toleration.effect !== "NoExecute") {
      errors.invalid(
        `${at}.effect`,
        toleration.effect ?? "",
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      );
    }
    switch (toleration.operator ?? "") {
      case "":
      case "Equal":
        errors.invalidEach(`${at}.operator`, toleration.value ?? "", isLabelValue(toleration.value ?? ""));
        break;
      case "Exists":
        if (toleration.value)
          errors.invalid(`${at}.operator`, toleration, "value must be empty when `operator` is 'Exists'");
        break;
      case "Lt":
      case "Gt":
        if (!/^-?(0|[1-9]\d*)$/.test(toleration.value ?? "")) {
          errors.invalid(
            `${at}.value`,
            toleration.value ?? "",
            "must be a valid integer when `operator` is 'Lt' or 'Gt'",
          );
        }
        break;
      default:
        errors.notSupported(`${at}.operator`, toleration.operator, ["Equal", "Exists"]);
    }
    if (toleration.effect && !effects.includes(toleration.effect))
      errors.notSupported(`${at}.effect`, toleration.effect, effects);
  });
}

function validateSpreadConstraint(errors: FieldErrors, at: string, constraint: TopologySpreadConstraint): void {
  if (constraint.maxSkew <= 0) errors.invalid(`${at}.maxSkew`, constraint.maxSkew, "must be greater than zero");
  if (!constraint.topologyKey) errors.required(`${at}.topologyKey`, "can not be empty");
  else errors.invalidEach(`${at}.topologyKey`, constraint.topologyKey, isQualifiedName(constraint.topologyKey));
  if (constraint.whenUnsatisfiable !== "DoNotSchedule" && constraint.whenUnsatisfiable !== "ScheduleAnyway") {
    errors.notSupported(`${at}.whenUnsatisfiable`, constraint.whenUnsatisfiable, ["DoNotSchedule", "ScheduleAnyway"]);
  }
  if (constraint.minDomains !== undefined) {
    if (constraint.minDomains <= 0)
      errors.invalid(`${at}.minDomains`, constraint.minDomains, "must be greater than zero");
    if (constraint.whenUnsatisfiable !== "DoNotSchedule") {
      errors.invalid(
        `${at}.minDomains`,
        constraint.minDomains,
        "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + constraint.whenUnsatisfiable,
      );
    }
  }
  for (const name of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
    const policy = constraint[name];
    if (policy !== undefined && !inclusionPolicies.includes(policy))
      errors.notSupported(`${at}.${name}`, policy, inclusionPolicies);
  }
  constraint.matchLabelKeys?.forEach((key, index) => {
    errors.invalidEach(`${at}.matchLabelKeys[${index}]`, key, isQualifiedName(key));
    const selector = constraint.labelSelector;
    if (selector === undefined)
      errors.forbidden(`${at}.matchLabelKeys`, "must not be specified when labelSelector is not set");
  });
  validateLabelSelector(errors, `${at}.labelSelector`, constraint.labelSelector);
}

export function validateTopologySpread(
  errors: FieldErrors,
  field: string,
  constraints: PodSpec["topologySpreadConstraints"],
): void {
  const seen = new Set<string>();
  constraints?.forEach((constraint, index) => {
    const at = `${field}[${index}]`;
    validateSpreadConstraint(errors, at, constraint);
    const identity = `{${constraint.topologyKey}, ${constraint.whenUnsatisfiable}}`;
    if (seen.has(identity)) errors.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, identity);
    seen.add(identity);
  });
}
