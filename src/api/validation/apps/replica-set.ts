import type { ReplicaSet } from "../../generated/apps-v1.ts";
import type { PodTemplateSpec } from "../../generated/core-v1.ts";
import type { LabelSelector } from "../../generated/meta-v1.ts";
import type { RuleContext } from "../../kind.ts";
import { selectorOfObject } from "../../selectors.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validateImmutable } from "../immutable.ts";
import { isEmptySelector, validateLabelSelector } from "../label-selector.ts";
import { validatePodTemplate } from "../pod.ts";

/** Rules of a template whose pods a controller keeps alive. */
export function validateTemplateForController(
  errors: FieldErrors,
  field: string,
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
): void {
  if (selector !== undefined && !isEmptySelector(selector)) {
    if (!selectorOfObject(selector).matches(template.metadata?.labels ?? {})) {
      errors.invalid(
        `${field}.metadata.labels`,
        template.metadata?.labels ?? {},
        "`selector` does not match template `labels`",
      );
    }
  }
  validatePodTemplate(errors, field, template);
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy !== undefined && restartPolicy !== "Always") {
    errors.notSupported(`${field}.spec.restartPolicy`, restartPolicy, ["Always"]);
  }
  if (activeDeadlineSeconds !== undefined) {
    errors.forbidden(`${field}.spec.activeDeadlineSeconds`, "activeDeadlineSeconds in ReplicaSet is not Supported");
  }
}

export function validateRequiredSelector(
  errors: FieldErrors,
  field: string,
  selector: LabelSelector | undefined,
  kind: string,
): void {
  if (selector === undefined) {
    errors.required(field);
    return;
  }
  validateLabelSelector(errors, field, selector);
  if (isEmptySelector(selector)) errors.invalid(field, selector, `empty selector is invalid for ${kind}`);
}

export function validateReplicaSet(errors: FieldErrors, set: ReplicaSet): void {
  const { spec } = set;
  errors.nonNegative("spec.replicas", spec.replicas);
  errors.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  validateRequiredSelector(errors, "spec.selector", spec.selector, "replicaset");
  validateTemplateForController(errors, "spec.template", spec.template, spec.selector);
}

export function validateReplicaSetUpdate(
  errors: FieldErrors,
  set: ReplicaSet,
  old: ReplicaSet,
  context: RuleContext,
): void {
  if (context.subresource === "status") validateReplicaStatus(errors, set.status);
  else validateImmutable(errors, "spec.selector", set.spec.selector, old.spec.selector);
}

/** Counts of replicas: none is negative and none is larger than all of them. */
export function validateReplicaStatus(
  errors: FieldErrors,
  status: {
    replicas?: number;
    fullyLabeledReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    observedGeneration?: number;
  },
): void {
  const replicas = status.replicas ?? 0;
  errors.nonNegative("status.replicas", status.replicas);
  errors.nonNegative("status.fullyLabeledReplicas", status.fullyLabeledReplicas);
  errors.nonNegative("status.readyReplicas", status.readyReplicas);
  errors.nonNegative("status.availableReplicas", status.availableReplicas);
  errors.nonNegative("status.observedGeneration", status.observedGeneration);
  for (const name of ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] as const) {
    if ((status[name] ?? 0) > replicas)
      errors.invalid(`status.${name}`, status[name], "cannot be greater than status.replicas");
  }
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
    errors.invalid("status.availableReplicas", status.availableReplicas, "cannot be greater than readyReplicas");
  }
}
