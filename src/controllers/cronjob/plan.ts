import { parseCron } from "#api/cron-schedule.ts";
import { cronjobs, jobs as jobResource } from "#api/generated/resources.ts";
import type { CronJob, CronJobStatus, Job } from "#api/generated/batch-v1.ts";
import type { ObjectReference } from "#api/generated/core-v1.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Action, EventAction, EventText } from "#reconcile/action.ts";
import { isEqual, namedAfter } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import { aboutOf, controllerReference, referenceOf } from "../ownership.ts";
import { finishedAs, finishedMs, type CronJobView, type JobView } from "../views/batch.ts";
import { lastTime, nextTime, zoneClock } from "./schedule.ts";

export interface ObservedCronJob {
  readonly cronJob: CronJobView;
  /** Jobs whose controller it is. */
  readonly jobs: readonly JobView[];
  /** Whether a Job of this name exists in the namespace, whoever made it. */
  readonly jobExists: (name: string) => boolean;
}

const resource = cronjobs as Resource<unknown>;
const jobs = jobResource as Resource<unknown>;

/** Starts the Job of the newest instant that has passed, at most one for each instant; keeps history and status. */
export function planCronJob(observed: ObservedCronJob, now: number): Plan | undefined {
  const { cronJob } = observed;
  if (cronJob.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, cronJob);
  const due = cronJob.spec.suspend === true ? {} : dueTimes(cronJob, now);
  const start = due.latest === undefined ? noStart : startJob(observed, due.latest, now);
  const about = aboutOf(resource, cronJob);
  const left = observed.jobs.filter((job) => !start.replaced.includes(job));
  const status = statusOf({ ...observed, jobs: left }, start.started);
  const reason = "concurrencyPolicy Replace: a newer run is due";
  const actions: Action[] = [...start.replaced.map((job) => deletion(job, about, reason)), ...start.actions];
  if (!isEqual(status, cronJob.status)) actions.push(updateStatus(cronJob, status, observed), ...ends(observed));
  actions.push(...history(observed));
  const problem = due.problem ?? start.problem;
  if (problem !== undefined) actions.push({ verb: "event", about, type: "Warning", ...problem });
  const lookAgainMs = due.next === undefined ? undefined : Math.max(100, due.next - now + 100);
  return {
    actions,
    because,
    ...(lookAgainMs === undefined ? {} : { lookAgainMs: Math.min(lookAgainMs, limits.cronLookAheadMs) }),
  };
}

interface Problem {
  readonly eventReason: string;
  readonly message: string;
}

interface Due {
  /** The newest instant that has passed and was not started; undefined: none. */
  readonly latest?: number;
  readonly next?: number;
  readonly problem?: Problem;
}

function dueTimes(cronJob: CronJobView, now: number): Due {
  const { schedule: text, timeZone, startingDeadlineSeconds } = cronJob.spec;
  const parsed = parseCron(text);
  if (!parsed.ok)
    return {
      problem: { eventReason: "UnparseableSchedule", message: `unparseable schedule: ${text} : ${parsed.message}` },
    };
  const clock = zoneClock(timeZone);
  if (clock === undefined)
    return { problem: { eventReason: "UnknownTimeZone", message: `invalid timeZone: ${timeZone ?? ""}` } };
  let from = timeOf(cronJob.status.lastScheduleTime) ?? cronJob.createdMs;
  if (startingDeadlineSeconds !== undefined) from = Math.max(from, now - startingDeadlineSeconds * 1000 - 1);
  // The clock was put back: what was started then lies ahead, and nothing is started twice.
  if (from > now)
    return { next: from, ...(from - now > limits.clockSkewMs ? { problem: steppedBack(from, now) } : {}) };
  let latest: number | undefined;
  let missed = 0;
  let next = nextTime(parsed.schedule, clock, from);
  while (next !== undefined && next <= now && missed <= limits.cronMissedMax) {
    latest = next;
    missed++;
    next = nextTime(parsed.schedule, clock, next);
  }
  if (latest === undefined || missed <= limits.cronMissedMax)
    return { ...(latest === undefined ? {} : { latest }), ...(next === undefined ? {} : { next }) };
  latest = lastTime(parsed.schedule, clock, latest, now);
  next = nextTime(parsed.schedule, clock, latest);
  return { latest, ...(next === undefined ? {} : { next }), problem: tooManyMissed };
}

const tooManyMissed: Problem = {
  eventReason: "TooManyMissedTimes",
  message: "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
};

function steppedBack(fromMs: number, now: number): Problem {
  const seconds = Math.round((fromMs - now) / 1000);
  const message =
    `the last start belongs to ${timeText(fromMs)}, ${seconds} s from now: ` +
    "the clock has been set back, and no Job starts before that time has come again";
  return { eventReason: "ClockSetBack", message };
}

interface Start {
  readonly actions: readonly Action[];
  /** Jobs that must go before the new one comes. */
  readonly replaced: readonly JobView[];
  /** The instant whose Job is started now or was before. */
  readonly started?: number;
  readonly problem?: Problem;
}

const noStart: Start = { actions: [], replaced: [] };

function startJob(observed: ObservedCronJob, atMs: number, now: number): Start {
  const { cronJob } = observed;
  const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec;
  const name = jobName(cronJob, atMs);
  // The name belongs to the instant: if such a Job exists, this instant has had its turn.
  if (observed.jobExists(name)) return { ...noStart, started: atMs };
  if (startingDeadlineSeconds !== undefined && atMs + startingDeadlineSeconds * 1000 < now) {
    return {
      ...noStart,
      problem: {
        eventReason: "MissSchedule",
        message: `Missed scheduled time to start a job: ${new Date(atMs).toUTCString()}`,
      },
    };
  }
  const active = activeJobs(observed);
  if (concurrencyPolicy === "Forbid" && active.length > 0) {
    return {
      ...noStart,
      problem: {
        eventReason: "JobAlreadyActive",
        message: "Not starting job because prior execution is running and concurrency policy is Forbid",
      },
    };
  }
  const about = aboutOf(resource, cronJob);
  const action: Action = {
    verb: "create",
    resource: jobs,
    namespace: cronJob.namespace,
    object: jobOf(cronJob, name, atMs),
    existingIsFine: true,
    reason: `schedule ${cronJob.spec.schedule} fired at ${timeText(atMs)}`,
    event: { about, type: "Normal", eventReason: "SuccessfulCreate", message: `Created job ${name}` },
    failureEvent: { about, type: "Warning", eventReason: "FailedCreate", message: "Error creating job: " },
  };
  return { actions: [action], replaced: concurrencyPolicy === "Replace" ? active : [], started: atMs };
}

/** Derived from the instant, so that however often we are started there is one Job for it. */
function jobName(cronJob: CronJobView, atMs: number): string {
  return namedAfter(cronJob.name, `-${Math.floor(atMs / 60_000)}`);
}

function jobOf(cronJob: CronJobView, name: string, atMs: number): Draft<Job> {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace: cronJob.namespace,
      labels: metadata?.labels ?? {},
      annotations: { ...metadata?.annotations, "batch.kubernetes.io/cronjob-scheduled-timestamp": timeText(atMs) },
      ownerReferences: [controllerReference(resource, cronJob)],
    },
    spec,
  };
}

function activeJobs({ jobs: all }: ObservedCronJob): readonly JobView[] {
  return all.filter((job) => finishedAs(job) === undefined && job.deletionMs === undefined);
}

function statusOf(observed: ObservedCronJob, started: number | undefined): CronJobStatus {
  const { cronJob } = observed;
  const active = activeJobs(observed).map((job): ObjectReference => ({
    apiVersion: "batch/v1",
    kind: "Job",
    namespace: job.namespace,
    name: job.name,
    uid: job.uid,
    resourceVersion:
      cronJob.status.active?.find((other) => other.uid === job.uid)?.resourceVersion ?? job.resourceVersion,
  }));
  const last = Math.max(started ?? 0, timeOf(cronJob.status.lastScheduleTime) ?? 0);
  const successes = observed.jobs
    .filter((job) => finishedAs(job) === "Complete")
    .map((job) => timeOf(job.status.completionTime) ?? 0);
  const successful = Math.max(timeOf(cronJob.status.lastSuccessfulTime) ?? 0, ...successes);
  return {
    ...(active.length === 0 ? {} : { active }),
    ...(last === 0 ? {} : { lastScheduleTime: timeText(last) }),
    ...(successful === 0 ? {} : { lastSuccessfulTime: timeText(successful) }),
  };
}

/** Tells once of each Job that the status still calls active, and that has finished or is gone. */
function ends({ cronJob, jobs: all }: ObservedCronJob): EventAction[] {
  const about = aboutOf(resource, cronJob);
  return (cronJob.status.active ?? []).flatMap(({ uid, name = "" }): EventAction[] => {
    const job = all.find((candidate) => candidate.uid === uid);
    const end = job && finishedAs(job);
    if (job !== undefined && end === undefined) return [];
    const told =
      end === undefined
        ? { eventReason: "MissingJob", message: `Active job went missing: ${name}` }
        : { eventReason: "SawCompletedJob", message: `Saw completed job: ${name}, condition: ${end}` };
    return [{ verb: "event", about, type: "Normal", ...told }];
  });
}

function updateStatus(cronJob: CronJobView, status: CronJobStatus, observed: ObservedCronJob): Action {
  const { name, namespace, uid, resourceVersion } = cronJob;
  const metadata = { name, namespace, uid, resourceVersion };
  const object: CronJob = { apiVersion: "batch/v1", kind: "CronJob", metadata, spec: cronJob.spec, status };
  const reason = `${activeJobs(observed).length} of its ${observed.jobs.length} Jobs are active`;
  return { verb: "update", resource, namespace, name, subresource: "status", object, reason };
}

/** Finished Jobs beyond the limits, oldest first. */
function history(observed: ObservedCronJob): Action[] {
  const { cronJob } = observed;
  const about = aboutOf(resource, cronJob);
  const surplus = (type: "Complete" | "Failed", limit: number | undefined): JobView[] => {
    if (limit === undefined) return [];
    const finished = observed.jobs.filter((job) => finishedAs(job) === type && job.deletionMs === undefined);
    const oldest = [...finished].sort(
      (a, b) => (finishedMs(a) ?? 0) - (finishedMs(b) ?? 0) || (a.name < b.name ? -1 : 1),
    );
    return oldest.slice(0, Math.max(0, finished.length - limit));
  };
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec;
  const doomed = [...surplus("Complete", successfulJobsHistoryLimit), ...surplus("Failed", failedJobsHistoryLimit)];
  return doomed.map((job) => deletion(job, about, "the history of finished Jobs is full"));
}

function deletion(job: JobView, about: EventText["about"], reason: string): Action {
  const { namespace, name, uid } = job;
  const event: EventText = { about, type: "Normal", eventReason: "SuccessfulDelete", message: `Deleted job ${name}` };
  return { verb: "delete", resource: jobs, namespace, name, uid, propagation: "Background", reason, event };
}
