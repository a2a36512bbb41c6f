import type { Pod } from "#api/generated/core-v1.ts";
import {
  exposeFamilies,
  growingBuckets,
  histogramSamples,
  type Family,
  type Histogram,
  type Metrics,
  type Sample,
} from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import type { Machine } from "#world/machine.ts";
import { probedPodsMax, pullingPodsMax } from "../limits.ts";

type Cgroups = Pick<Machine, "setCgroup" | "removeCgroup">;
type Series = ReturnType<Histogram["series"]>;

export interface ProbeSubject {
  readonly pod: Pod;
  readonly container: string;
  readonly type: "Startup" | "Liveness" | "Readiness";
}

interface Probed {
  readonly subject: ProbeSubject;
  successful: number;
  failed: number;
  readonly counts: number[];
  sum: number;
}

/** Upstream's ends of buckets are those of every duration; these are enough for what answers within seconds. In seconds. */
const probeBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Upstream's ends of buckets, in seconds: of starts of pods, of work on volumes, and Prometheus' own. */
const startBuckets: readonly number[] = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];
const storageBuckets: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600];
const usualBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A pod that runs for the first time; in seconds. */
export interface PodStart {
  readonly uid: string;
  /** Since the agent saw it first. */
  readonly seconds: number;
  /** Since it was made, as both clocks tell. */
  readonly sinceCreation: number;
  /** That its init containers ran. */
  readonly initializing: number;
  /** Its volumes bring nothing that was there before it: only of such pods is it told how fast nodes start them. */
  readonly isStateless: boolean;
}

/** What happens to pods on this node, under kubelet's names. */
export class NodeMeasures {
  readonly podWorked: (seconds: number) => void;
  /** One comparison of the runtime with what was seen of it. */
  readonly compared: (tookMs: number) => void;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #started: Series;
  readonly #startedSli: Series;
  readonly #storage: Histogram;
  readonly #groups: Histogram;
  /** By the pod's uid: between when an image was pulled for it. */
  readonly #pulls = new Map<string, { readonly fromMs: number; untilMs: number }>();
  /** By the pod's uid, then by container and type: goes with the pod. */
  readonly #probes = new Map<string, Map<string, Probed>>();

  constructor(metrics: Metrics, clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    const worked = metrics
      .histogram(
        "kubelet_pod_worker_duration_seconds",
        "Duration in seconds to sync a single pod: one look at it; what it begins goes on beside.",
        ["operation_type"],
        growingBuckets(0.001, 2.5, 12),
      )
      .series(["sync"]);
    const plain = (name: string, help: string, buckets: readonly number[]): Series =>
      metrics.histogram(name, help, [], buckets).series([]);
    this.#started = plain(
      "kubelet_pod_start_duration_seconds",
      "Duration in seconds from the agent seeing a pod for the first time to the pod starting to run",
      startBuckets,
    );
    this.#startedSli = plain(
      "kubelet_pod_start_sli_duration_seconds",
      "Duration in seconds to start a pod, excluding time to pull images and run init containers, from its creation",
      startBuckets,
    );
    const relisted = plain(
      "kubelet_pleg_relist_duration_seconds",
      "Duration in seconds for comparing pods with the runtime.",
      usualBuckets,
    );
    const interval = plain(
      "kubelet_pleg_relist_interval_seconds",
      "Interval in seconds between comparisons of pods with the runtime.",
      usualBuckets,
    );
    this.#storage = metrics.histogram(
      "storage_operation_duration_seconds",
      "Storage operation duration",
      ["volume_plugin", "operation_name", "status", "migrated"],
      storageBuckets,
    );
    this.#groups = metrics.histogram(
      "kubelet_cgroup_manager_duration_seconds",
      "Duration in seconds for cgroup manager operations. Broken down by method.",
      ["operation_type"],
      usualBuckets,
    );
    this.podWorked = (seconds) => worked.observe(seconds);
    let comparedAtMs: number | undefined;
    this.compared = (tookMs) => {
      const now = clock.monotonic();
      relisted.observe(tookMs / 1000);
      if (comparedAtMs !== undefined) interval.observe((now - comparedAtMs) / 1000);
      comparedAtMs = now;
    };
  }

  now(): number {
    return this.#clock.monotonic();
  }

  /** An image is pulled for a pod, or has been. */
  pulling(uid: string): void {
    const now = this.#clock.monotonic();
    const known = this.#pulls.get(uid);
    if (known !== undefined) known.untilMs = now;
    else if (this.#pulls.size < pullingPodsMax) this.#pulls.set(uid, { fromMs: now, untilMs: now });
  }

  podStarted({ uid, seconds, sinceCreation, initializing, isStateless }: PodStart): void {
    const { fromMs, untilMs } = this.#pulls.get(uid) ?? { fromMs: 0, untilMs: 0 };
    this.podLeft(uid);
    this.#started.observe(seconds);
    if (isStateless) this.#startedSli.observe(Math.max(0, sinceCreation - initializing - (untilMs - fromMs) / 1000));
  }

  /** The pod is gone, whether it ever ran or not. */
  podLeft(uid: string): void {
    this.#pulls.delete(uid);
  }

  /** A volume was made for a pod, or could not be. */
  mounted(plugin: string, isSuccess: boolean, sinceMs: number): void {
    const status = isSuccess ? "success" : "fail-unknown";
    this.#storage.observe([plugin, "volume_mount", status, "false"], (this.#clock.monotonic() - sinceMs) / 1000);
  }

  /** A machine's work on pods' groups, which is timed. */
  measuredCgroups(machine: Cgroups): Cgroups {
    const timed = <Given extends unknown[]>(
      type: string,
      call: (...given: Given) => Promise<void>,
    ): ((...given: Given) => Promise<void>) => {
      const series = this.#groups.series([type]);
      return async (...given) => {
        const beganMs = this.#clock.monotonic();
        await call(...given);
        series.observe((this.#clock.monotonic() - beganMs) / 1000);
      };
    };
    return {
      setCgroup: timed("update", (path, limits) => machine.setCgroup(path, limits)),
      removeCgroup: timed("destroy", (path) => machine.removeCgroup(path)),
    };
  }

  probed(subject: ProbeSubject, isSuccess: boolean, seconds: number): void {
    const uid = subject.pod.metadata.uid ?? "";
    let ofPod = this.#probes.get(uid);
    if (ofPod === undefined) {
      if (probedPodsMax <= this.#probes.size) return;
      this.#probes.set(uid, (ofPod = new Map()));
    }
    const key = `${subject.container} ${subject.type}`;
    let one = ofPod.get(key);
    if (one === undefined) {
      one = { subject, successful: 0, failed: 0, counts: probeBuckets.map(() => 0), sum: 0 };
      ofPod.set(key, one);
    }
    if (isSuccess) one.successful += 1;
    else one.failed += 1;
    one.sum += seconds;
    const at = probeBuckets.findIndex((end) => seconds <= end);
    if (at !== -1) one.counts[at]! += 1;
  }

  /** `/metrics/probes`: probes of the pods that are here, and of no others. */
  probesPage(pods: readonly Pod[]): string {
    const here = new Set(pods.map(({ metadata }) => metadata.uid ?? ""));
    for (const uid of this.#probes.keys()) if (!here.has(uid)) this.#probes.delete(uid);
    const all = [...this.#probes.values()].flatMap((ofPod) => [...ofPod.values()]);
    const total: Family = {
      name: "prober_probe_total",
      type: "counter",
      help: "Cumulative number of a liveness, readiness or startup probe for a container by result.",
      samples: all.flatMap(({ subject, successful, failed }) => {
        const labels = { ...labelsOf(subject), pod_uid: subject.pod.metadata.uid ?? "" };
        const of = (result: string, value: number): Sample[] =>
          value === 0 ? [] : [{ labels: { ...labels, result }, value }];
        return [...of("successful", successful), ...of("failed", failed)];
      }),
    };
    const duration: Family = {
      name: "prober_probe_duration_seconds",
      type: "histogram",
      help: "Duration in seconds for a probe response.",
      samples: all.flatMap(durationSamples),
    };
    return exposeFamilies([total, duration]);
  }
}

function labelsOf({ pod, container, type }: ProbeSubject): Readonly<Record<string, string>> {
  const { namespace = "", name = "" } = pod.metadata;
  return { container, namespace, pod: name, probe_type: type };
}

function durationSamples({ subject, counts, sum, successful, failed }: Probed): Sample[] {
  return histogramSamples(probeBuckets, { labels: labelsOf(subject), counts, sum, count: successful + failed });
}
