import { timeOf } from "#reconcile/object-view.ts";
import type { JobView } from "../views/batch.ts";
import { isIndexed, type Count } from "./counting.ts";
import { parseIndexes } from "./indexes.ts";

/** How a Job ends, with the words of its conditions. */
export interface Verdict {
  readonly type: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
}

/** Whether the Job has come to its end; undefined: it goes on. */
export function verdictOf(job: JobView, count: Count, now: number): Verdict | undefined {
  return standingVerdict(job) ?? failureOf(job, count, now) ?? successOf(job, count);
}

/** A verdict that is in the status already never changes. */
function standingVerdict(job: JobView): Verdict | undefined {
  for (const { type, status, reason = "", message = "" } of job.status.conditions ?? []) {
    if (status !== "True") continue;
    if (type === "FailureTarget") return { type: "Failed", reason, message };
    if (type === "SuccessCriteriaMet") return { type: "Complete", reason, message };
  }
  return undefined;
}

function failureOf(job: JobView, count: Count, now: number): Verdict | undefined {
  const failed = (reason: string, message: string): Verdict => ({ type: "Failed", reason, message });
  if (count.failJob !== undefined) return failed("PodFailurePolicy", count.failJob);
  const limit = job.spec.backoffLimit ?? 6;
  if (count.failed > limit || hasRestartedTooOften(job, count, limit)) {
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const untilMs = untilDeadlineMs(job, now);
  if (untilMs !== undefined && untilMs <= 0)
    return failed("DeadlineExceeded", "Job was active longer than specified deadline");
  if (job.spec.maxFailedIndexes !== undefined && count.failedIndexes.size > job.spec.maxFailedIndexes) {
    return failed("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  const isOver = isIndexed(job) && count.completed.size + count.failedIndexes.size >= (job.spec.completions ?? 0);
  return isOver && count.failedIndexes.size > 0 ? failed("FailedIndexes", "Job has failed indexes") : undefined;
}

/** Containers restarted in place count as tries too. */
function hasRestartedTooOften(job: JobView, count: Count, limit: number): boolean {
  if (job.spec.template.spec?.restartPolicy !== "OnFailure") return false;
  const restarts = count.active.reduce(
    (sum, pod) => sum + (pod.phase === "Running" || pod.phase === "Pending" ? pod.restarts : 0),
    0,
  );
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function successOf(job: JobView, count: Count): Verdict | undefined {
  const rule = metSuccessRule(job, count);
  if (rule !== undefined)
    return { type: "Complete", reason: "SuccessPolicy", message: `Matched rules at index ${rule}` };
  const { completions } = job.spec;
  const isDone =
    completions === undefined ? count.succeeded > 0 && count.active.length === 0 : count.succeeded >= completions;
  return isDone
    ? { type: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" }
    : undefined;
}

function metSuccessRule(job: JobView, count: Count): number | undefined {
  const rules = job.spec.successPolicy?.rules ?? [];
  const at = rules.findIndex((rule) => {
    const completions = job.spec.completions ?? 0;
    if (rule.succeededIndexes === undefined)
      return count.completed.size >= (rule.succeededCount ?? Number.POSITIVE_INFINITY);
    const wanted = parseIndexes(rule.succeededIndexes, completions);
    const met = wanted.filter((index) => count.completed.has(index)).length;
    return met >= (rule.succeededCount ?? wanted.length);
  });
  return at === -1 ? undefined : at;
}

/** Milliseconds until activeDeadlineSeconds is over; undefined when there is none or the Job has not started. */
export function untilDeadlineMs(job: JobView, now: number): number | undefined {
  const startMs = timeOf(job.status.startTime);
  const { activeDeadlineSeconds, suspend } = job.spec;
  if (activeDeadlineSeconds === undefined || startMs === undefined || suspend === true) return undefined;
  return startMs + activeDeadlineSeconds * 1000 - now;
}
