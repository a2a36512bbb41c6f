import {
  growingBuckets,
  seriesMax,
  type Counter,
  type Family,
  type Histogram,
  type Metrics,
} from "#telemetry/metrics.ts";
import type { Store } from "#store/store.ts";
import type { Clock } from "#world/clock.ts";
import type { AdmissionPlugin, Operation } from "./admission.ts";
import { endOf } from "./keys.ts";
import type { Registry } from "./registry.ts";

/** Upstream's ends of buckets, in seconds: of admission steps, and of what is asked or waited for. */
const admissionBuckets: readonly number[] = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const checkBuckets = growingBuckets(0.001, 2, 15);
const queueBuckets: readonly number[] = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

type Phase = "mutate" | "validate";
/**
 * Plugins that answer at once are measured in one of so many phases, which counts for all: the clock costs more than most of them do.
 * Refusals, and what waits for somebody, are measured each time. An odd number, so that both phases have their turn.
 */
const sampledEach = 15;
const operations: readonly Operation[] = ["CREATE", "UPDATE", "DELETE", "CONNECT"];
type Series = ReturnType<Histogram["series"]>;

/** What happens inside the API, under upstream's names. Labels come from what is configured or served, never from a request. */
export class Measures {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #plugins: Histogram;
  readonly #steps: Histogram;
  /** By plugin (or all of a phase together) and by operation, phase and verdict as one number: each create looks some fifty times. */
  readonly #byPlugin = new Map<AdmissionPlugin | "all", (Series | undefined)[]>();
  #phases = 0;
  readonly #checks: Readonly<Record<"authentication" | "authorization", Checks>>;
  readonly #watchEvents: Counter;
  readonly #terminated: Counter;
  readonly #dispatched: Counter;
  readonly #rejected: Counter;
  readonly #waited: Histogram;
  /** What was asked for of deprecated resources, by all its labels. */
  readonly #deprecated = new Map<string, Family["samples"][number]>();

  constructor(metrics: Metrics, clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    const step = ["operation", "rejected", "type"];
    this.#plugins = metrics.histogram(
      "apiserver_admission_controller_admission_duration_seconds",
      "Admission controller latency histogram in seconds, by name, operation and type (validate or admit).",
      ["name", ...step],
      admissionBuckets,
    );
    this.#steps = metrics.histogram(
      "apiserver_admission_step_admission_duration_seconds",
      "Admission sub-step latency histogram in seconds, by operation and step type (validate or admit).",
      step,
      admissionBuckets,
    );
    this.#checks = {
      authentication: checks(metrics, "authentication"),
      authorization: checks(metrics, "authorization"),
    };
    const about = ["group", "version", "resource"];
    this.#watchEvents = metrics.counter(
      "apiserver_watch_events_total",
      "Number of events sent in watch clients",
      about,
    );
    this.#terminated = metrics.counter(
      "apiserver_terminated_watchers_total",
      "Counter of watchers closed due to unresponsiveness broken by resource type.",
      ["group", "resource"],
    );
    const flow = ["priority_level", "flow_schema"];
    const prefix = "apiserver_flowcontrol_";
    this.#dispatched = metrics.counter(
      `${prefix}dispatched_requests_total`,
      "Number of requests executed by API Priority and Fairness subsystem",
      flow,
    );
    this.#rejected = metrics.counter(
      `${prefix}rejected_requests_total`,
      "Number of requests rejected by API Priority and Fairness subsystem",
      [...flow, "reason"],
    );
    this.#waited = metrics.histogram(
      `${prefix}request_wait_duration_seconds`,
      "Length of time a request spent waiting in its queue",
      [...flow, "execute"],
      queueBuckets,
    );
    metrics.collect(() => [
      {
        name: "apiserver_requested_deprecated_apis",
        type: "gauge",
        help: "Deprecated APIs that have been requested, by API group, version, resource, subresource, and removed_release.",
        samples: [...this.#deprecated.values()],
      },
    ]);
  }

  now(): number {
    return this.#clock.monotonic();
  }

  /** Begins to measure the steps of a phase of admission. */
  admission(operation: Operation, phase: Phase): AdmissionTimes {
    this.#phases += 1;
    return new AdmissionTimes(this.now(), operation, phase, this, this.#phases % sampledEach === 0);
  }

  admitted(
    plugin: AdmissionPlugin | "all",
    operation: Operation,
    phase: Phase,
    isRejected: boolean,
    tookMs: number,
    times: number,
  ): void {
    let known = this.#byPlugin.get(plugin);
    if (known === undefined) this.#byPlugin.set(plugin, (known = []));
    const at = operations.indexOf(operation) * 4 + (phase === "mutate" ? 2 : 0) + (isRejected ? 1 : 0);
    let series = known[at];
    if (series === undefined) {
      const labels = [operation, String(isRejected), phase === "mutate" ? "admit" : "validate"];
      series = plugin === "all" ? this.#steps.series(labels) : this.#plugins.series([plugin.name, ...labels]);
      known[at] = series;
    }
    series.observe(tookMs / 1000, times);
  }

  /** Somebody was asked who the client is, or whether he may. `result` in upstream's words. */
  checked(what: "authentication" | "authorization", result: string, sinceMs: number): void {
    this.#checks[what](result, (this.now() - sinceMs) / 1000);
  }

  /** The count of changes that watches of a resource send. */
  watchEvents({ group, version, resource }: Watched): { add(by?: number): void } {
    return this.#watchEvents.series([group, version, resource]);
  }

  /** A watch was broken off because its client did not keep up. */
  watchTerminated({ group, resource }: Watched): void {
    this.#terminated.add([group, resource]);
  }

  /** Somebody from outside asked for what is deprecated. No release is known that drops one of them. */
  deprecatedRequested({ group, version, resource }: Watched, subresource: string): void {
    const key = `${group}/${version}/${resource}/${subresource}`;
    if (this.#deprecated.has(key) || seriesMax <= this.#deprecated.size) return;
    this.#deprecated.set(key, { labels: { group, version, resource, subresource, removed_release: "" }, value: 1 });
  }

  flow(level: string, schema: string): FlowCounts {
    const names = [level, schema];
    return new FlowCounts(
      { level, schema },
      this.#dispatched.series(names),
      this.#waited.series([...names, "true"]),
      (reason) => this.#rejected.add([...names, reason]),
    );
  }
}

interface Watched {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

type Checks = (result: string, seconds: number) => void;

function checks(metrics: Metrics, what: "authentication" | "authorization"): Checks {
  const total = metrics.counter(
    what === "authentication" ? "authentication_attempts" : "authorization_attempts_total",
    `Counter of ${what} attempts, by their result.`,
    ["result"],
  );
  const duration = metrics.histogram(
    `${what}_duration_seconds`,
    `Duration of ${what} in seconds, by the result.`,
    ["result"],
    checkBuckets,
  );
  const known = new Map<string, { total: { add(): void }; duration: Series }>();
  return (result, seconds) => {
    let series = known.get(result);
    if (series === undefined) {
      series = { total: total.series([result]), duration: duration.series([result]) };
      known.set(result, series);
    }
    series.total.add();
    series.duration.observe(seconds);
  };
}

/** One phase of admission of one request: what each plugin took, and all of them together. */
export class AdmissionTimes {
  readonly #measures: Measures;
  readonly #operation: Operation;
  readonly #phase: Phase;
  readonly #startedMs: number;
  readonly #isSampled: boolean;
  #lastMs: number;

  constructor(startedMs: number, operation: Operation, phase: Phase, measures: Measures, isSampled: boolean) {
    this.#isSampled = isSampled;
    this.#startedMs = startedMs;
    this.#lastMs = startedMs;
    this.#operation = operation;
    this.#phase = phase;
    this.#measures = measures;
  }

  /** What it took, in milliseconds; 0 where nobody looked at the clock: it answered at once, and it is not this request's turn. */
  plugin(plugin: AdmissionPlugin, isRejected: boolean, isAwaited = false): number {
    const isExact = isRejected || isAwaited;
    if (!isExact && !this.#isSampled) return 0;
    const now = this.#measures.now();
    const elapsedMs = now - this.#lastMs;
    this.#lastMs = now;
    this.#measures.admitted(plugin, this.#operation, this.#phase, isRejected, elapsedMs, isExact ? 1 : sampledEach);
    return elapsedMs;
  }

  over(isRejected: boolean): void {
    this.#measures.admitted("all", this.#operation, this.#phase, isRejected, this.#measures.now() - this.#startedMs, 1);
  }
}

/** What is counted for one flow schema at its priority level. */
export class FlowCounts {
  readonly names: { readonly level: string; readonly schema: string };
  executing = 0;
  seats = 0;
  waiting = 0;
  readonly #dispatched: { add(): void };
  readonly #waited: Series;
  readonly rejected: (reason: "queue-full" | "concurrency-limit" | "time-out") => void;

  constructor(
    names: FlowCounts["names"],
    dispatched: { add(): void },
    waited: Series,
    rejected: FlowCounts["rejected"],
  ) {
    this.names = names;
    this.#dispatched = dispatched;
    this.#waited = waited;
    this.rejected = rejected;
  }

  dispatched(waitedSeconds: number): void {
    this.#dispatched.add();
    this.#waited.observe(waitedSeconds);
  }
}

/** How many objects of each resource are stored. */
export function storageFamilies(store: Pick<Store, "latestCount">, registry: Registry): Family[] {
  const counts = new Map<string, { readonly group: string; readonly resource: string; readonly value: number }>();
  for (const { prefix, resource: one, isStorage } of registry.all()) {
    if (!isStorage || counts.has(prefix)) continue;
    const { group, resource } = one;
    counts.set(prefix, { group, resource, value: store.latestCount(prefix, endOf(prefix)) });
  }
  const all = [...counts.values()];
  return [
    {
      name: "apiserver_storage_objects",
      type: "gauge",
      help: "[DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects split by kind.",
      samples: all.map(({ group, resource, value }) => {
        return { labels: { resource: group === "" ? resource : `${resource}.${group}` }, value };
      }),
    },
    {
      name: "apiserver_resource_objects",
      type: "gauge",
      help: "Number of stored objects split by kind.",
      samples: all.map(({ group, resource, value }) => ({ labels: { group, resource }, value })),
    },
  ];
}
