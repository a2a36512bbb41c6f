import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from "../generated/autoscaling-v2.ts";
import { scaleToZeroAnnotation } from "../delivery/traffic-hold.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateLabelSelector } from "./label-selector.ts";
import { isPathSegmentName } from "./names.ts";
import { validateNonNegativeQuantity, validatePositiveQuantity } from "./quantities.ts";

const stabilizationMaxSeconds = 3600;
const periodMaxSeconds = 1800;
const sources = {
  Object: "object",
  Pods: "pods",
  Resource: "resource",
  ContainerResource: "containerResource",
  External: "external",
} as const;
const selectPolicies = ["Disabled", "Max", "Min"];
const policyTypes = ["Percent", "Pods"];

function validateReference(
  errors: FieldErrors,
  field: string,
  reference: CrossVersionObjectReference | undefined,
): void {
  for (const name of ["kind", "name"] as const) {
    const value = reference?.[name];
    if (!value) errors.required(`${field}.${name}`);
    else errors.invalidEach(`${field}.${name}`, value, isPathSegmentName(value));
  }
}

function validateIdentifier(errors: FieldErrors, field: string, metric: MetricIdentifier | undefined): void {
  if (!metric?.name) errors.required(`${field}.name`);
  else errors.invalidEach(`${field}.name`, metric.name, isPathSegmentName(metric.name));
  validateLabelSelector(errors, `${field}.selector`, metric?.selector);
}

function validateTarget(errors: FieldErrors, field: string, target: MetricTarget | undefined): void {
  if (!target?.type) errors.required(`${field}.type`, "must specify a metric target type");
  else if (!["Utilization", "Value", "AverageValue"].includes(target.type)) {
    errors.invalid(`${field}.type`, target.type, "must be either Utilization, Value, or AverageValue");
  }
  if (target?.value !== undefined) validatePositiveQuantity(errors, `${field}.value`, target.value);
  if (target?.averageValue !== undefined)
    validatePositiveQuantity(errors, `${field}.averageValue`, target.averageValue);
  if (target?.averageUtilization !== undefined && target.averageUtilization < 1) {
    errors.invalid(`${field}.averageUtilization`, target.averageUtilization, "must be greater than 0");
  }
}

/** Utilization and average value: one of them, not both. */
function validateResourceTarget(errors: FieldErrors, field: string, target: MetricTarget | undefined): void {
  validateTarget(errors, `${field}.target`, target);
  if (target?.averageUtilization === undefined && target?.averageValue === undefined) {
    errors.required(`${field}.target.averageUtilization`, "must set either a target raw value or a target utilization");
  }
  if (target?.averageUtilization !== undefined && target.averageValue !== undefined) {
    errors.forbidden(`${field}.target.averageValue`, "may not set both a target raw value and a target utilization");
  }
}

function validateMetric(errors: FieldErrors, at: string, metric: MetricSpec): void {
  if (!metric.type) {
    errors.required(`${at}.type`, "must specify a metric source type");
    return;
  }
  const source = sources[metric.type as keyof typeof sources];
  if (source === undefined) {
    errors.notSupported(`${at}.type`, metric.type, Object.keys(sources));
    return;
  }
  for (const name of Object.values(sources)) {
    if (name !== source && metric[name] !== undefined) {
      errors.forbidden(`${at}.${name}`, "must populate the given metric source only");
    }
  }
  const field = `${at}.${source}`;
  if (metric[source] === undefined) {
    errors.required(field, "must populate information for the given metric source");
    return;
  }
  if (metric.object !== undefined) {
    validateReference(errors, `${field}.describedObject`, metric.object.describedObject);
    validateIdentifier(errors, `${field}.metric`, metric.object.metric);
    validateTarget(errors, `${field}.target`, metric.object.target);
    if (metric.object.target?.value === undefined && metric.object.target?.averageValue === undefined) {
      errors.required(`${field}.target.averageValue`, "must set either a target value or averageValue");
    }
  }
  if (metric.pods !== undefined) {
    validateIdentifier(errors, `${field}.metric`, metric.pods.metric);
    validateTarget(errors, `${field}.target`, metric.pods.target);
    if (metric.pods.target?.averageValue === undefined)
      errors.required(`${field}.target.averageValue`, "must specify a positive target averageValue");
  }
  if (metric.external !== undefined) {
    validateIdentifier(errors, `${field}.metric`, metric.external.metric);
    validateTarget(errors, `${field}.target`, metric.external.target);
    const { value, averageValue } = metric.external.target ?? {};
    if (value === undefined && averageValue === undefined)
      errors.required(`${field}.target.averageValue`, "must set either a target value for metric or a per-pod target");
    if (value !== undefined && averageValue !== undefined)
      errors.forbidden(`${field}.target.value`, "may not set both a target value for metric and a per-pod target");
  }
  if (metric.resource !== undefined) {
    if (!metric.resource.name) errors.required(`${field}.name`, "must specify a resource name");
    validateResourceTarget(errors, field, metric.resource.target);
  }
  if (metric.containerResource !== undefined) {
    if (!metric.containerResource.name) errors.required(`${field}.name`, "must specify a resource name");
    if (!metric.containerResource.container) errors.required(`${field}.container`, "must specify a container");
    validateResourceTarget(errors, field, metric.containerResource.target);
  }
}

function validateRules(errors: FieldErrors, field: string, rules: HPAScalingRules | undefined): void {
  if (rules === undefined) return;
  const window = rules.stabilizationWindowSeconds;
  if (window !== undefined && window < 0)
    errors.invalid(`${field}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero");
  if (window !== undefined && window > stabilizationMaxSeconds) {
    errors.invalid(
      `${field}.stabilizationWindowSeconds`,
      window,
      `must be less than or equal to ${stabilizationMaxSeconds}`,
    );
  }
  if (rules.selectPolicy !== undefined && !selectPolicies.includes(rules.selectPolicy)) {
    errors.notSupported(`${field}.selectPolicy`, rules.selectPolicy, selectPolicies);
  }
  if (rules.tolerance !== undefined) validateNonNegativeQuantity(errors, `${field}.tolerance`, rules.tolerance);
  if ((rules.policies ?? []).length === 0) errors.required(`${field}.policies`, "must specify at least one Policy");
  rules.policies?.forEach((policy, index) => {
    const at = `${field}.policies[${index}]`;
    if (!policyTypes.includes(policy.type)) errors.notSupported(`${at}.type`, policy.type, policyTypes);
    if (policy.value <= 0) errors.invalid(`${at}.value`, policy.value, "must be greater than zero");
    if (policy.periodSeconds <= 0)
      errors.invalid(`${at}.periodSeconds`, policy.periodSeconds, "must be greater than zero");
    if (policy.periodSeconds > periodMaxSeconds)
      errors.invalid(`${at}.periodSeconds`, policy.periodSeconds, `must be less than or equal to ${periodMaxSeconds}`);
  });
}

export function validateAutoscaler(errors: FieldErrors, autoscaler: HorizontalPodAutoscaler): void {
  const { spec } = autoscaler;
  const metrics = spec.metrics ?? [];
  const isOptedIn = autoscaler.metadata.annotations?.[scaleToZeroAnnotation] === "true";
  const scalesFromZero = isOptedIn || metrics.some(({ type }) => type === "Object" || type === "External");
  const least = spec.minReplicas ?? 1;
  if (least < 0) errors.invalid("spec.minReplicas", least, "must be greater than or equal to 0");
  if (spec.maxReplicas < 1) errors.invalid("spec.maxReplicas", spec.maxReplicas, "must be greater than 0");
  if (spec.maxReplicas < least)
    errors.invalid("spec.maxReplicas", spec.maxReplicas, "must be greater than or equal to `minReplicas`");
  if (least === 0 && !scalesFromZero) {
    errors.forbidden(
      "spec.metrics",
      "must specify at least one Object or External metric to support scaling to zero replicas," +
        ` or the annotation ${scaleToZeroAnnotation}: "true" to be woken by requests through an Ingress`,
    );
  }
  validateReference(errors, "spec.scaleTargetRef", spec.scaleTargetRef);
  metrics.forEach((metric, index) => validateMetric(errors, `spec.metrics[${index}]`, metric));
  validateRules(errors, "spec.behavior.scaleUp", spec.behavior?.scaleUp);
  validateRules(errors, "spec.behavior.scaleDown", spec.behavior?.scaleDown);
}
