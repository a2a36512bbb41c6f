import type { CronJob, CronJobSpec, CronJobStatus, Job, JobSpec, JobStatus } from "#api/generated/batch-v1.ts";
import { cronjobs, jobs } from "#api/generated/resources.ts";
import { selectorOfObject, type Selector } from "#api/selectors.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, timeOf, type ObjectView } from "#reconcile/object-view.ts";

export interface JobView extends ObjectView {
  readonly spec: JobSpec;
  readonly status: JobStatus;
  readonly selector: Selector;
}

export interface CronJobView extends ObjectView {
  readonly spec: CronJobSpec;
  readonly status: CronJobStatus;
}

export const jobDeclaration: InformerDeclaration<Job, JobView> = {
  resource: jobs,
  indexes: objectIndexes,
  project: (job) => ({
    ...objectView(job.metadata),
    spec: job.spec,
    status: job.status ?? {},
    selector: selectorOfObject(job.spec.selector),
  }),
};

export const cronJobDeclaration: InformerDeclaration<CronJob, CronJobView> = {
  resource: cronjobs,
  indexes: objectIndexes,
  project: (cronJob) => ({ ...objectView(cronJob.metadata), spec: cronJob.spec, status: cronJob.status ?? {} }),
};

/** `Complete` or `Failed` once the Job has finished. */
export function finishedAs(job: JobView): "Complete" | "Failed" | undefined {
  for (const { type, status } of job.status.conditions ?? []) {
    if (status === "True" && (type === "Complete" || type === "Failed")) return type;
  }
  return undefined;
}

/** When it finished, in milliseconds since 1970; undefined while it runs. */
export function finishedMs(job: JobView): number | undefined {
  const type = finishedAs(job);
  if (type === undefined) return undefined;
  const condition = job.status.conditions?.find((candidate) => candidate.type === type);
  return timeOf(condition?.lastTransitionTime) ?? timeOf(job.status.completionTime);
}
