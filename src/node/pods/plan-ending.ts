import type { Pod } from "#api/generated/core-v1.ts";
import type { ObservedPod } from "./observed.ts";
import { kill, type PlanBuilder, type PodPlan } from "./plan-builder.ts";
import { isRunning, isSidecar, latestOf } from "./restart.ts";

/** Seconds of grace left of an ending that began at `since`; never below two, so that a stop signal is always seen. */
function remainingGrace(ending: { readonly since: number; readonly graceSeconds: number }, now: number): number {
  return Math.max(Math.min(2, ending.graceSeconds), Math.ceil(ending.graceSeconds - (now - ending.since) / 1000));
}

/**
 * Ends a pod: its containers at once, then its sidecars in reverse order, then the sandbox, then volumes and cgroup; last of
 * all, when it was deleted, the API object.
 */
export function planEnding(
  plan: PlanBuilder,
  pod: Pod,
  observed: ObservedPod,
  ending: NonNullable<PlanBuilder["memory"]["ending"]>,
): PodPlan {
  const running = observed.containers.filter(isRunning);
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map((container) => container.name);
  const main = running.filter((container) => !sidecars.includes(container.metadata.name));
  const reason = plan.memory.verdict?.message ?? "the pod is being deleted";
  const grace = remainingGrace(ending, plan.now);
  for (const container of main) kill(plan, container, grace, true, reason);
  if (main.length === 0) {
    for (const name of sidecars.toReversed()) {
      const last = latestOf(observed, name);
      if (last === undefined || !isRunning(last)) continue;
      kill(plan, last, grace, true, reason);
      // The next one only when this one has ended, unless the time is up for all.
      if (grace > 2) break;
    }
  }
  const starting = [...plan.memory.running].some(
    (key) => key.startsWith("start:") || key === "sandbox" || key === "volumes",
  );
  if (running.length > 0 || starting) return plan.result(false);
  const alive = observed.sandboxes.filter((sandbox) => sandbox.state === "Ready");
  for (const sandbox of alive)
    plan.add({ do: "stop-sandbox", key: `stop-sandbox:${sandbox.id}`, id: sandbox.id, reason });
  // A sandbox shows its end before its network is given back.
  const stopping = [...plan.memory.running].some((key) => key.startsWith("stop-sandbox:"));
  if (alive.length > 0 || stopping) return plan.result(false);
  if (!plan.memory.tornDown) {
    if (!plan.delayed("tear-down")) plan.add({ do: "tear-down", key: "tear-down", reason });
  } else if (pod.metadata.deletionTimestamp !== undefined && !plan.delayed("delete-pod")) {
    plan.add({ do: "delete-pod", key: "delete-pod", reason: "its containers have ended and its volumes are gone" });
  }
  return plan.result(true);
}
