import type { Deployment, DeploymentStrategy } from "../../generated/apps-v1.ts";
import type { RuleContext } from "../../kind.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validateImmutable } from "../immutable.ts";
import { intOrPercentValue, validateNotMoreThan100Percent, validatePositiveIntOrPercent } from "../int-or-percent.ts";
import { validateRequiredSelector, validateTemplateForController } from "./replica-set.ts";

function validateStrategy(errors: FieldErrors, field: string, strategy: DeploymentStrategy): void {
  const { rollingUpdate, type } = strategy;
  if (type === "Recreate") {
    if (rollingUpdate !== undefined) {
      errors.forbidden(`${field}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'");
    }
    return;
  }
  if (type !== "RollingUpdate") {
    errors.notSupported(`${field}.type`, type ?? "", ["Recreate", "RollingUpdate"]);
    return;
  }
  if (rollingUpdate === undefined) {
    errors.required(`${field}.rollingUpdate`, "this should be defaulted and never be nil");
    return;
  }
  const { maxSurge, maxUnavailable } = rollingUpdate;
  validatePositiveIntOrPercent(errors, `${field}.rollingUpdate.maxUnavailable`, maxUnavailable);
  validatePositiveIntOrPercent(errors, `${field}.rollingUpdate.maxSurge`, maxSurge);
  if (intOrPercentValue(maxUnavailable) === 0 && intOrPercentValue(maxSurge) === 0) {
    errors.invalid(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0");
  }
  validateNotMoreThan100Percent(errors, `${field}.rollingUpdate.maxUnavailable`, maxUnavailable);
}

export function validateDeployment(errors: FieldErrors, deployment: Deployment): void {
  const { spec } = deployment;
  errors.nonNegative("spec.replicas", spec.replicas);
  validateRequiredSelector(errors, "spec.selector", spec.selector, "deployment");
  validateTemplateForController(errors, "spec.template", spec.template, spec.selector);
  validateStrategy(errors, "spec.strategy", spec.strategy);
  errors.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  errors.nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit);
  if (spec.progressDeadlineSeconds !== undefined) {
    errors.nonNegative("spec.progressDeadlineSeconds", spec.progressDeadlineSeconds);
    if (spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)) {
      errors.invalid(
        "spec.progressDeadlineSeconds",
        spec.progressDeadlineSeconds,
        "must be greater than minReadySeconds",
      );
    }
  }
}

function validateStatus(errors: FieldErrors, deployment: Deployment, old: Deployment): void {
  const { status } = deployment;
  const replicas = status.replicas ?? 0;
  for (const name of [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "collisionCount",
  ] as const) {
    errors.nonNegative(`status.${name}`, status[name]);
  }
  for (const name of ["updatedReplicas", "readyReplicas", "availableReplicas"] as const) {
    if ((status[name] ?? 0) > replicas)
      errors.invalid(`status.${name}`, status[name], "cannot be greater than status.replicas");
  }
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
    errors.invalid("status.availableReplicas", status.availableReplicas, "cannot be greater than readyReplicas");
  }
  if ((status.collisionCount ?? 0) < (old.status?.collisionCount ?? 0)) {
    errors.invalid("status.collisionCount", status.collisionCount ?? 0, "cannot be decremented");
  }
}

export function validateDeploymentUpdate(
  errors: FieldErrors,
  deployment: Deployment,
  old: Deployment,
  context: RuleContext,
): void {
  if (context.subresource === "status") validateStatus(errors, deployment, old);
  else validateImmutable(errors, "spec.selector", deployment.spec.selector, old.spec.selector);
}
