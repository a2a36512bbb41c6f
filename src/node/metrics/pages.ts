import type { Pod } from "#api/generated/core-v1.ts";
import { exposeFamilies, type Family, type LabelValues, type Sample } from "#telemetry/metrics.ts";
import type { Machine } from "#world/machine.ts";
import { quantityValue } from "../quantity.ts";
import { countPlugins, type PodVolumes } from "../volumes/pod-volumes.ts";
import type { Details } from "./details.ts";
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

/** How full the claims are that pods have here, and how many volumes there are, under kubelet's names. */
export async function volumeFamilies(
  volumes: Pick<PodVolumes, "claims" | "counts">,
  pods: readonly Pod[],
  machine: Pick<Machine, "fileSystem">,
): Promise<readonly Family[]> {
  const claims = await Promise.all(
    volumes.claims().map(async ({ namespace, name, path }) => {
      const labels = { namespace, persistentvolumeclaim: name };
      // A volume that is just being taken away has no file system any more.
      const found = await machine.fileSystem(path).catch(() => undefined);
      return found === undefined ? [] : [{ labels, found }];
    }),
  );
  type Found = Awaited<ReturnType<Machine["fileSystem"]>>;
  const of = (name: string, help: string, value: (found: Found) => number): Family =>
    gauge(
      `kubelet_volume_stats_${name}`,
      help,
      claims.flat().map(({ labels, found }) => ({ labels, value: value(found) })),
    );
  const counted = (counts: ReadonlyMap<string, number>, state: string): Sample[] =>
    Array.from(counts, ([plugin, value]) => ({ labels: { plugin_name: plugin, state }, value }));
  return [
    of("capacity_bytes", "Capacity in bytes of the volume", ({ sizeBytes }) => sizeBytes),
    of("available_bytes", "Number of available bytes in the volume", ({ availableBytes }) => availableBytes),
    of(
      "used_bytes",
      "Number of used bytes in the volume",
      ({ sizeBytes, availableBytes }) => sizeBytes - availableBytes,
    ),
    of("inodes", "Maximum number of inodes in the volume", ({ inodes }) => inodes),
    of("inodes_free", "Number of free inodes in the volume", ({ inodesFree }) => inodesFree),
    of("inodes_used", "Number of used inodes in the volume", ({ inodes, inodesFree }) => inodes - inodesFree),
    gauge("volume_manager_total_volumes", "Number of volumes in Volume Manager", [
      ...counted(volumes.counts(), "actual_state_of_world"),
      ...counted(countPlugins(pods), "desired_state_of_world"),
    ]),
  ];
}

export interface CadvisorInputs {
  readonly counted: readonly Counted[];
  readonly details: Details;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** `/metrics/cadvisor`: containers under cAdvisor's names and labels. Bounded by the node's pods. */
export function cadvisorPage({ counted, details, cpuCount, memoryBytes, now }: CadvisorInputs): string {
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
    ...detailFamilies(counted, details, now),
    ...networkFamilies(details),
    gauge("machine_cpu_cores", "Number of logical CPU cores.", [{ labels: {}, value: cpuCount }]),
    gauge("machine_memory_bytes", "Amount of memory installed on the machine.", [{ labels: {}, value: memoryBytes }]),
  ]);
}

/** What the kernel counts of each container besides, under the names of the dashboards for compute resources. */
function detailFamilies(counted: readonly Counted[], { groups }: Details, now: number): Family[] {
  const known = counted.flatMap((one) => {
    const details = groups.get(one.path);
    return details === undefined ? [] : [{ one, details, labels: labelsOf(one), atMs: now - one.ageMs }];
  });
  type Known = (typeof known)[number]["details"];
  const of = (value: (details: Known) => number): Sample[] =>
    known.map(({ details, labels, atMs }) => ({ labels, value: value(details), atMs }));
  // Without a limit there are no periods, and nothing to hold back.
  const limited = (value: (details: Known) => number): Sample[] =>
    known.flatMap(({ details, labels, atMs }) =>
      details.cpuPeriods === 0 ? [] : [{ labels, value: value(details), atMs }],
    );
  const devices = (value: (counts: Known["devices"][number]) => number): Sample[] =>
    known.flatMap(({ details, labels, atMs }) =>
      details.devices.map((counts) => ({ labels: { ...labels, device: counts.device }, value: value(counts), atMs })),
    );
  return [
    gauge(
      "container_memory_rss",
      "Size of RSS in bytes.",
      of(({ rssBytes }) => rssBytes),
    ),
    gauge(
      "container_memory_cache",
      "Number of bytes of page cache memory.",
      of(({ cacheBytes }) => cacheBytes),
    ),
    gauge(
      "container_memory_swap",
      "Container swap usage in bytes.",
      of(({ swapBytes }) => swapBytes),
    ),
    counter(
      "container_cpu_cfs_periods_total",
      "Number of elapsed enforcement period intervals.",
      limited(({ cpuPeriods }) => cpuPeriods),
    ),
    counter(
      "container_cpu_cfs_throttled_periods_total",
      "Number of throttled period intervals.",
      limited(({ throttledPeriods }) => throttledPeriods),
    ),
    counter(
      "container_cpu_cfs_throttled_seconds_total",
      "Total time duration the container has been throttled.",
      limited(({ throttledNanos }) => throttledNanos / 1e9),
    ),
    counter(
      "container_fs_reads_total",
      "Cumulative count of reads completed",
      devices(({ reads }) => reads),
    ),
    counter(
      "container_fs_writes_total",
      "Cumulative count of writes completed",
      devices(({ writes }) => writes),
    ),
    counter(
      "container_fs_reads_bytes_total",
      "Cumulative count of bytes read",
      devices(({ readBytes }) => readBytes),
    ),
    counter(
      "container_fs_writes_bytes_total",
      "Cumulative count of bytes written",
      devices(({ writtenBytes }) => writtenBytes),
    ),
  ];
}

const transfers = [
  ["bytes_total", "bytes", "bytes"],
  ["packets_total", "packets", "packets"],
  ["packets_dropped_total", "drops", "packets dropped while"],
  ["errors_total", "errors", "errors encountered while"],
] as const;

/** What went through the network of each pod that has one of its own. */
function networkFamilies({ networks }: Details): Family[] {
  return (["receive", "transmit"] as const).flatMap((way) =>
    transfers.map(([name, field, what]) =>
      counter(
        `container_network_${way}_${name}`,
        `Cumulative count of ${what} ${way === "receive" ? "received or receiving" : "transmitted or transmitting"}`,
        networks.map(({ labels, counts }) => ({
          labels,
          value: (way === "receive" ? counts.received : counts.sent)[field],
        })),
      ),
    ),
  );
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
