import type {
  Container,
  ContainerState,
  ContainerStatus,
  EphemeralContainer,
  Pod,
  PodStatus,
} from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import { podConditions } from "./conditions.ts";
import type { ObservedContainer, ObservedPod, PodMemory } from "./observed.ts";
import { podPhase } from "./phase.ts";
import type { PodPlan } from "./plan-builder.ts";
import { qosClassOf } from "./qos.ts";
import { givenResources, isSidecar } from "./restart.ts";

/** RFC 3339 in whole seconds, as the API writes times. */
export function apiTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** The status to report: a pure view of the runtime, the probes and what the plan waits for. */
export function podStatusOf(
  pod: Pod,
  observed: ObservedPod,
  memory: PodMemory,
  plan: PodPlan,
  /** `takenOnMs`: when the node learned of the pod, which is its start as long as the API knows of none. */
  options: { readonly now: number; readonly takenOnMs: number; readonly hostIps: readonly string[] },
): PodStatus {
  const before = memory.apiStatus;
  const app = pod.spec.containers.map((container) => containerStatus(container, "app", observed, memory, plan));
  const init = (pod.spec.initContainers ?? []).map((container) =>
    containerStatus(container, isSidecar(container) ? "sidecar" : "init", observed, memory, plan),
  );
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) =>
    containerStatus(container, "ephemeral", observed, memory, plan),
  );
  const phase = podPhase(pod, before.phase, init, app, plan.finished, memory.verdict !== undefined && plan.finished);
  const ips = podIps(pod, observed, before, options.hostIps);
  const status: PodStatus = {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: podConditions(pod, phase, init, app, {
      now: options.now,
      before: before.conditions ?? [],
      sandboxReady: observed.sandboxes[0]?.state === "Ready" && ips.length > 0,
    }),
    ...reasonOf(memory, before),
    startTime: before.startTime ?? apiTime(options.takenOnMs),
    qosClass: before.qosClass ?? qosClassOf(pod),
  };
  // Of a pod that ended before any container was there, nothing waits: its reason is all that is shown.
  const isOver = memory.verdict !== undefined || isTerminalPhase(before.phase);
  if (!isOver || observed.containers.length > 0 || before.containerStatuses !== undefined) {
    status.containerStatuses = app;
    if (init.length > 0) status.initContainerStatuses = init;
    if (ephemeral.length > 0) status.ephemeralContainerStatuses = ephemeral;
  }
  const [hostIp] = options.hostIps;
  if (hostIp !== undefined) Object.assign(status, { hostIP: hostIp, hostIPs: options.hostIps.map((ip) => ({ ip })) });
  if (ips[0] !== undefined) Object.assign(status, { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) });
  return status;
}

/** Why the pod failed; a final phase keeps its reason, also when the agent that gave it is gone. */
function reasonOf(memory: PodMemory, before: PodStatus): Pick<PodStatus, "reason" | "message"> {
  const { reason, message } = memory.verdict ?? (isTerminalPhase(before.phase) ? before : {});
  return { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}

function podIps(pod: Pod, observed: ObservedPod, before: PodStatus, hostIps: readonly string[]): readonly string[] {
  const sandbox = observed.sandboxes[0];
  if (pod.spec.hostNetwork === true) return sandbox === undefined ? (before.podIPs ?? []).map(({ ip }) => ip) : hostIps;
  const network = sandbox?.state === "Ready" ? sandbox.network : undefined;
  // A pod that has ended keeps showing the address it had.
  if (network === undefined || network.ip === "") return (before.podIPs ?? []).map(({ ip }) => ip);
  return [network.ip, ...network.additionalIps.map(({ ip }) => ip)];
}

type Kind = "init" | "sidecar" | "app" | "ephemeral";

function containerStatus(
  container: Container | EphemeralContainer,
  kind: Kind,
  observed: ObservedPod,
  memory: PodMemory,
  plan: PodPlan,
): ContainerStatus {
  const [last, previous] = observed.containers.filter(({ metadata }) => metadata.name === container.name);
  const before = [
    ...(memory.apiStatus.initContainerStatuses ?? []),
    ...(memory.apiStatus.containerStatuses ?? []),
    ...(memory.apiStatus.ephemeralContainerStatuses ?? []),
  ].find((status) => status.name === container.name);
  if (last === undefined && plan.finished && before !== undefined)
    return { ...before, ready: false, started: false, state: lostState(before) };
  const probe = last === undefined ? undefined : memory.probes.get(last.id);
  const running = last?.state === "Running";
  const { state, lastState } = statesOf(last, previous, container.name, memory, plan, before);
  const ready =
    kind === "init" ? state.terminated?.exitCode === 0 : kind !== "ephemeral" && running && probe?.ready === true;
  const status: ContainerStatus = {
    name: container.name,
    state,
    lastState,
    ready,
    restartCount: Math.max(last?.metadata.attempt ?? 0, before?.restartCount ?? 0),
    image: container.image ?? "",
    imageID: last?.imageRef ?? before?.imageID ?? "",
    started: running && (kind === "init" || kind === "ephemeral" || probe?.started === true),
  };
  if (last !== undefined) status.containerID = `containerd://${last.id}`;
  else if (before?.containerID !== undefined) status.containerID = before.containerID;
  const given = last === undefined || !running ? undefined : givenResources(last, memory.resized);
  if (given !== undefined && Object.keys(given).length > 0) {
    status.resources = given;
    if (container.resources?.requests !== undefined) status.allocatedResources = container.resources.requests;
  }
  return status;
}

/** A container that the runtime no longer has: its end is kept, or unknown. */
function lostState(before: ContainerStatus): ContainerState {
  if (before.state.running === undefined) return before.state;
  return {
    terminated: {
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message: "The container could not be located when the pod was terminated",
      ...(before.containerID === undefined ? {} : { containerID: before.containerID }),
    },
  };
}

function statesOf(
  last: ObservedContainer | undefined,
  previous: ObservedContainer | undefined,
  name: string,
  memory: PodMemory,
  plan: PodPlan,
  before: ContainerStatus | undefined,
): { state: ContainerState; lastState: ContainerState } {
  const waiting = plan.waiting.get(name) ?? { reason: "ContainerCreating" };
  const past = (container: ObservedContainer | undefined): ContainerState => {
    if (container?.state === "Exited") return { terminated: terminated(container, memory) };
    return before?.lastState ?? {};
  };
  if (last === undefined) return { state: { waiting }, lastState: before?.lastState ?? {} };
  if (last.state === "Running")
    return { state: { running: { startedAt: apiTime(last.startedAt) } }, lastState: past(previous) };
  if (last.state === "Exited") {
    // What only waits for its turn after an end still shows the end; back-off and errors take its place.
    const idle = waiting.reason === "ContainerCreating" || waiting.reason === "PodInitializing";
    if (idle || plan.finished) return { state: { terminated: terminated(last, memory) }, lastState: past(previous) };
    return { state: { waiting }, lastState: { terminated: terminated(last, memory) } };
  }
  return { state: { waiting }, lastState: past(previous) };
}

function terminated(container: ObservedContainer, memory: PodMemory): NonNullable<ContainerState["terminated"]> {
  const message = memory.messages.get(container.id) ?? container.message;
  return {
    exitCode: container.exitCode,
    reason: container.reason === "" ? (container.exitCode === 0 ? "Completed" : "Error") : container.reason,
    ...(message === "" ? {} : { message }),
    startedAt: apiTime(container.startedAt),
    finishedAt: apiTime(container.finishedAt),
    containerID: `containerd://${container.id}`,
  };
}
