import type { Pod } from "#api/generated/core-v1.ts";
import {
  exposeFamilies,
  growingBuckets,
  histogramSamples,
  type Family,
  type Metrics,
  type Sample,
} from "#telemetry/metrics.ts";
import { probedPodsMax } from "../limits.ts";

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

/** What happens to pods on this node, under kubelet's names. */
export class NodeMeasures {
  readonly podWorked: (seconds: number) => void;
  readonly podStarted: (seconds: number) => void;
  /** By the pod's uid, then by container and type: goes with the pod. */
  readonly #probes = new Map<string, Map<string, Probed>>();

  constructor(metrics: Metrics) {
    const worked = metrics
      .histogram(
        "kubelet_pod_worker_duration_seconds",
        "Duration in seconds to sync a single pod: one look at it; what it begins goes on beside.",
        ["operation_type"],
        growingBuckets(0.001, 2.5, 12),
      )
      .series(["sync"]);
    const started = metrics
      .histogram(
        "kubelet_pod_start_duration_seconds",
        "Duration in seconds from the agent seeing a pod for the first time to the pod starting to run",
        [],
        [0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600],
      )
      .series([]);
    this.podWorked = (seconds) => worked.observe(seconds);
    this.podStarted = (seconds) => started.observe(seconds);
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
