import { ageColumn, column, nameColumn } from "../columns.ts";
import type { PodDisruptionBudget } from "../generated/policy-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateNotMoreThan100Percent, validatePositiveIntOrPercent } from "../validation/int-or-percent.ts";
import { validateLabelSelector } from "../validation/label-selector.ts";

const evictionPolicies = ["AlwaysAllow", "IfHealthyBudget"];

function validate(errors: FieldErrors, budget: PodDisruptionBudget): void {
  const { spec } = budget;
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    errors.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
  }
  for (const name of ["minAvailable", "maxUnavailable"] as const) {
    validatePositiveIntOrPercent(errors, `spec.${name}`, spec[name]);
    validateNotMoreThan100Percent(errors, `spec.${name}`, spec[name]);
  }
  validateLabelSelector(errors, "spec.selector", spec.selector);
  const policy = spec.unhealthyPodEvictionPolicy;
  if (policy !== undefined && !evictionPolicies.includes(policy)) {
    errors.notSupported("spec.unhealthyPodEvictionPolicy", policy, evictionPolicies);
  }
}

function text(value: number | string | undefined): string {
  return value === undefined ? "N/A" : String(value);
}

export const podDisruptionBudgetRules: KindRules<PodDisruptionBudget> = {
  ...separateStatus<PodDisruptionBudget>(() => ({
    disruptionsAllowed: 0,
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
  })),
  validate: (budget) => collect((errors) => validate(errors, budget)),
  validateUpdate: (budget, _old, context) =>
    collect((errors) => {
      if (context.subresource !== "status") return;
      for (const name of ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const) {
        errors.nonNegative(`status.${name}`, budget.status[name]);
      }
    }),
  columns: [
    nameColumn,
    column("Min Available", "The minimum number of pods that must be available."),
    column("Max Unavailable", "The maximum number of pods that may be unavailable."),
    column("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time.", "integer"),
    ageColumn,
  ],
  cells: (budget, now) => [
    budget.metadata.name,
    text(budget.spec.minAvailable),
    text(budget.spec.maxUnavailable),
    budget.status?.disruptionsAllowed ?? 0,
    ageOf(budget.metadata.creationTimestamp, now),
  ],
};
