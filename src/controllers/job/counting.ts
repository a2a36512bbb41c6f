import type { JobStatus } from "#api/generated/batch-v1.ts";
import type { JobView } from "../views/batch.ts";
import { isFinished, type PodView } from "../views/pod.ts";
import { judgeFailure } from "./failure-policy.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
export const indexKey = "batch.kubernetes.io/job-completion-index";
export const indexFailuresKey = "batch.kubernetes.io/job-index-failure-count";

type CountStatus = Pick<
  JobStatus,
  "succeeded" | "failed" | "completedIndexes" | "failedIndexes" | "uncountedTerminatedPods"
>;

/** How a Job stands: what its status and its pods say together. Each pod counts once, whatever is repeated or lost. */
export interface Count {
  /** Counted ones and those about to be. */
  readonly succeeded: number;
  readonly failed: number;
  /** Indexed Jobs only. */
  readonly completed: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  readonly active: readonly PodView[];
  readonly terminating: readonly PodView[];
  /** Why the failure policy ends the Job. */
  readonly failJob: string | undefined;
  /** The part of the status that keeps count. */
  readonly status: CountStatus;
  /** The same as the last word about a Job: every pod that has ended is a number. */
  readonly finalStatus: CountStatus;
  /** Pods whose finalizer may go: they are in the stored status. */
  readonly accounted: readonly PodView[];
  /** Failed pods, for back-off. */
  readonly failures: readonly PodView[];
}

export function isIndexed(job: JobView): boolean {
  return job.spec.completionMode === "Indexed";
}

export function indexOf(pod: PodView): number {
  const text = pod.annotations[indexKey];
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
}

export function indexFailures(pod: PodView): number {
  const text = pod.annotations[indexFailuresKey];
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
}

/** Only pods in phase Failed count as failed; else those that are being deleted before they finished do as well. */
function waitsForPhase(job: JobView): boolean {
  return job.spec.podReplacementPolicy === "Failed" || job.spec.podFailurePolicy !== undefined;
}

/**
 * Counts by the finalizer that each pod of the Job carries: a finished pod is first noted as uncounted in the status, then loses
 * its finalizer, then moves from the note to the number. So it counts exactly once through any crash. The pods that end a Job
 * need no note: their numbers stand in the same write as its end, after which nothing is counted any more.
 */
export function countPods(job: JobView, pods: readonly PodView[]): Count {
  const tally = new Tally(job, pods);
  for (const pod of pods) tally.look(pod);
  return tally.result(pods);
}

/** Whether a pod of an index came after another one, which has ended. */
function isAfter(pod: PodView, ended: PodView): boolean {
  if (!isFinished(pod)) return true;
  const more = indexFailures(pod) - indexFailures(ended) || pod.createdMs - ended.createdMs;
  return more > 0 || (more === 0 && pod.uid > ended.uid);
}

class Tally {
  readonly #job: JobView;
  readonly #completions: number;
  readonly #isIndexed: boolean;
  readonly #noted: { succeeded: Set<string>; failed: Set<string> };
  readonly #next: { succeeded: string[]; failed: string[] } = { succeeded: [], failed: [] };
  readonly #completed: Set<number>;
  readonly #failedIndexes: Set<number>;
  readonly #accounted: PodView[] = [];
  readonly #failures: PodView[] = [];
  #succeeded: number;
  #failed: number;
  #failJob: string | undefined;

  constructor(job: JobView, pods: readonly PodView[]) {
    this.#job = job;
    this.#isIndexed = isIndexed(job);
    this.#completions = job.spec.completions ?? 0;
    const noted = job.status.uncountedTerminatedPods ?? {};
    this.#noted = { succeeded: new Set(noted.succeeded ?? []), failed: new Set(noted.failed ?? []) };
    this.#succeeded = job.status.succeeded ?? 0;
    this.#failed = job.status.failed ?? 0;
    this.#completed = new Set(this.#isIndexed ? parseIndexes(job.status.completedIndexes, this.#completions) : []);
    this.#failedIndexes = new Set(parseIndexes(job.status.failedIndexes, this.#completions));
    // Noted pods that have lost their finalizer, or are gone, become numbers now.
    const tracked = new Set(pods.filter((pod) => pod.finalizers.includes(trackingFinalizer)).map((pod) => pod.uid));
    for (const uid of this.#noted.succeeded) if (tracked.has(uid)) this.#next.succeeded.push(uid);
    for (const uid of this.#noted.failed) if (tracked.has(uid)) this.#next.failed.push(uid);
    if (!this.#isIndexed) this.#succeeded += this.#noted.succeeded.size - this.#next.succeeded.length;
    this.#failed += this.#noted.failed.size - this.#next.failed.length;
  }

  look(pod: PodView): void {
    const isTracked = pod.finalizers.includes(trackingFinalizer);
    const isFailed =
      pod.phase === "Failed" || (pod.deletionMs !== undefined && !isFinished(pod) && !waitsForPhase(this.#job));
    const isSuspended = this.#job.spec.suspend === true && pod.deletionMs !== undefined && !isFinished(pod);
    if (isFailed && !isSuspended) this.#failures.push(pod);
    if (!isTracked) return;
    // Deleted because the Job is suspended: that is nobody's failure.
    if (isSuspended) {
      this.#accounted.push(pod);
      return;
    }
    if (this.#noted.succeeded.has(pod.uid) || this.#noted.failed.has(pod.uid)) {
      this.#accounted.push(pod);
    } else if (pod.phase === "Succeeded") this.#success(pod);
    else if (isFailed) this.#failure(pod);
  }

  #success(pod: PodView): void {
    if (!this.#isIndexed) {
      this.#next.succeeded.push(pod.uid);
      return;
    }
    // Indexes themselves are the count: noting them once or twice is the same.
    const index = indexOf(pod);
    const isStored = parseIndexes(this.#job.status.completedIndexes, this.#completions).includes(index);
    if (isStored || index < 0 || index >= this.#completions) this.#accounted.push(pod);
    if (index >= 0 && index < this.#completions) this.#completed.add(index);
  }

  #failure(pod: PodView): void {
    const verdict =
      pod.phase === "Failed" ? judgeFailure(this.#job.spec.podFailurePolicy, pod) : ({ action: "Count" } as const);
    if (verdict.action === "Ignore") {
      this.#accounted.push(pod);
      return;
    }
    this.#next.failed.push(pod.uid);
    if (verdict.action === "FailJob") this.#failJob ??= verdict.message;
    const limit = this.#job.spec.backoffLimitPerIndex;
    if (limit === undefined || !this.#isIndexed) return;
    if (verdict.action === "FailIndex" || indexFailures(pod) >= limit) this.#failedIndexes.add(indexOf(pod));
  }

  result(pods: readonly PodView[]): Count {
    const { succeeded, failed } = this.#next;
    for (const index of this.#completed) this.#failedIndexes.delete(index);
    const allSucceeded = this.#isIndexed ? this.#completed.size : this.#succeeded + succeeded.length;
    const allFailed = this.#failed + failed.length;
    const counted = this.#isIndexed ? this.#completed.size : this.#succeeded;
    return {
      succeeded: allSucceeded,
      failed: allFailed,
      completed: this.#completed,
      failedIndexes: this.#failedIndexes,
      active: pods.filter((pod) => pod.deletionMs === undefined && !isFinished(pod)),
      terminating: pods.filter((pod) => pod.deletionMs !== undefined && !isFinished(pod)),
      failJob: this.#failJob,
      failures: this.#failures,
      accounted: this.#accounted.filter((pod) => !this.#isRemembered(pod, pods)),
      status: this.#statusOf(counted, this.#failed, {
        ...(succeeded.length === 0 ? {} : { succeeded }),
        ...(failed.length === 0 ? {} : { failed }),
      }),
      finalStatus: this.#statusOf(allSucceeded, allFailed, {}),
    };
  }

  /** How often an index has failed is written on its newest failed pod alone: it stays until another has the number. */
  #isRemembered(pod: PodView, pods: readonly PodView[]): boolean {
    const index = indexOf(pod);
    const isOver = this.#completed.has(index) || this.#failedIndexes.has(index) || pod.phase === "Succeeded";
    if (this.#job.spec.backoffLimitPerIndex === undefined || this.#job.spec.suspend === true || isOver) return false;
    return !pods.some((other) => other.uid !== pod.uid && indexOf(other) === index && isAfter(other, pod));
  }

  #statusOf(
    succeeded: number,
    failed: number,
    uncountedTerminatedPods: NonNullable<JobStatus["uncountedTerminatedPods"]>,
  ): CountStatus {
    const hasPerIndex = this.#job.spec.backoffLimitPerIndex !== undefined;
    return {
      ...(succeeded === 0 ? {} : { succeeded }),
      ...(failed === 0 ? {} : { failed }),
      ...(this.#completed.size === 0 ? {} : { completedIndexes: formatIndexes(this.#completed) }),
      ...(hasPerIndex ? { failedIndexes: formatIndexes(this.#failedIndexes) } : {}),
      uncountedTerminatedPods,
    };
  }
}
