import type { Container, ContainerStatus, Pod } from "../generated/core-v1.ts";
import { humanDuration } from "../human-duration.ts";
import { isTerminalPhase, podCondition } from "../pod-readiness.ts";

export interface PodSummary {
  readonly readyCount: number;
  readonly totalCount: number;
  /** The one word that users look at: `Running`, `Init:0/1`, `CrashLoopBackOff`, `Terminating`, ... */
  readonly status: string;
  /** `0`, or `3 (5m ago)`. */
  readonly restarts: string;
}

interface Counts {
  restarts: number;
  /** Milliseconds since 1970 of the last restart; 0 when none is known. */
  lastRestart: number;
}

function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === "Always";
}

function count(counts: Counts, status: ContainerStatus): void {
  counts.restarts += status.restartCount ?? 0;
  const finishedAt = status.lastState?.terminated?.finishedAt;
  if (finishedAt !== undefined) counts.lastRestart = Math.max(counts.lastRestart, Date.parse(finishedAt));
}

function terminatedReason(prefix: string, terminated: NonNullable<ContainerStatus["state"]["terminated"]>): string {
  if (terminated.reason) return prefix + terminated.reason;
  return terminated.signal ? `${prefix}Signal:${terminated.signal}` : `${prefix}ExitCode:${terminated.exitCode ?? 0}`;
}

function initReason(status: ContainerStatus, index: number, total: number): string {
  const { terminated, waiting } = status.state ?? {};
  if (terminated !== undefined) return terminatedReason("Init:", terminated);
  if (waiting?.reason && waiting.reason !== "PodInitializing") return `Init:${waiting.reason}`;
  return `Init:${index}/${total}`;
}

/** Whether an init container stands in nobody's way: it ended well, or it is a sidecar that has started. */
function isPassed(status: ContainerStatus, container: Container | undefined): boolean {
  if (status.state?.terminated !== undefined && (status.state.terminated.exitCode ?? 0) === 0) return true;
  return isSidecar(container) && status.started === true;
}

/** What the Ready, Status and Restarts columns say about a pod. `now` in milliseconds since 1970. */
export function summarizePod(pod: Pod, now: number): PodSummary {
  const status = pod.status ?? {};
  let reason = status.reason || status.phase || "";
  if (podCondition(pod, "PodScheduled")?.reason === "SchedulingGated") reason = "SchedulingGated";

  const initContainers = new Map((pod.spec.initContainers ?? []).map((container) => [container.name, container]));
  let totalCount = pod.spec.containers?.length ?? 0;
  for (const container of initContainers.values()) if (isSidecar(container)) totalCount++;

  let counts: Counts = { restarts: 0, lastRestart: 0 };
  const sidecars: Counts = { restarts: 0, lastRestart: 0 };
  let readyCount = 0;
  let initializing = false;
  for (const [index, initStatus] of (status.initContainerStatuses ?? []).entries()) {
    const container = initContainers.get(initStatus.name);
    count(counts, initStatus);
    if (isSidecar(container)) count(sidecars, initStatus);
    if (isPassed(initStatus, container)) {
      if (isSidecar(container) && initStatus.ready === true) readyCount++;
      continue;
    }
    reason = initReason(initStatus, index, initContainers.size);
    initializing = true;
    break;
  }

  if (!initializing || podCondition(pod, "Initialized")?.status === "True") {
    counts = { ...sidecars };
    const main = mainContainers(pod, counts, reason);
    readyCount += main.readyCount;
    reason = main.reason;
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === "NodeLost") reason = "Unknown";
    else if (!isTerminalPhase(status.phase)) reason = "Terminating";
  }
  const ago = counts.restarts > 0 && counts.lastRestart > 0 ? ` (${humanDuration(now - counts.lastRestart)} ago)` : "";
  return { readyCount, totalCount, status: reason, restarts: `${counts.restarts}${ago}` };
}

function mainContainers(pod: Pod, counts: Counts, before: string): { readyCount: number; reason: string } {
  let readyCount = 0;
  let reason = before;
  let hasRunning = false;
  // The last word belongs to the first container, so they are looked at from the end.
  for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    count(counts, status);
    const { waiting, terminated, running } = status.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated !== undefined) reason = terminatedReason("", terminated);
    else if (status.ready === true && running !== undefined) {
      hasRunning = true;
      readyCount++;
    }
  }
  if (reason === "Completed" && hasRunning) {
    reason = podCondition(pod, "Ready")?.status === "True" ? "Running" : "NotReady";
  }
  return { readyCount, reason };
}
