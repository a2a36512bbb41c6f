import type { ContainerStatus, Pod } from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import { isSidecar } from "./restart.ts";

/** The pod's phase by its containers' states; a final phase stays, and becomes final only when nothing will run again. */
export function podPhase(
  pod: Pod,
  before: string | undefined,
  init: readonly ContainerStatus[],
  app: readonly ContainerStatus[],
  finished: boolean,
  failed: boolean,
): string {
  if (isTerminalPhase(before)) return before;
  if (failed) return "Failed";
  const regular = init.filter((_, index) => {
    const container = pod.spec.initContainers?.[index];
    return container !== undefined && !isSidecar(container);
  });
  const anyRunning = [...init, ...app].some((status) => status.state.running !== undefined);
  if (finished && !anyRunning) return finalPhase(regular, app);
  const startedOnce = app.some(
    (status) => status.state.running ?? status.state.terminated ?? status.lastState.terminated,
  );
  if (!startedOnce) return "Pending";
  const waiting = app.some((status) => status.state.waiting !== undefined && status.lastState.terminated === undefined);
  return waiting && !app.some((status) => status.state.running !== undefined) ? "Pending" : "Running";
}

function finalPhase(regular: readonly ContainerStatus[], app: readonly ContainerStatus[]): string {
  const initFailed = regular.some(
    (status) => status.state.terminated !== undefined && status.state.terminated.exitCode !== 0,
  );
  const ended = app.every((status) => status.state.terminated?.exitCode === 0);
  return ended && !initFailed ? "Succeeded" : "Failed";
}
