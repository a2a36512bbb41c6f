import type { RuntimeAct } from "../simulated-runtime.ts";
import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { controllerOf, isTerminal, objectOfUid } from "./facts.ts";

const trackingFinalizer = "batch.kubernetes.io/job-tracking";

interface JobSpec {
  readonly parallelism?: number;
  readonly completions?: number;
}

interface JobStatus {
  readonly succeeded?: number;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** 40 one pod an ordinal runs, 41 ordinals come in order, 44 one daemon pod a node, 45 and 46 what a Job keeps to. */
export function workloadChecker(view: View, report: Report): Checker {
  return new WorkloadChecker(view, report);
}

class WorkloadChecker implements Checker {
  readonly name = "workloads";
  readonly #view: View;
  readonly #report: Report;
  /** Containers that run anywhere, by the name of their pod: the host and uid of each. */
  readonly #running = new Map<string, Set<string>>();
  /** Pods of StatefulSets, by uid. */
  readonly #ordinals = new Map<string, string>();

  constructor(view: View, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  acted(host: string, { what, pod, podUid }: RuntimeAct): void {
    const running = this.#running.get(pod) ?? new Set<string>();
    this.#running.set(pod, running);
    const one = `${podUid} on ${host}`;
    if (what !== "started") {
      running.delete(one);
      return;
    }
    running.add(one);
    const uids = new Set([...running].map((text) => text.split(" ")[0]));
    if (uids.size > 1 && this.#ordinals.has(podUid)) {
      this.#report("40 at most one", `${pod} runs more than once: ${[...running].join(", ")}`);
    }
  }

  changed(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.resource === "pods" && change.current !== undefined) this.#podChanged(change, change.current);
      if (change.resource === "batch/jobs" && change.current !== undefined) this.#jobChanged(change, change.current);
    }
  }

  settled(): void {
    for (const pod of this.#view.history.all("pods").values()) {
      const { metadata } = pod;
      const job = controllerOf(pod, "Job");
      if (job === undefined || !(metadata.finalizers ?? []).includes(trackingFinalizer)) continue;
      const { status } = objectOfUid(this.#view.history.all("batch/jobs").values(), job) ?? {};
      if (isFinished((status ?? {}) as JobStatus))
        this.#report("46 tracking", `pod ${metadata.name} of a finished Job is still tracked`);
    }
  }

  #podChanged({ before }: Change, pod: Stored): void {
    const { metadata } = pod;
    const set = controllerOf(pod, "StatefulSet");
    if (set !== undefined) this.#ordinals.set(metadata.uid, set);
    if (before === undefined && set !== undefined) this.#ordinalCreated(pod, set);
    const daemon = controllerOf(pod, "DaemonSet");
    const node = pod.spec?.["nodeName"];
    if (daemon !== undefined && node !== undefined && before?.spec?.["nodeName"] === undefined)
      this.#daemonBound(pod, daemon);
    const job = controllerOf(pod, "Job");
    if (before === undefined && job !== undefined) {
      this.#jobPodCreated(pod, job);
      const stored = objectOfUid(this.#view.history.all("batch/jobs").values(), job);
      if (stored !== undefined) this.#indexCreated(pod, stored);
    }
  }

  /** A predecessor may stop being ready at any time; that it never was, or is gone, the controller must know. */
  #ordinalCreated({ metadata }: Stored, setUid: string): void {
    const set = objectOfUid(this.#view.history.all("apps/statefulsets").values(), setUid);
    if (set?.spec?.["podManagementPolicy"] === "Parallel" || set === undefined) return;
    const ordinal = Number(metadata.name.slice(metadata.name.lastIndexOf("-") + 1));
    for (let earlier = 0; earlier < ordinal; earlier += 1) {
      const key = `/registry/core/pods/${metadata.namespace}/${set.metadata.name}-${earlier}`;
      if (this.#view.history.get(key) === undefined && !this.#wasThere(key)) {
        this.#report("41 order", `${metadata.name} was made, and there never was a ${set.metadata.name}-${earlier}`);
      }
    }
  }

  #wasThere(key: string): boolean {
    const name = key.split("/").at(-1) ?? "";
    return this.#running.has(`${key.split("/").at(-2)}/${name}`);
  }

  #daemonBound(pod: Stored, daemonUid: string): void {
    const node = pod.spec?.["nodeName"];
    const others = [...this.#view.history.all("pods").values()].filter(
      (other) =>
        other.metadata.uid !== pod.metadata.uid &&
        other.spec?.["nodeName"] === node &&
        controllerOf(other, "DaemonSet") === daemonUid &&
        other.metadata.deletionTimestamp === undefined &&
        !isTerminal(other),
    );
    if (others.length === 0) return;
    const names = others.map(({ metadata }) => metadata.name).join(" ");
    this.#report(
      "44 one a node",
      `${pod.metadata.name} was bound to ${String(node)}, beside ${names} of the same DaemonSet`,
    );
  }

  /** What is written in a Job's status, its loop knows. */
  #indexCreated({ metadata }: Stored, job: Stored): void {
    const index = metadata.annotations?.["batch.kubernetes.io/job-completion-index"];
    if (index === undefined || !isIn(Number(index), String(job.status?.["completedIndexes"] ?? ""))) return;
    this.#report(
      "45 indexes",
      `pod ${metadata.name} was made for index ${index} of ${job.metadata.name}, which is done`,
    );
  }

  #jobPodCreated({ metadata }: Stored, jobUid: string): void {
    const job = objectOfUid(this.#view.history.all("batch/jobs").values(), jobUid);
    if (job === undefined) return;
    const { parallelism = 1 } = (job.spec ?? {}) as JobSpec;
    if (isFinished((job.status ?? {}) as JobStatus)) {
      this.#report("46 finished", `pod ${metadata.name} was made for ${job.metadata.name}, which is finished`);
    }
    const active = [...this.#view.history.all("pods").values()].filter(
      (pod) => controllerOf(pod, "Job") === jobUid && pod.metadata.deletionTimestamp === undefined && !isTerminal(pod),
    );
    if (active.length > parallelism) {
      this.#report(
        "45 parallelism",
        `${job.metadata.name} has ${active.length} active pods with ${metadata.name}, at most ${parallelism}`,
      );
    }
  }

  #jobChanged({ before, revision }: Change, job: Stored): void {
    const [old, now] = [(before?.status ?? {}) as JobStatus, (job.status ?? {}) as JobStatus];
    const { completions } = (job.spec ?? {}) as JobSpec;
    if (isFinished(old) && !isFinished(now))
      this.#report("46 finished", `${job.metadata.name} is not finished any more at ${revision}`);
    if ((now.succeeded ?? 0) < (old.succeeded ?? 0)) {
      this.#report(
        "45 counting",
        `${job.metadata.name} had ${old.succeeded} successes, and ${now.succeeded ?? 0} at ${revision}`,
      );
    }
    if (completions !== undefined && (now.succeeded ?? 0) > completions) {
      this.#report(
        "45 counting",
        `${job.metadata.name} counts ${now.succeeded} successes of ${completions} at ${revision}`,
      );
    }
  }
}

function isFinished({ conditions = [] }: JobStatus): boolean {
  return conditions.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
}

/** Whether `1-3,7` has an index. */
function isIn(index: number, ranges: string): boolean {
  return ranges.split(",").some((range) => {
    const [first = "", last = first] = range.split("-");
    return first !== "" && Number(first) <= index && index <= Number(last);
  });
}
