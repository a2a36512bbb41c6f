import type { Pod } from "#api/generated/core-v1.ts";
import { exposeFamilies, type Family, type LabelValues, type Sample } from "#telemetry/metrics.ts";
import { quantityValue } from "../quantity.ts";
import type { Counted } from "./sampler.ts";

/** `/metrics`: what the agent says about itself, under kubelet's names. */
export function agentFamilies(nodeName: string, pods: readonly Pod[]): readonly Family[] {
  const states = { created: 0, running: 0, exited: 0 };
  for (const pod of pods) {
    for (const { state } of pod.status?.containerStatuses ?? []) {
      if (state.running !== undefined) states.running += 1;
      else if (state.terminated !== undefined) states.exited += 1;
      else states.created += 1;
    }
  }
  const running = pods.filter((pod) => pod.status?.phase === "Running").length;
  const containers = Object.entries(states).map(([state, value]) => ({ labels: { container_state: state }, value }));
  return [
    gauge("kubelet_node_name", "The node's name. The count is always 1.", [{ labels: { node: nodeName }, value: 1 }]),
    gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", [{ labels: {}, value: running }]),
    gauge("kubelet_running_containers", "Number of containers currently running", containers),
  ];
}

export interface CadvisorInputs {
  readonly counted: readonly Counted[];
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** `/metrics/cadvisor`: containers under cAdvisor's names and labels. Bounded by the node's pods. */
export function cadvisorPage({ counted, cpuCount, memoryBytes, now }: CadvisorInputs): string {
  const of = (value: (one: Counted) => number | undefined, more: LabelValues = {}, isTimed = true): Sample[] =>
    counted.flatMap((one) => {
      const measured = value(one);
      if (measured === undefined) return [];
      const timed = isTimed ? { atMs: now - one.ageMs } : {};
      return [{ labels: { ...labelsOf(one), ...more }, value: measured, ...timed }];
    });
  const limit =
    (name: string) =>
    (one: Counted): number | undefined => {
      const text = specOf(one)?.resources?.limits?.[name];
      return text === undefined ? undefined : quantityValue(text);
    };
  const cpuLimit = limit("cpu");
  const cpuSeconds = of((one) => one.cpuNanos / 1e9, { cpu: "total" });
  const periodOf = (one: Counted): number | undefined => (cpuLimit(one) === undefined ? undefined : 100_000);
  return exposeFamilies([
    counter("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", cpuSeconds),
    gauge(
      "container_memory_usage_bytes",
      "Current memory usage in bytes.",
      of((one) => one.memoryBytes),
    ),
    gauge(
      "container_memory_working_set_bytes",
      "Current working set in bytes.",
      of((one) => one.workingSetBytes),
    ),
    gauge(
      "container_start_time_seconds",
      "Start time of the container since unix epoch in seconds.",
      of((one) => one.startedAt / 1000),
    ),
    gauge(
      "container_last_seen",
      "Last time a container was seen by the exporter",
      of((one) => (now - one.ageMs) / 1000),
    ),
    gauge(
      "container_spec_memory_limit_bytes",
      "Memory limit for the container.",
      of((one) => limit("memory")(one) ?? 0, {}, false),
    ),
    gauge("container_spec_cpu_period", "CPU period of the container.", of(periodOf, {}, false)),
    gauge(
      "container_spec_cpu_quota",
      "CPU quota of the container.",
      of((one) => scaled(cpuLimit(one)), {}, false),
    ),
    gauge("machine_cpu_cores", "Number of logical CPU cores.", [{ labels: {}, value: cpuCount }]),
    gauge("machine_memory_bytes", "Amount of memory installed on the machine.", [{ labels: {}, value: memoryBytes }]),
  ]);
}

function scaled(cores: number | undefined): number | undefined {
  return cores === undefined ? undefined : Math.floor(cores * 100_000);
}

function specOf({ pod, container }: Counted): Pod["spec"]["containers"][number] | undefined {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(({ name }) => name === container);
}

function labelsOf({ pod, container, path }: Counted): LabelValues {
  const id = path.slice(path.lastIndexOf("/") + 1);
  const image = pod.status?.containerStatuses?.find(({ name }) => name === container)?.image ?? "";
  const { namespace = "", name = "" } = pod.metadata;
  return { container, id: path, image, name: id, namespace, pod: name };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "counter", help, samples };
}
