import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { CronJob } from "../generated/batch-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabelSelector } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateCronJob } from "../validation/batch/cron-job.ts";

export const cronJobRules: KindRules<CronJob> = {
  ...separateStatus<CronJob>(() => ({})),
  defaults(job) {
    const { spec } = job;
    if (!spec.concurrencyPolicy) spec.concurrencyPolicy = "Allow";
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    spec.jobTemplate.metadata ??= {};
    defaultTemplate(spec.jobTemplate.spec);
  },
  validate: (job, context) => collect((errors) => validateCronJob(errors, job, context)),
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column("Schedule", "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
    column(
      "Timezone",
      "The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones.",
    ),
    column(
      "Suspend",
      "This flag tells the controller to suspend subsequent executions, it does not apply to already started executions.",
    ),
    column("Active", "A list of pointers to currently running jobs.", "integer"),
    column("Last Schedule", "Information when was the last time the job was successfully scheduled."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (job, now) => [
    job.metadata.name,
    job.spec.schedule,
    job.spec.timeZone ?? "<none>",
    job.spec.suspend === true ? "True" : "False",
    job.status?.active?.length ?? 0,
    job.status?.lastScheduleTime ? ageOf(job.status.lastScheduleTime, now) : "<none>",
    ageOf(job.metadata.creationTimestamp, now),
    ...templateCells(job.spec.jobTemplate?.spec?.template?.spec?.containers),
    formatLabelSelector(job.spec.jobTemplate?.spec?.selector),
  ],
};

/** What a Job gets at its creation stays open in a template, but for the pod's own defaults. */
function defaultTemplate(spec: CronJob["spec"]["jobTemplate"]["spec"]): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) if (!pattern.status) pattern.status = "True";
  }
  defaultPodTemplate(spec.template);
}
