import type { JobSpec, PodFailurePolicyRule } from "../../generated/batch-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { isQualifiedName } from "../labels.ts";

const rulesMax = 20;
const exitCodesMax = 255;
const conditionsMax = 20;
const indexesLengthMaxBytes = 64 * 1024;
const actions = ["Count", "FailIndex", "FailJob", "Ignore"];
const conditionStatuses = ["False", "True", "Unknown"];

function validateExitCodes(
  errors: FieldErrors,
  field: string,
  rule: PodFailurePolicyRule,
  names: ReadonlySet<string>,
): void {
  const requirement = rule.onExitCodes;
  if (requirement === undefined) return;
  if (requirement.operator !== "In" && requirement.operator !== "NotIn") {
    errors.notSupported(`${field}.operator`, requirement.operator, ["In", "NotIn"]);
  }
  if (requirement.containerName !== undefined && !names.has(requirement.containerName)) {
    errors.invalid(
      `${field}.containerName`,
      requirement.containerName,
      "must be one of the container or initContainer names in the pod template",
    );
  }
  const values = requirement.values ?? [];
  if (values.length === 0) errors.invalid(`${field}.values`, values, "at least one value is required");
  else if (values.length > exitCodesMax) errors.tooMany(`${field}.values`, values.length, exitCodesMax);
  const seen = new Set<number>();
  let ordered = true;
  values.forEach((value, index) => {
    if (requirement.operator === "In" && value === 0)
      errors.invalid(`${field}.values[${index}]`, value, "must not be 0 for the In operator");
    if (seen.has(value)) errors.duplicate(`${field}.values[${index}]`, value);
    seen.add(value);
    if (index > 0 && (values[index - 1] ?? 0) > value) ordered = false;
  });
  if (!ordered) errors.invalid(`${field}.values`, values, "must be ordered");
}

export function validateFailurePolicy(errors: FieldErrors, field: string, spec: JobSpec): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  if (rules.length > rulesMax) errors.tooMany(`${field}.rules`, rules.length, rulesMax);
  const pod = spec.template.spec;
  const names = new Set([...(pod.containers ?? []), ...(pod.initContainers ?? [])].map((container) => container.name));
  rules.forEach((rule, index) => {
    const at = `${field}.rules[${index}]`;
    if (!rule.action)
      errors.required(`${at}.action`, `valid values: ${actions.map((action) => JSON.stringify(action)).join(", ")}`);
    else if (rule.action === "FailIndex" && spec.backoffLimitPerIndex === undefined) {
      errors.invalid(`${at}.action`, rule.action, "requires the backoffLimitPerIndex to be set");
    } else if (!actions.includes(rule.action)) errors.notSupported(`${at}.action`, rule.action, actions);
    validateExitCodes(errors, `${at}.onExitCodes`, rule, names);
    const patterns = rule.onPodConditions ?? [];
    if (patterns.length > conditionsMax) errors.tooMany(`${at}.onPodConditions`, patterns.length, conditionsMax);
    patterns.forEach((pattern, patternIndex) => {
      errors.invalidEach(
        `${at}.onPodConditions[${patternIndex}].type`,
        pattern.type,
        isQualifiedName(pattern.type ?? ""),
      );
      if (!pattern.status) errors.required(`${at}.onPodConditions[${patternIndex}].status`);
      else if (!conditionStatuses.includes(pattern.status)) {
        errors.notSupported(`${at}.onPodConditions[${patternIndex}].status`, pattern.status, conditionStatuses);
      }
    });
    if (rule.onExitCodes !== undefined && patterns.length > 0) {
      errors.invalid(at, rule, "specifying both OnExitCodes and OnPodConditions is not supported");
    }
    if (rule.onExitCodes === undefined && patterns.length === 0) {
      errors.invalid(at, rule, "specifying one of OnExitCodes and OnPodConditions is required");
    }
  });
}

/** Counts the indexes in `0,2-4`; undefined when the text is none or goes beyond `completions`. */
function countIndexes(text: string, completions: number): number | undefined {
  let count = 0;
  let last = -1;
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const end = match[2] === undefined ? first : Number(match[2]);
    if (first <= last || end < first || end >= completions) return undefined;
    count += end - first + 1;
    last = end;
  }
  return count;
}

export function validateSuccessPolicy(errors: FieldErrors, field: string, spec: JobSpec): void {
  const rules = spec.successPolicy?.rules ?? [];
  if (rules.length === 0)
    errors.required(`${field}.rules`, "at least one rules must be specified when the successPolicy is specified");
  else if (rules.length > rulesMax) errors.tooMany(`${field}.rules`, rules.length, rulesMax);
  rules.forEach((rule, index) => {
    const at = `${field}.rules[${index}]`;
    if (rule.succeededCount === undefined && rule.succeededIndexes === undefined) {
      errors.required(at, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let total = spec.completions ?? 0;
    if (rule.succeededIndexes !== undefined) {
      if (rule.succeededIndexes.length > indexesLengthMaxBytes)
        errors.tooLong(`${at}.succeededIndexes`, indexesLengthMaxBytes);
      const count = countIndexes(rule.succeededIndexes, total);
      if (count === undefined)
        errors.invalid(
          `${at}.succeededIndexes`,
          rule.succeededIndexes,
          "error parsing succeededIndexes: cannot convert string to integer for index",
        );
      else total = count;
    }
    if (rule.succeededCount === undefined) return;
    errors.nonNegative(`${at}.succeededCount`, rule.succeededCount);
    if (rule.succeededCount > total) {
      const counted =
        rule.succeededIndexes === undefined
          ? "specified completions"
          : "indexes in the specified succeededIndexes field";
      errors.invalid(
        `${at}.succeededCount`,
        rule.succeededCount,
        `must be less than or equal to ${total} (the number of ${counted})`,
      );
    }
  });
}
