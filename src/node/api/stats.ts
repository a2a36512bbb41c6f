import type { Pod } from "#api/generated/core-v1.ts";
import type { ContainerStats } from "#world/container-runtime.ts";
import type { CgroupUsage } from "#world/machine.ts";
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from "../pods/labels.ts";
import { apiTime } from "../pods/status.ts";

export interface StatsInputs {
  readonly nodeName: string;
  readonly now: number;
  /** When the machine's counters began, milliseconds since 1970. */
  readonly startedAt: number;
  readonly node: CgroupUsage | undefined;
  readonly nodeMemoryAvailableBytes: number;
  readonly disk: {
    readonly sizeBytes: number;
    readonly availableBytes: number;
    readonly inodes: number;
    readonly inodesFree: number;
  };
  readonly containers: readonly ContainerStats[];
  readonly pods: readonly Pod[];
  readonly podUsage: ReadonlyMap<string, CgroupUsage>;
}

/** `/stats/summary`: CPU and memory of the node, its pods and their containers. */
export function statsSummary(inputs: StatsInputs): object {
  const time = apiTime(inputs.now);
  const byPod = Map.groupBy(inputs.containers, ({ attributes }) => attributes.labels[podUidLabel] ?? "");
  const usage = (found: CgroupUsage | undefined): object =>
    found === undefined
      ? {}
      : {
          cpu: { time, usageCoreNanoSeconds: found.cpuNanos },
          memory: { time, usageBytes: found.memoryBytes, workingSetBytes: found.workingSetBytes },
        };
  return {
    node: {
      nodeName: inputs.nodeName,
      startTime: apiTime(inputs.startedAt),
      ...usage(inputs.node),
      fs: {
        time,
        availableBytes: inputs.disk.availableBytes,
        capacityBytes: inputs.disk.sizeBytes,
        usedBytes: inputs.disk.sizeBytes - inputs.disk.availableBytes,
        inodes: inputs.disk.inodes,
        inodesFree: inputs.disk.inodesFree,
      },
    },
    pods: inputs.pods.map((pod) => ({
      podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
      startTime: pod.status.startTime,
      ...usage(inputs.podUsage.get(pod.metadata.uid ?? "")),
      containers: (byPod.get(pod.metadata.uid ?? "") ?? []).map((stats) => ({
        name: stats.attributes.labels[containerNameLabel],
        cpu: { time, usageCoreNanoSeconds: stats.cpu?.usageCoreNanoSeconds?.value ?? 0 },
        memory: { time, workingSetBytes: stats.memory?.workingSetBytes?.value ?? 0 },
        rootfs: {
          time,
          usedBytes: stats.writableLayer?.usedBytes?.value ?? 0,
          inodesUsed: stats.writableLayer?.inodesUsed?.value ?? 0,
        },
      })),
    })),
  };
}

/** `/metrics/resource` in Prometheus' text format. Series are bounded by the node's pods. */
export function resourceMetrics(inputs: StatsInputs): string {
  const lines: string[] = [];
  const family = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    samples: readonly (readonly [string, number, number])[],
  ): void => {
    if (samples.length === 0) return;
    lines.push(`# HELP ${name} [STABLE] ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value, at] of samples)
      lines.push(`${name}${labels === "" ? "" : `{${labels}}`} ${value} ${Math.floor(at)}`);
  };
  const now = inputs.now;
  const running = inputs.containers.filter(({ attributes }) => attributes.labels[containerNameLabel] !== undefined);
  const labelsOf = ({ attributes: { labels } }: ContainerStats): string =>
    `container=${quoted(labels[containerNameLabel])},namespace=${quoted(labels[podNamespaceLabel])},pod=${quoted(labels[podNameLabel])}`;
  const podLabels = (pod: Pod): string =>
    `namespace=${quoted(pod.metadata.namespace)},pod=${quoted(pod.metadata.name)}`;
  const usageOf = (pod: Pod): CgroupUsage | undefined => inputs.podUsage.get(pod.metadata.uid ?? "");
  const pods = inputs.pods.filter((pod) => usageOf(pod) !== undefined);
  family(
    "container_cpu_usage_seconds_total",
    "counter",
    "Cumulative cpu time consumed by the container in core-seconds",
    running.map((stats) => [
      labelsOf(stats),
      (stats.cpu?.usageCoreNanoSeconds?.value ?? 0) / 1e9,
      stats.cpu?.timestamp || now,
    ]),
  );
  family(
    "container_memory_working_set_bytes",
    "gauge",
    "Current working set of the container in bytes",
    running.map((stats) => [
      labelsOf(stats),
      stats.memory?.workingSetBytes?.value ?? 0,
      stats.memory?.timestamp || now,
    ]),
  );
  if (inputs.node !== undefined) {
    family("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds", [
      ["", inputs.node.cpuNanos / 1e9, now],
    ]);
    family("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes", [
      ["", inputs.node.workingSetBytes, now],
    ]);
  }
  family(
    "pod_cpu_usage_seconds_total",
    "counter",
    "Cumulative cpu time consumed by the pod in core-seconds",
    pods.map((pod) => [podLabels(pod), (usageOf(pod)?.cpuNanos ?? 0) / 1e9, now]),
  );
  family(
    "pod_memory_working_set_bytes",
    "gauge",
    "Current working set of the pod in bytes",
    pods.map((pod) => [podLabels(pod), usageOf(pod)?.workingSetBytes ?? 0, now]),
  );
  lines.push(
    "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
  );
  lines.push("# TYPE resource_scrape_error gauge", "resource_scrape_error 0");
  return `${lines.join("\n")}\n`;
}

function quoted(value: string | undefined): string {
  return `"${(value ?? "").replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
