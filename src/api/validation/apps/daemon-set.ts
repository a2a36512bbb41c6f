import type { DaemonSet } from "../../generated/apps-v1.ts";
import type { RuleContext } from "../../kind.ts";
import { selectorOfObject } from "../../selectors.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validateImmutable } from "../immutable.ts";
import { intOrPercentValue, validateNotMoreThan100Percent, validatePositiveIntOrPercent } from "../int-or-percent.ts";
import { validatePodTemplate } from "../pod.ts";
import { validateRequiredSelector } from "./replica-set.ts";

function validateStrategy(errors: FieldErrors, set: DaemonSet): void {
  const field = "spec.updateStrategy";
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type === "OnDelete") return;
  if (type !== "RollingUpdate") {
    errors.notSupported(`${field}.type`, type ?? "", ["OnDelete", "RollingUpdate"]);
    return;
  }
  if (rollingUpdate === undefined) {
    errors.required(`${field}.rollingUpdate`);
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  for (const name of ["maxUnavailable", "maxSurge"] as const) {
    validatePositiveIntOrPercent(errors, `${field}.rollingUpdate.${name}`, rollingUpdate[name]);
    validateNotMoreThan100Percent(errors, `${field}.rollingUpdate.${name}`, rollingUpdate[name]);
  }
  const unavailable = intOrPercentValue(maxUnavailable);
  const surge = intOrPercentValue(maxSurge);
  if (unavailable !== 0 && surge !== 0) {
    errors.invalid(`${field}.rollingUpdate.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero");
  } else if (unavailable === 0 && surge === 0) {
    errors.required(`${field}.rollingUpdate.maxUnavailable`, "cannot be 0 when maxSurge is 0");
  }
}

export function validateDaemonSet(errors: FieldErrors, set: DaemonSet): void {
  const { spec } = set;
  validateRequiredSelector(errors, "spec.selector", spec.selector, "daemonset");
  if (spec.selector !== undefined && !selectorOfObject(spec.selector).matches(spec.template.metadata?.labels ?? {})) {
    errors.invalid(
      "spec.template.metadata.labels",
      spec.template.metadata?.labels ?? {},
      "`selector` does not match template `labels`",
    );
  }
  validatePodTemplate(errors, "spec.template", spec.template);
  if (spec.template.spec.restartPolicy !== "Always") {
    errors.notSupported("spec.template.spec.restartPolicy", spec.template.spec.restartPolicy ?? "", ["Always"]);
  }
  if (spec.template.spec.activeDeadlineSeconds !== undefined) {
    errors.forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in DaemonSet is not Supported");
  }
  errors.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  validateStrategy(errors, set);
  errors.nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit);
}

export function validateDaemonSetUpdate(
  errors: FieldErrors,
  set: DaemonSet,
  old: DaemonSet,
  context: RuleContext,
): void {
  if (context.subresource !== "status") {
    validateImmutable(errors, "spec.selector", set.spec.selector, old.spec.selector);
    return;
  }
  for (const name of [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
  ] as const) {
    errors.nonNegative(`status.${name}`, set.status[name]);
  }
}
