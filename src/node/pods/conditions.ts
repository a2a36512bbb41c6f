import type { ContainerStatus, Pod, PodCondition } from "#api/generated/core-v1.ts";
import { isSidecar } from "./restart.ts";

interface Verdict {
  readonly type: string;
  readonly status: boolean;
  readonly reason?: string;
  readonly message?: string;
}

/** The agent's conditions of a pod; those that others own are not among them. A transition's time changes with the status only. */
export function podConditions(
  pod: Pod,
  phase: string,
  init: readonly ContainerStatus[],
  app: readonly ContainerStatus[],
  options: { readonly now: number; readonly before: readonly PodCondition[]; readonly sandboxReady: boolean },
): PodCondition[] {
  const ready = containersReady(pod, phase, init, app);
  const verdicts: readonly Verdict[] = [
    { type: "PodReadyToStartContainers", status: options.sandboxReady },
    initialized(pod, phase, init, app),
    readyWithGates(pod, ready, options.before),
    { ...ready, type: "ContainersReady" },
    { type: "PodScheduled", status: true },
  ];
  return verdicts.map((verdict) => {
    const status = verdict.status ? "True" : "False";
    const known = options.before.find((condition) => condition.type === verdict.type);
    const unchanged = known?.status === status ? known.lastTransitionTime : undefined;
    return {
      type: verdict.type,
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
      status,
      lastTransitionTime: unchanged ?? `${new Date(options.now).toISOString().slice(0, 19)}Z`,
      ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
      ...(verdict.message === undefined ? {} : { message: verdict.message }),
    };
  });
}

function containersReady(
  pod: Pod,
  phase: string,
  init: readonly ContainerStatus[],
  app: readonly ContainerStatus[],
): Verdict {
  const type = "ContainersReady";
  if (phase === "Succeeded") return { type, status: false, reason: "PodCompleted" };
  if (phase === "Failed") return { type, status: false, reason: "PodFailed" };
  const sidecars = init.filter((_, index) => {
    const container = pod.spec.initContainers?.[index];
    return container !== undefined && isSidecar(container);
  });
  const unready = [...sidecars, ...app].filter((status) => !status.ready).map((status) => status.name);
  if (unready.length === 0) return { type, status: true };
  return {
    type,
    status: false,
    reason: "ContainersNotReady",
    message: `containers with unready status: [${unready.join(" ")}]`,
  };
}

function readyWithGates(pod: Pod, containers: Verdict, before: readonly PodCondition[]): Verdict {
  if (!containers.status) return { ...containers, type: "Ready" };
  const open = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = before.find(({ type }) => type === conditionType);
    if (condition === undefined)
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (condition.status === "True") return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`];
  });
  if (open.length === 0) return { type: "Ready", status: true };
  return { type: "Ready", status: false, reason: "ReadinessGatesNotReady", message: open.join(", ") };
}

function initialized(
  pod: Pod,
  phase: string,
  init: readonly ContainerStatus[],
  app: readonly ContainerStatus[],
): Verdict {
  const type = "Initialized";
  if (phase === "Succeeded") return { type, status: true, reason: "PodCompleted" };
  const appStarted = app.some(
    (status) => status.containerID !== undefined && status.state.waiting?.reason !== "PodInitializing",
  );
  const open = init.filter((status, index) => {
    const container = pod.spec.initContainers?.[index];
    if (container !== undefined && isSidecar(container)) return status.started !== true && !appStarted;
    return !status.ready && !appStarted;
  });
  if (open.length === 0) return { type, status: true };
  return {
    type,
    status: false,
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${open.map((status) => status.name).join(" ")}]`,
  };
}
