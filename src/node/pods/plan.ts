import type { Container, EphemeralContainer, Pod } from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import { hashAnnotation } from "./labels.ts";
import { decideRestart, goDuration } from "./back-off.ts";
import type { BackOffEntry, ObservedContainer, ObservedPod, PodMemory } from "./observed.ts";
import {
  kill,
  PlanBuilder,
  removeSuperseded,
  type ContainerKind,
  type Hashes,
  type PodPlan,
  type Waiting,
} from "./plan-builder.ts";
import { planEnding } from "./plan-ending.ts";
import { givenResources, isRunning, isSidecar, latestOf, restartsAfter } from "./restart.ts";

/** Decides what the runtime has to do for a pod. Pure: the same picture gives the same plan, and a plan may be made at any time. */
export function planPod(pod: Pod, observed: ObservedPod, memory: PodMemory, hashes: Hashes, now: number): PodPlan {
  const plan = new PlanBuilder(memory, now);
  if (memory.ending !== undefined) return planEnding(plan, pod, observed, memory.ending);
  const deadline = activeDeadline(pod, memory);
  if (deadline !== undefined) plan.wake(deadline);
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers])
    plan.waiting.set(container.name, initialWaiting(pod));
  const sandbox = observed.sandboxes[0];
  const alive = sandbox?.state === "Ready" ? sandbox : undefined;
  if (isFinal(memory) || willNeverRunAgain(pod, observed, memory, alive?.id)) return planFinish(plan, pod, observed);
  for (const old of observed.sandboxes) if (old !== alive) retireSandbox(plan, observed, old.id);
  // Never two of one container at a time.
  if (observed.containers.some((container) => container.sandboxId !== alive?.id && isRunning(container)))
    return plan.result(false);
  if (!memory.volumesReady) {
    plan.startsHeld = true;
    plan.add({ do: "set-up-volumes", key: "volumes", reason: "the pod's volumes are not there yet" });
    if (alive === undefined) return plan.result(false);
  }
  if (alive === undefined) {
    if (!plan.delayed("sandbox")) {
      const attempt = sandbox === undefined ? 0 : sandbox.metadata.attempt + 1;
      plan.add({
        do: "create-sandbox",
        key: "sandbox",
        attempt,
        reason: sandbox === undefined ? "the pod has no sandbox" : "the pod's sandbox has ended",
      });
    }
    return plan.result(false);
  }
  if (memory.running.has("sandbox")) return plan.result(false);
  planContainers(plan, pod, observed, hashes, alive.id);
  removeSuperseded(plan, observed);
  removeEmptySandboxes(plan, observed);
  return plan.result(false);
}

/** Sandboxes that were replaced go when nothing of them is kept for its log any more. */
function removeEmptySandboxes(plan: PlanBuilder, observed: ObservedPod): void {
  for (const sandbox of observed.sandboxes.slice(1)) {
    if (sandbox.state === "Ready" || observed.containers.some(({ sandboxId }) => sandboxId === sandbox.id)) continue;
    plan.add({
      do: "remove-sandbox",
      key: `remove:${sandbox.id}`,
      id: sandbox.id,
      reason: "a newer one runs and nothing is left in it",
    });
  }
}

function initialWaiting(pod: Pod): Waiting {
  return { reason: (pod.spec.initContainers?.length ?? 0) > 0 ? "PodInitializing" : "ContainerCreating" };
}

function activeDeadline(pod: Pod, memory: PodMemory): number | undefined {
  const seconds = pod.spec.activeDeadlineSeconds;
  const start = memory.apiStatus.startTime;
  return seconds === undefined || start === undefined ? undefined : Date.parse(start) + seconds * 1000;
}

/** Ends what still runs in a sandbox that is no longer the pod's, then the sandbox. */
function retireSandbox(plan: PlanBuilder, observed: ObservedPod, sandboxId: string): void {
  for (const container of observed.containers) {
    if (container.sandboxId !== sandboxId || !isRunning(container)) continue;
    kill(plan, container, 0, false, "its sandbox has ended");
  }
}

function isFinal(memory: PodMemory): boolean {
  return isTerminalPhase(memory.apiStatus.phase);
}

/** A pod whose containers all ended for good: nothing is started, sidecars are ended, then the sandbox. */
function willNeverRunAgain(pod: Pod, observed: ObservedPod, memory: PodMemory, sandboxId: string | undefined): boolean {
  const lost = (memory.apiStatus.containerStatuses ?? []).some(
    (status) => status.containerID !== undefined && latestOf(observed, status.name) === undefined,
  );
  // What ran once and is gone from the runtime may not run a second time.
  if (lost && pod.spec.restartPolicy === "Never") return true;
  const failedInit = (pod.spec.initContainers ?? []).some((container) => {
    const last = latestOf(observed, container.name);
    return (
      !isSidecar(container) &&
      last?.state === "Exited" &&
      last.exitCode !== 0 &&
      !restartsAfter(pod, container, last.exitCode, true)
    );
  });
  if (failedInit && !pod.spec.containers.some((container) => isRunning(latestOf(observed, container.name))))
    return true;
  const anyStarted = pod.spec.containers.some((container) => latestOf(observed, container.name) !== undefined);
  return (
    anyStarted &&
    pod.spec.containers.every((container) => {
      const last = latestOf(observed, container.name);
      if (last === undefined) return sandboxId === undefined && pod.spec.restartPolicy === "Never";
      return last.state === "Exited" && !restartsAfter(pod, container, last.exitCode, false);
    })
  );
}

function planFinish(plan: PlanBuilder, pod: Pod, observed: ObservedPod): PodPlan {
  const running = observed.containers.filter(isRunning);
  const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
  for (const container of running) kill(plan, container, grace, true, "the pod's other containers are done");
  if (running.length > 0) return plan.result(false);
  for (const sandbox of observed.sandboxes) {
    if (sandbox.state !== "Ready") continue;
    plan.add({
      do: "stop-sandbox",
      key: `stop-sandbox:${sandbox.id}`,
      id: sandbox.id,
      reason: "all containers of the pod are done",
    });
  }
  removeSuperseded(plan, observed);
  return plan.result(true);
}

function planContainers(plan: PlanBuilder, pod: Pod, observed: ObservedPod, hashes: Hashes, sandboxId: string): void {
  const initialized = planInit(plan, pod, observed, hashes, sandboxId);
  for (const ephemeral of pod.spec.ephemeralContainers ?? []) {
    if (latestOf(observed, ephemeral.name) === undefined)
      start(plan, observed, ephemeral, "ephemeral", sandboxId, "it was added for debugging");
  }
  if (!initialized) return;
  for (const container of pod.spec.containers) keepRunning(plan, pod, observed, container, "app", hashes, sandboxId);
}

/** Runs init containers one after the other; true when the app containers may run. Sidecars are kept up throughout. */
function planInit(plan: PlanBuilder, pod: Pod, observed: ObservedPod, hashes: Hashes, sandboxId: string): boolean {
  const appStarted = pod.spec.containers.some(
    (container) => latestOf(observed, container.name, sandboxId) !== undefined,
  );
  for (const container of pod.spec.initContainers ?? []) {
    const last = latestOf(observed, container.name, sandboxId);
    if (isSidecar(container)) {
      keepRunning(plan, pod, observed, container, "sidecar", hashes, sandboxId);
      const started = last?.state === "Running" && plan.memory.probes.get(last.id)?.started === true;
      if (!started && !appStarted) return false;
    } else if (!appStarted) {
      if (last?.state === "Exited" && last.exitCode === 0) continue;
      if (last?.state === "Running") return false;
      if (last?.state === "Exited") restart(plan, observed, container, "init", sandboxId, last);
      else start(plan, observed, container, "init", sandboxId, "it is the next init container");
      return false;
    }
  }
  return true;
}

function keepRunning(
  plan: PlanBuilder,
  pod: Pod,
  observed: ObservedPod,
  container: Container,
  kind: "app" | "sidecar",
  hashes: Hashes,
  sandboxId: string,
): void {
  const last = latestOf(observed, container.name, sandboxId);
  const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
  if (last === undefined || last.state === "Created") {
    const before = latestOf(observed, container.name);
    const done = before?.state === "Exited" && kind === "app" && !restartsAfter(pod, container, before.exitCode, false);
    if (!done)
      start(
        plan,
        observed,
        container,
        kind,
        sandboxId,
        before === undefined ? "the pod is initialized" : "the pod has a new sandbox",
      );
    return;
  }
  if (isRunning(last)) {
    const failed = plan.memory.probes.get(last.id)?.kill;
    const wanted = hashes.get(container.name);
    if (
      last.annotations[hashAnnotation] !== undefined &&
      wanted !== undefined &&
      last.annotations[hashAnnotation] !== wanted
    ) {
      kill(plan, last, grace, true, `Container ${container.name} definition changed`);
    } else if (failed !== undefined) kill(plan, last, failed.graceSeconds ?? grace, true, failed.message);
    else resize(plan, last, container, grace);
    return;
  }
  if (restartsAfter(pod, container, last.exitCode, false)) restart(plan, observed, container, kind, sandboxId, last);
}

/** A running container gets the resources that the pod asks for now, in place unless its policy wants a restart. */
function resize(plan: PlanBuilder, last: ObservedContainer, container: Container, grace: number): void {
  const given = givenResources(last, plan.memory.resized);
  const wanted = container.resources ?? {};
  if (given === undefined || JSON.stringify(given) === JSON.stringify(wanted)) return;
  const changed = ["cpu", "memory"].filter(
    (name) => given.limits?.[name] !== wanted.limits?.[name] || given.requests?.[name] !== wanted.requests?.[name],
  );
  const policies = container.resizePolicy ?? [];
  if (
    policies.some(
      ({ resourceName, restartPolicy }) => changed.includes(resourceName) && restartPolicy === "RestartContainer",
    )
  ) {
    kill(plan, last, grace, true, `Container ${container.name} resize requires restart`);
  } else {
    const reason = `${changed.join(" and ")} of ${container.name} changed`;
    plan.add({ do: "resize-container", key: `resize:${last.id}`, id: last.id, container, reason });
  }
}

function restart(
  plan: PlanBuilder,
  observed: ObservedPod,
  container: Container,
  kind: ContainerKind,
  sandboxId: string,
  last: ObservedContainer,
): void {
  // Its turn has come already: the new one is on its way.
  if (plan.memory.running.has(`start:${container.name}`)) return;
  const decision = decideRestart(
    plan.memory.backOff.get(container.name),
    last.metadata.attempt,
    last.finishedAt,
    plan.now,
  );
  if (decision.start) {
    start(plan, observed, container, kind, sandboxId, `it ended with exit code ${last.exitCode}`, decision.next);
    return;
  }
  plan.wake(decision.at);
  plan.waiting.set(container.name, {
    reason: "CrashLoopBackOff",
    message: `back-off ${goDuration(decision.delayMs)} restarting failed container=${container.name}`,
  });
}

function start(
  plan: PlanBuilder,
  observed: ObservedPod,
  container: Container | EphemeralContainer,
  kind: ContainerKind,
  sandboxId: string,
  reason: string,
  backOff?: BackOffEntry,
): void {
  const key = `start:${container.name}`;
  const failure = plan.memory.failures.get(key);
  if (failure !== undefined) plan.waiting.set(container.name, { reason: failure.reason, message: failure.message });
  if (plan.delayed(key) || plan.startsHeld) return;
  plan.add({
    do: "start-container",
    key,
    container,
    kind,
    attempt: nextAttempt(plan, observed, container.name),
    sandboxId,
    backOff,
    reason,
  });
}

/** Counts on from the runtime's containers, and from the API's status when they are gone (a new machine image, a wiped store). */
function nextAttempt(plan: PlanBuilder, observed: ObservedPod, name: string): number {
  const last = latestOf(observed, name);
  // One that was created and never started gets out of the way, but is no restart.
  if (last !== undefined) return last.metadata.attempt + 1;
  const { initContainerStatuses = [], containerStatuses = [] } = plan.memory.apiStatus;
  const known = [...initContainerStatuses, ...containerStatuses].find((status) => status.name === name);
  return known?.containerID === undefined ? 0 : known.restartCount + 1;
}
