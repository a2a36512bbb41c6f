import type { Plan } from "#reconcile/controller.ts";
import { growingBuckets, type Counter, type Histogram, type Metrics } from "#telemetry/metrics.ts";
import { finishedAs, type JobView } from "../views/batch.ts";
import { isFinished, type PodView } from "../views/pod.ts";
import { trackingFinalizer } from "./counting.ts";

/** Why Jobs end, in the words of `verdict.ts`: whatever else a status says was written by somebody else, and is no label. */
const reasons: ReadonlySet<string> = new Set([
  "BackoffLimitExceeded",
  "CompletionsReached",
  "DeadlineExceeded",
  "FailedIndexes",
  "MaxFailedIndexesExceeded",
  "PodFailurePolicy",
  "SuccessPolicy",
]);

type Mode = "Indexed" | "NonIndexed";

/** What Jobs and their pods come to, under upstream's names. What is seen at the start ended before. */
export class JobMeasures {
  readonly #syncs: Counter;
  readonly #durations: Histogram;
  readonly #finished: Counter;
  readonly #podsFinished: Counter;
  readonly #tracked: Counter;

  constructor(metrics: Metrics) {
    const prefix = "job_controller_";
    const sync = ["completion_mode", "result", "action"];
    this.#syncs = metrics.counter(`${prefix}job_syncs_total`, "The number of job syncs", sync);
    this.#durations = metrics.histogram(
      `${prefix}job_sync_duration_seconds`,
      "The time it took to sync a job",
      sync,
      growingBuckets(0.004, 2, 15),
    );
    this.#finished = metrics.counter(`${prefix}jobs_finished_total`, "The number of finished jobs", [
      "completion_mode",
      "result",
      "reason",
    ]);
    this.#podsFinished = metrics.counter(
      `${prefix}job_pods_finished_total`,
      "The number of finished Pods that are fully tracked",
      ["completion_mode", "result"],
    );
    this.#tracked = metrics.counter(
      `${prefix}terminated_pods_tracking_finalizer_total`,
      `The number of terminated pods that have the finalizer ${trackingFinalizer}, by event: add or delete.`,
      ["event"],
    );
  }

  passed(job: JobView | undefined, plan: Plan | undefined, isSuccess: boolean, seconds: number): void {
    const labels = [modeOf(job), isSuccess ? "success" : "error", actionOf(plan)];
    this.#syncs.add(labels);
    this.#durations.observe(labels, seconds);
  }

  jobChanged(old: JobView | undefined, current: JobView | undefined): void {
    if (old === undefined || current === undefined || finishedAs(old) !== undefined) return;
    const type = finishedAs(current);
    if (type === undefined) return;
    const { reason = "" } = current.status.conditions?.find((condition) => condition.type === type) ?? {};
    const result = type === "Complete" ? "succeeded" : "failed";
    this.#finished.add([modeOf(current), result, reasons.has(reason) ? reason : ""]);
  }

  /** `job`: whose the pod is. */
  podChanged(job: JobView | undefined, old: PodView | undefined, current: PodView | undefined): void {
    if (old === undefined) return;
    const wasHeld = isHeld(old);
    const held = current !== undefined && isHeld(current);
    if (!wasHeld && held) this.#tracked.add(["add"]);
    if (!wasHeld || held) return;
    this.#tracked.add(["delete"]);
    this.#podsFinished.add([modeOf(job), old.phase === "Succeeded" ? "succeeded" : "failed"]);
  }
}

/** Ended, and not yet counted. */
function isHeld(pod: PodView): boolean {
  return isFinished(pod) && pod.finalizers.includes(trackingFinalizer);
}

function modeOf(job: JobView | undefined): Mode {
  return job?.spec.completionMode === "Indexed" ? "Indexed" : "NonIndexed";
}

/** Pods are all that a Job's plan creates or deletes. */
function actionOf(plan: Plan | undefined): string {
  const does = (wanted: "create" | "delete"): boolean => plan?.actions.some(({ verb }) => verb === wanted) === true;
  return does("create") ? "pods_created" : does("delete") ? "pods_deleted" : "tracking";
}
