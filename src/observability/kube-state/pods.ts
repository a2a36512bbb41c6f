import { FamilyBuilder, type StateObject } from "./builder.ts";

export interface StateContainer {
  readonly name: string;
  readonly image: string;
  readonly ready: boolean;
  readonly restarts: number;
  readonly state: "running" | "waiting" | "terminated" | "";
  readonly startedMs: number;
  readonly lastReason: string;
  /** Of a waiting or terminated container. */
  readonly reason: string;
}

type Amounts = Readonly<Record<string, number>>;

export interface StatePod extends StateObject {
  readonly node: string;
  readonly phase: string;
  readonly reason: string;
  readonly ips: readonly string[];
  readonly hostNetwork: boolean;
  readonly restartPolicy: string;
  readonly startedMs: number | undefined;
  readonly priorityClass: string;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly lastTransitionTime?: string;
  }[];
  readonly containers: readonly StateContainer[];
  /** In thousandths. */
  readonly requests: {
    readonly containers: readonly { readonly name: string; readonly requests: Amounts; readonly limits: Amounts }[];
  };
}

const phases = ["Pending", "Succeeded", "Failed", "Unknown", "Running"];
const units: Readonly<Record<string, string>> = { cpu: "core", memory: "byte" };
/** Reasons that may be a label: a runtime's free text may not. */
const reasons: ReadonlySet<string> = new Set([
  "ContainerCreating",
  "CrashLoopBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "PodInitializing",
  "RunContainerError",
  "Completed",
  "ContainerCannotRun",
  "DeadlineExceeded",
  "Error",
  "Evicted",
  "OOMKilled",
]);

const podReasons = ["Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError"];

/** kube-state-metrics' series of pods. */
export function podStates(
  into: FamilyBuilder,
  pods: Iterable<StatePod>,
  addressOf: (node: string) => string | undefined,
): void {
  for (const pod of pods) {
    const labels = { namespace: pod.namespace, pod: pod.name, uid: pod.uid };
    const owner = { created_by_kind: pod.controller?.kind ?? "", created_by_name: pod.controller?.name ?? "" };
    const place = { host_ip: addressOf(pod.node) ?? "", pod_ip: pod.ips[0] ?? "", node: pod.node };
    const about = { priority_class: pod.priorityClass, host_network: String(pod.hostNetwork) };
    into.gauge("kube_pod_info", "Information about pod.", { ...labels, ...place, ...owner, ...about }, 1);
    into.gauge("kube_pod_created", "Unix creation timestamp", labels, pod.createdMs / 1000);
    into.gauge("kube_pod_start_time", "Start time in unix timestamp for a pod.", labels, seconds(pod.startedMs));
    into.gauge(
      "kube_pod_restart_policy",
      "Describes the restart policy in use by this pod.",
      { ...labels, type: pod.restartPolicy },
      1,
    );
    into.states(
      "kube_pod_status_phase",
      "The pods current phase.",
      labels,
      "phase",
      phases,
      pod.phase === "" ? "Pending" : pod.phase,
    );
    condition(into, "kube_pod_status_ready", "Describes whether the pod is ready to serve requests.", pod, "Ready");
    condition(
      into,
      "kube_pod_status_scheduled",
      "Describes the status of the scheduling process for the pod.",
      pod,
      "PodScheduled",
    );
    const scheduled = pod.conditions.find(({ type, status }) => type === "PodScheduled" && status === "True");
    const scheduledMs = Date.parse(scheduled?.lastTransitionTime ?? "");
    into.gauge("kube_pod_status_scheduled_time", "When the pod had its node.", labels, scheduledMs / 1000);
    if (podReasons.includes(pod.reason))
      into.gauge("kube_pod_status_reason", "The pod status reasons", { ...labels, reason: pod.reason }, 1);
    const owned = {
      owner_kind: pod.controller?.kind ?? "",
      owner_name: pod.controller?.name ?? "",
      owner_is_controller: pod.controller === undefined ? "" : "true",
    };
    into.gauge("kube_pod_owner", "Information about the Pod's owner.", { ...labels, ...owned }, 1);
    containerStates(into, pod, labels);
  }
}

function containerStates(into: FamilyBuilder, pod: StatePod, labels: Readonly<Record<string, string>>): void {
  for (const { name, image, ready, restarts, state, reason, startedMs, lastReason } of pod.containers) {
    const named = { ...labels, container: name };
    into.gauge("kube_pod_container_info", "Information about a container in a pod.", { ...named, image }, 1);
    into.gauge(
      "kube_pod_container_status_ready",
      "Describes whether the containers readiness check succeeded.",
      named,
      Number(ready),
    );
    into.counter(
      "kube_pod_container_status_restarts_total",
      "The number of container restarts per container.",
      named,
      restarts,
    );
    for (const each of ["running", "waiting", "terminated"] as const) {
      const help = `Describes whether the container is currently in ${each} state.`;
      into.gauge(`kube_pod_container_status_${each}`, help, named, Number(state === each));
    }
    const started = startedMs === 0 ? undefined : startedMs / 1000;
    into.gauge("kube_pod_container_state_started", "Start time in unix timestamp for a container.", named, started);
    if (lastReason !== "") {
      const told = { ...named, reason: reasons.has(lastReason) ? lastReason : "Other" };
      const help = "Describes the last reason the container was in terminated state.";
      into.gauge("kube_pod_container_status_last_terminated_reason", help, told, 1);
    }
    if (state === "waiting" || state === "terminated") {
      const help = `Describes the reason the container is currently in ${state} state.`;
      const told = reasons.has(reason) ? reason : "Other";
      into.gauge(`kube_pod_container_status_${state}_reason`, help, { ...named, reason: told }, 1);
    }
  }
  for (const { name, requests, limits } of pod.requests.containers) {
    amounts(into, "requests", requests, { ...labels, container: name, node: pod.node });
    amounts(into, "limits", limits, { ...labels, container: name, node: pod.node });
  }
}

function amounts(
  into: FamilyBuilder,
  what: "requests" | "limits",
  given: Amounts,
  labels: Readonly<Record<string, string>>,
): void {
  const help = what === "requests" ? "requested request resource" : "requested limit resource";
  for (const resource in given) {
    const described = { ...labels, resource, unit: units[resource] ?? "" };
    into.gauge(
      `kube_pod_container_resource_${what}`,
      `The number of ${help} by a container.`,
      described,
      given[resource]! / 1000,
    );
  }
}

function condition(into: FamilyBuilder, name: string, help: string, pod: StatePod, type: string): void {
  const status = pod.conditions.find((each) => each.type === type)?.status.toLowerCase();
  const labels = { namespace: pod.namespace, pod: pod.name, uid: pod.uid };
  if (status !== undefined) into.states(name, help, labels, "condition", ["true", "false", "unknown"], status);
}

function seconds(atMs: number | undefined): number | undefined {
  return atMs === undefined ? undefined : atMs / 1000;
}
