import type { RuntimeAct } from "../simulated-runtime.ts";
import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

/** The wait before the second restart of a container, and each after it, at least. Milliseconds. */
const backOffMs = 10_000;

interface Run {
  isRunning: boolean;
  endedMs: number;
  /** Restarts in one life of the agent: a new agent may have forgotten them. */
  restarts: number;
  agentLife: number;
}

/** 60 what runs is bound here, 62 restarts wait, 64 an agent never ends a container of a pod that shall run. */
export function nodeChecker(view: View, report: Report): Checker {
  return new NodeChecker(view, report);
}

class NodeChecker implements Checker {
  readonly name = "nodes";
  readonly #view: View;
  readonly #report: Report;
  /** Where a pod was ever bound to, by uid. */
  readonly #boundTo = new Map<string, string>();
  readonly #pods = new Map<string, Stored>();
  readonly #runs = new Map<string, Run>();

  constructor(view: View, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  changed(changes: readonly Change[]): void {
    for (const { resource, current, before } of changes) {
      if (resource !== "pods") continue;
      if (current === undefined) {
        if (before !== undefined) this.#pods.delete(before.metadata.uid);
        continue;
      }
      this.#pods.set(current.metadata.uid, current);
      const node = current.spec?.["nodeName"];
      if (typeof node === "string") this.#boundTo.set(current.metadata.uid, node);
    }
  }

  acted(hostName: string, act: RuntimeAct): void {
    const { podUid, pod, container, what } = act;
    const key = `${podUid}/${container}`;
    const nowMs = this.#view.now();
    const run = this.#runs.get(key) ?? { isRunning: false, endedMs: -Infinity, restarts: -1, agentLife: 0 };
    this.#runs.set(key, run);
    if (what === "started") this.#started(hostName, act, run, nowMs);
    else {
      run.isRunning = false;
      run.endedMs = nowMs;
    }
    if (what !== "stopped") return;
    const stored = this.#pods.get(podUid);
    const phase = stored?.status?.["phase"];
    if (
      stored === undefined ||
      stored.metadata.deletionTimestamp !== undefined ||
      phase === "Failed" ||
      phase === "Succeeded"
    )
      return;
    this.#report(
      "64 agents leave pods alone",
      `the agent of ${hostName} ended ${container} of ${pod}, which shall run`,
    );
  }

  #started(hostName: string, { podUid, pod, container }: RuntimeAct, run: Run, nowMs: number): void {
    const bound = this.#boundTo.get(podUid);
    if (bound !== hostName)
      this.#report(
        "60 bound pods",
        `${hostName} started ${container} of ${pod}, which is bound to ${bound ?? "no node"}`,
      );
    if (run.isRunning)
      this.#report("64 no duplicates", `${hostName} started ${container} of ${pod} a second time while it runs`);
    const agentLife = this.#view.hosts.find(({ name }) => name === hostName)?.agentLives ?? 0;
    run.restarts = run.agentLife === agentLife ? run.restarts + 1 : 0;
    run.agentLife = agentLife;
    run.isRunning = true;
    if (run.restarts >= 2 && nowMs - run.endedMs < backOffMs) {
      const waited = ((nowMs - run.endedMs) / 1000).toFixed(3);
      this.#report(
        "62 back-off",
        `${hostName} started ${container} of ${pod} for the ${run.restarts + 1}th time after ${waited} s`,
      );
    }
  }
}
