import type { Job, JobSpec } from "../../generated/batch-v1.ts";
import type { RuleContext } from "../../kind.ts";
import { selectorOfObject } from "../../selectors.ts";
import type { FieldErrors } from "../field-errors.ts";
import { immutableMessage, semanticallyEqual, validateImmutable } from "../immutable.ts";
import { validateLabelSelector } from "../label-selector.ts";
import { isQualifiedName } from "../labels.ts";
import { isDns1123Label } from "../names.ts";
import { validatePodTemplate } from "../pod.ts";
import { validateFailurePolicy, validateSuccessPolicy } from "./policies.ts";

const indexedParallelismMax = 100_000;
const completionsLargeMax = 100_000;
const failedIndexesLargeMax = 10_000;
/** A finished job's pods are found by these labels, so their values must be what the job says. */
const labelPrefix = "batch.kubernetes.io/";
const managedByLengthMax = 63;

export function validateJobSpec(errors: FieldErrors, field: string, spec: JobSpec): void {
  for (const name of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "ttlSecondsAfterFinished",
  ] as const) {
    errors.nonNegative(`${field}.${name}`, spec[name]);
  }
  validateManagedBy(errors, `${field}.managedBy`, spec.managedBy);
  if (spec.completionMode !== "NonIndexed" && spec.completionMode !== "Indexed") {
    errors.notSupported(`${field}.completionMode`, spec.completionMode ?? "", ["Indexed", "NonIndexed"]);
  }
  if (spec.completionMode === "Indexed") validateIndexed(errors, field, spec);
  else validateNotIndexed(errors, field, spec);
  if (spec.podFailurePolicy !== undefined) validateFailurePolicy(errors, `${field}.podFailurePolicy`, spec);
  if (spec.successPolicy !== undefined) {
    if (spec.completionMode !== "Indexed")
      errors.invalid(`${field}.successPolicy`, spec.successPolicy, "requires indexed completion mode");
    else validateSuccessPolicy(errors, `${field}.successPolicy`, spec);
  }
  validateReplacement(errors, field, spec);
  validatePodTemplate(errors, `${field}.template`, spec.template);
  const restart = spec.template.spec.restartPolicy;
  if (restart !== "OnFailure" && restart !== "Never") {
    errors.notSupported(`${field}.template.spec.restartPolicy`, restart ?? "", ["Never", "OnFailure"]);
  } else if (spec.podFailurePolicy !== undefined && restart !== "Never") {
    errors.invalid(
      `${field}.template.spec.restartPolicy`,
      restart,
      `only "Never" is supported when podFailurePolicy is specified`,
    );
  }
}

function validateManagedBy(errors: FieldErrors, field: string, managedBy: string | undefined): void {
  if (managedBy === undefined) return;
  if (!managedBy.includes("/"))
    errors.invalid(field, managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")');
  else errors.invalidEach(field, managedBy, isQualifiedName(managedBy));
  if (managedBy.length > managedByLengthMax) errors.tooLong(field, managedByLengthMax);
}

function validateIndexed(errors: FieldErrors, field: string, spec: JobSpec): void {
  if (spec.completions === undefined) {
    errors.required(`${field}.completions`, "when completion mode is Indexed");
    return;
  }
  if ((spec.parallelism ?? 0) > indexedParallelismMax) {
    errors.invalid(
      `${field}.parallelism`,
      spec.parallelism,
      `must be less than or equal to ${indexedParallelismMax} when completion mode is Indexed`,
    );
  }
  if (spec.maxFailedIndexes !== undefined && spec.maxFailedIndexes > spec.completions) {
    errors.invalid(`${field}.maxFailedIndexes`, spec.maxFailedIndexes, "must be less than or equal to completions");
  }
  if (spec.backoffLimitPerIndex === undefined || spec.completions <= completionsLargeMax) return;
  if (spec.maxFailedIndexes === undefined) {
    errors.required(`${field}.maxFailedIndexes`, `must be specified when completions is above ${completionsLargeMax}`);
  } else if (spec.maxFailedIndexes > failedIndexesLargeMax) {
    errors.invalid(
      `${field}.maxFailedIndexes`,
      spec.maxFailedIndexes,
      `must be less than or equal to ${failedIndexesLargeMax} when completions are above ` +
        `${completionsLargeMax} and used with backoff limit per index`,
    );
  }
}

function validateNotIndexed(errors: FieldErrors, field: string, spec: JobSpec): void {
  if (spec.backoffLimitPerIndex !== undefined) {
    errors.invalid(`${field}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, "requires indexed completion mode");
  }
  if (spec.maxFailedIndexes !== undefined) {
    errors.invalid(`${field}.maxFailedIndexes`, spec.maxFailedIndexes, "requires indexed completion mode");
  }
}

function validateReplacement(errors: FieldErrors, field: string, spec: JobSpec): void {
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.required(`${field}.backoffLimitPerIndex`, "when maxFailedIndexes is specified");
  }
  const policy = spec.podReplacementPolicy;
  if (policy === undefined) return;
  if (spec.podFailurePolicy !== undefined) {
    if (policy !== "Failed") errors.notSupported(`${field}.podReplacementPolicy`, policy, ["Failed"]);
  } else if (policy !== "Failed" && policy !== "TerminatingOrFailed") {
    errors.notSupported(`${field}.podReplacementPolicy`, policy, ["Failed", "TerminatingOrFailed"]);
  }
}

export function validateJob(errors: FieldErrors, job: Job): void {
  const { spec, metadata } = job;
  if (spec.selector === undefined) errors.required("spec.selector");
  else validateLabelSelector(errors, "spec.selector", spec.selector);
  if (spec.manualSelector !== true) validateGenerated(errors, job);
  const labels = spec.template.metadata?.labels ?? {};
  if (spec.selector !== undefined && !selectorOfObject(spec.selector).matches(labels)) {
    errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
  }
  if (spec.completionMode === "Indexed" && spec.completions !== undefined && spec.completions > 0 && metadata.name) {
    // Hostnames of the pods are the job's name and their index.
    const hostname = `${metadata.name}-${spec.completions - 1}`;
    if (isDns1123Label(hostname).length > 0) {
      errors.invalid("metadata.name", metadata.name, `will not able to create pod with invalid DNS label: ${hostname}`);
    }
  }
  validateJobSpec(errors, "spec", spec);
}

function validateGenerated(errors: FieldErrors, job: Job): void {
  const labels = job.spec.template.metadata?.labels ?? {};
  const uid = job.metadata.uid ?? "";
  const expected: Record<string, string> = {
    "controller-uid": uid,
    [`${labelPrefix}controller-uid`]: uid,
    "job-name": job.metadata.name ?? "",
    [`${labelPrefix}job-name`]: job.metadata.name ?? "",
  };
  for (const key in expected) {
    if (labels[key] === undefined)
      errors.required(`spec.template.metadata.labels[${key}]`, `must be '${expected[key] ?? ""}'`);
    else if (labels[key] !== expected[key]) {
      errors.invalid(`spec.template.metadata.labels[${key}]`, labels[key], `must be '${expected[key] ?? ""}'`);
    }
  }
  if (
    job.spec.selector?.matchLabels?.[`${labelPrefix}controller-uid`] !== uid &&
    job.spec.selector?.matchLabels?.["controller-uid"] !== uid
  ) {
    errors.invalid("spec.selector", job.spec.selector, "`selector` not auto-generated");
  }
}

const schedulingFields = ["nodeSelector", "affinity", "tolerations", "schedulingGates"] as const;

/** While a suspended job has never started, where its pods go may still be changed. */
function templateForComparison(job: Job, old: Job): Job["spec"]["template"] {
  const notStarted = old.spec.suspend === true && !old.status?.startTime;
  if (!notStarted) return job.spec.template;
  const template = { ...job.spec.template, spec: { ...job.spec.template.spec } };
  for (const name of schedulingFields) {
    const before = old.spec.template.spec[name];
    if (before === undefined) delete template.spec[name];
    else Object.assign(template.spec, { [name]: before });
  }
  if (template.metadata !== undefined) {
    const { labels, annotations } = old.spec.template.metadata ?? {};
    template.metadata = { ...template.metadata };
    if (labels !== undefined) template.metadata.labels = labels;
    if (annotations !== undefined) template.metadata.annotations = annotations;
    else delete template.metadata.annotations;
  }
  return template;
}

export function validateJobUpdate(errors: FieldErrors, job: Job, old: Job, context: RuleContext): void {
  if (context.subresource === "status") {
    validateJobStatus(errors, job);
    return;
  }
  const elastic = job.spec.completionMode === "Indexed" && job.spec.completions === job.spec.parallelism;
  if (!elastic) validateImmutable(errors, "spec.completions", job.spec.completions, old.spec.completions);
  else if (job.spec.completions === undefined && old.spec.completions !== undefined)
    errors.required("spec.completions");
  validateImmutable(errors, "spec.selector", job.spec.selector, old.spec.selector);
  const template = templateForComparison(job, old);
  if (!semanticallyEqual(template, old.spec.template))
    errors.invalid("spec.template", job.spec.template, immutableMessage);
  for (const name of [
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
  ] as const) {
    validateImmutable(errors, `spec.${name}`, job.spec[name], old.spec[name]);
  }
}

function validateJobStatus(errors: FieldErrors, job: Job): void {
  for (const name of ["active", "succeeded", "failed", "ready", "terminating"] as const) {
    errors.nonNegative(`status.${name}`, job.status[name]);
  }
  const has = (type: string): boolean =>
    (job.status.conditions ?? []).some((condition) => condition.type === type && condition.status === "True");
  if (has("Complete") && has("Failed")) {
    errors.invalid("status.conditions", job.status.conditions, "cannot set Complete=True and Failed=true conditions");
  }
  if (job.status.completionTime && !has("Complete")) {
    errors.invalid(
      "status.completionTime",
      job.status.completionTime,
      "completionTime can only be set for Complete jobs",
    );
  }
}
