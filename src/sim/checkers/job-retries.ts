import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { controllerOf, isTerminal, isTrue, objectOfUid } from "./facts.ts";

interface JobSpec {
  readonly parallelism?: number;
  readonly backoffLimit?: number;
  readonly backoffLimitPerIndex?: number;
  readonly podReplacementPolicy?: string;
  readonly podFailurePolicy?: object;
}

interface Made {
  readonly job: string;
  readonly index: string | undefined;
  /** It succeeded, was deleted or disrupted: it used up no retry. */
  isExcused: boolean;
}

const indexAnnotation = "batch.kubernetes.io/job-completion-index";

/**
 * 47: a Job makes no more pods than its retries allow, all in all and for each index; what was deleted, disrupted or ended well is
 * no retry. With podReplacementPolicy Failed nobody is replaced before they have ended.
 */
export function jobRetryChecker(view: View, report: Report): Checker {
  const made = new Map<string, Made>();
  return {
    name: "job retries",
    changed(changes) {
      for (const change of changes) {
        if (change.resource !== "pods") continue;
        const pod = change.current ?? change.before;
        if (pod === undefined) continue;
        const job = controllerOf(pod, "Job");
        if (job === undefined) continue;
        follow(change, pod, job, made);
        if (change.before === undefined) check(pod, job, made, view, report);
      }
    },
  };
}

function follow({ current, before }: Change, pod: Stored, job: string, made: Map<string, Made>): void {
  const { uid, annotations } = pod.metadata;
  const known = made.get(uid) ?? { job, index: annotations?.[indexAnnotation], isExcused: false };
  made.set(uid, known);
  const wasFailed = before?.status?.["phase"] === "Failed";
  const isGoing = current === undefined || current.metadata.deletionTimestamp !== undefined;
  if (pod.status?.["phase"] === "Succeeded" || isTrue(pod, "DisruptionTarget") || (isGoing && !wasFailed))
    known.isExcused = true;
}

function check(pod: Stored, jobUid: string, made: ReadonlyMap<string, Made>, view: View, report: Report): void {
  const job = objectOfUid(view.history.all("batch/jobs").values(), jobUid);
  if (job === undefined) return;
  const { parallelism = 1, backoffLimit = 6, backoffLimitPerIndex, podReplacementPolicy } = job.spec as JobSpec;
  const { name } = job.metadata;
  const counted = [...made.values()].filter((one) => one.job === jobUid && !one.isExcused);
  const index = pod.metadata.annotations?.[indexAnnotation];
  if (backoffLimitPerIndex !== undefined) {
    const own = counted.filter((one) => one.index === index).length;
    if (own > backoffLimitPerIndex + 1)
      report("47 retries", `${name} made ${own} pods for index ${index}, and allows ${backoffLimitPerIndex} retries`);
  } else if (counted.length > backoffLimit + parallelism)
    report("47 retries", `${name} made ${counted.length} pods, ${backoffLimit} retries of ${parallelism} at a time`);
  if (podReplacementPolicy !== "Failed") return;
  const there = [...view.history.all("pods").values()].filter(
    (one) => controllerOf(one, "Job") === jobUid && !isTerminal(one),
  );
  if (there.length > parallelism)
    report("47 replacement", `${name} has ${there.length} pods that have not ended, and replaces only those that have`);
}
