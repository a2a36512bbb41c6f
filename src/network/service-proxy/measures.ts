import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { growingBuckets, type Family, type Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import { triggersMax } from "../limits.ts";

/** When the first of the changes that a slice tells of happened, as its controller wrote it. */
const triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";
/** Upstream's ends of buckets: quarters of a second, each second, five, half minutes. */
const programmingBuckets: readonly number[] = [
  ...[0.25, 0.5],
  ...Array.from({ length: 59 }, (_, index) => index + 1),
  ...Array.from({ length: 12 }, (_, index) => 60 + 5 * index),
  ...Array.from({ length: 7 }, (_, index) => 120 + 30 * index),
];

interface Changes {
  total: number;
  /** Not in the kernel yet. */
  pending: number;
}

/** How Services reach the kernel, under kube-proxy's names. */
export class ProxyMeasures {
  readonly #clock: Clock;
  readonly #durations: { observe(value: number): void };
  readonly #programming: { observe(value: number): void };
  readonly #failures: { add(): void };
  readonly #services: Changes = { total: 0, pending: 0 };
  readonly #endpoints: Changes = { total: 0, pending: 0 };
  /** When what is not in the kernel yet happened, milliseconds since 1970. */
  #triggers: number[] = [];
  readonly #bornMs: number;
  #syncedAtMs: number | undefined;

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    this.#bornMs = clock.now();
    const prefix = "kubeproxy_";
    this.#durations = metrics
      .histogram(
        `${prefix}sync_proxy_rules_duration_seconds`,
        "SyncProxyRules latency in seconds",
        [],
        growingBuckets(0.001, 2, 15),
      )
      .series([]);
    this.#programming = metrics
      .histogram(
        `${prefix}network_programming_duration_seconds`,
        "In Cluster Network Programming Latency in seconds",
        [],
        programmingBuckets,
      )
      .series([]);
    this.#failures = metrics
      .counter(`${prefix}sync_proxy_rules_nftables_sync_failures_total`, "Cumulative proxy nftables sync failures", [])
      .series([]);
    metrics.collect(() => this.#families(`${prefix}sync_proxy_rules_`));
  }

  serviceChanged(): void {
    this.#services.total += 1;
    this.#services.pending += 1;
  }

  endpointsChanged(current: EndpointSlice | undefined): void {
    this.#endpoints.total += 1;
    this.#endpoints.pending += 1;
    const atMs = Date.parse(current?.metadata.annotations?.[triggerAnnotation] ?? "");
    // What happened before waited for this process, not for the network.
    if (atMs >= this.#bornMs && this.#triggers.length < triggersMax) this.#triggers.push(atMs);
  }

  /** A round begins, with all that has changed by now; call what it answers at its end. */
  began(): (isApplied: boolean) => void {
    const beganMs = this.#clock.monotonic();
    const triggers = this.#triggers;
    const [services, endpoints] = [this.#services.pending, this.#endpoints.pending];
    this.#triggers = [];
    return (isApplied) => {
      this.#durations.observe((this.#clock.monotonic() - beganMs) / 1000);
      if (!isApplied) {
        this.#failures.add();
        this.#triggers = [...triggers, ...this.#triggers].slice(0, triggersMax);
        return;
      }
      this.#services.pending -= services;
      this.#endpoints.pending -= endpoints;
      const now = this.#clock.now();
      this.#syncedAtMs = now;
      // The clock of whoever made the change may be ahead of ours.
      for (const atMs of triggers) this.#programming.observe(Math.max(0, now - atMs) / 1000);
    };
  }

  #families(prefix: string): readonly Family[] {
    const one = (name: string, type: Family["type"], help: string, value: number | undefined): Family => ({
      name: prefix + name,
      type,
      help,
      samples: value === undefined ? [] : [{ labels: {}, value }],
    });
    const changes = (what: string, name: string, { total, pending }: Changes): Family[] => [
      one(`${name}_changes_total`, "counter", `Cumulative proxy rules ${what} changes`, total),
      one(`${name}_changes_pending`, "gauge", `Pending proxy rules ${what} changes`, pending),
    ];
    return [
      one(
        "last_timestamp_seconds",
        "gauge",
        "The last time proxy rules were successfully synced",
        this.#syncedAtMs === undefined ? undefined : this.#syncedAtMs / 1000,
      ),
      ...changes("Service", "service", this.#services),
      ...changes("Endpoint", "endpoint", this.#endpoints),
    ];
  }
}
