import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { Job, JobSpec } from "../generated/batch-v1.ts";
import { ageOf, humanDuration } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabelSelector } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateJob, validateJobUpdate } from "../validation/batch/job.ts";

const labelPrefix = "batch.kubernetes.io/";
const backoffMax = 2 ** 31 - 1;

function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1;
    spec.parallelism = 1;
  }
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : backoffMax;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) if (!pattern.status) pattern.status = "True";
  }
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed";
  spec.manualSelector ??= false;
  defaultPodTemplate(spec.template);
}

/** Labels of the job's pods and the selector that finds them, from the job's name and uid, which the server has set. */
function generateSelector(job: Job): void {
  const uid = job.metadata.uid ?? "";
  const name = job.metadata.name ?? "";
  const template = job.spec.template;
  template.metadata ??= {};
  const labels = (template.metadata.labels ??= {});
  labels["job-name"] ??= name;
  labels[`${labelPrefix}job-name`] ??= name;
  labels["controller-uid"] ??= uid;
  labels[`${labelPrefix}controller-uid`] ??= uid;
  job.spec.selector ??= {};
  job.spec.selector.matchLabels ??= {};
  job.spec.selector.matchLabels[`${labelPrefix}controller-uid`] ??= uid;
}

const status = separateStatus<Job>(() => ({}));

function hasCondition(job: Job, type: string): boolean {
  return (job.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === "True");
}

function statusOf(job: Job): string {
  if (hasCondition(job, "Complete")) return "Complete";
  if (hasCondition(job, "Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (hasCondition(job, "Suspended")) return "Suspended";
  if (hasCondition(job, "FailureTarget")) return "FailureTarget";
  return hasCondition(job, "SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

function completionsOf(job: Job): string {
  const succeeded = job.status?.succeeded ?? 0;
  if (job.spec.completions !== undefined) return `${succeeded}/${job.spec.completions}`;
  const parallelism = job.spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationOf(job: Job, now: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (!startTime) return "";
  const end = completionTime ? Date.parse(completionTime) : now;
  return humanDuration(end - Date.parse(startTime));
}

export const jobRules: KindRules<Job> = {
  defaults: (job) => defaultJobSpec(job.spec),
  prepareCreate(job, context) {
    status.prepareCreate(job, context);
    if (job.spec.manualSelector !== true) generateSelector(job);
  },
  prepareUpdate: status.prepareUpdate,
  validate: (job) => collect((errors) => validateJob(errors, job)),
  validateUpdate: (job, old, context) => collect((errors) => validateJobUpdate(errors, job, old, context)),
  warnings: (job) =>
    job.spec.completionMode === "Indexed" &&
    (job.spec.completions ?? 0) > 100_000 &&
    (job.spec.parallelism ?? 0) > 10_000
      ? [
          "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, " +
            "Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
        ]
      : [],
  defaultPropagation: "Orphan",
  columns: [
    nameColumn,
    column("Status", "Status of the job."),
    column("Completions", "The desired number of successfully finished pods the job should be run with."),
    column("Duration", "Time required to complete the job."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (job, now) => [
    job.metadata.name,
    statusOf(job),
    completionsOf(job),
    durationOf(job, now),
    ageOf(job.metadata.creationTimestamp, now),
    ...templateCells(job.spec.template?.spec?.containers),
    formatLabelSelector(job.spec.selector),
  ],
  fieldSelectors: { "status.successful": (job) => String(job.status?.succeeded ?? 0) },
};
