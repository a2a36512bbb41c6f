import type { AuditOptions } from "#apiserver/audit/audit.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { SchedulerObserver } from "#scheduler/attempts.ts";
import type { Scheduler } from "#scheduler/loop.ts";
import { durationBuckets, growingBuckets, type Family, type Metrics } from "#telemetry/metrics.ts";

/** Upstream's buckets that our loops can fall into, in seconds. */
const workBuckets: readonly number[] = [0.0001, 0.001, 0.01, 0.1, 1, 10];

/** The work queues of all loops, by their names. */
export function queueFamilies(loops: readonly Controller[]): readonly Family[] {
  const family = (name: string, type: Family["type"], help: string, value: (loop: Controller) => number): Family => ({
    name,
    type,
    help,
    samples: loops.map((loop) => ({ labels: { name: loop.name }, value: value(loop) })),
  });
  return [
    family("workqueue_depth", "gauge", "Current depth of workqueue", ({ queue }) => queue.depth),
    family("workqueue_adds_total", "counter", "Total number of adds handled by workqueue", ({ queue }) => queue.adds),
    family(
      "workqueue_retries_total",
      "counter",
      "Total number of retries handled by workqueue",
      ({ queue }) => queue.retries,
    ),
    family(
      "workqueue_unfinished_work_seconds",
      "gauge",
      "How many seconds of work has been done that is in progress and hasn't been observed by work_duration.",
      ({ queue }) => queue.underWay.sum,
    ),
    family(
      "workqueue_longest_running_processor_seconds",
      "gauge",
      "How many seconds has the longest running processor for workqueue been running.",
      ({ queue }) => queue.underWay.longest,
    ),
    family("steersman_controller_writes_total", "counter", "Writes that a loop carried out.", ({ writes }) => writes),
  ];
}

/** How long names wait, and how long passes over one name take, by loop. */
export function workDurations(metrics: Metrics): {
  readonly onWorked: (name: string, seconds: number) => void;
  readonly onTaken: (name: string, waitedSeconds: number) => void;
} {
  const of = (family: string, help: string): ((name: string, seconds: number) => void) => {
    const histogram = metrics.histogram(family, help, ["name"], workBuckets);
    const known = new Map<string, ReturnType<typeof histogram.series>>();
    return (name, seconds) => {
      let series = known.get(name);
      if (series === undefined) known.set(name, (series = histogram.series([name])));
      series.observe(seconds);
    };
  };
  return {
    onTaken: of(
      "workqueue_queue_duration_seconds",
      "How long in seconds an item stays in workqueue before being requested.",
    ),
    onWorked: of("workqueue_work_duration_seconds", "How long in seconds processing an item from workqueue takes."),
  };
}

/** What the scheduler tells of its work, under upstream's names. */
export function schedulerCounts(metrics: Metrics): SchedulerObserver {
  const attempts = metrics.counter(
    "scheduler_schedule_attempts_total",
    "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled.",
    ["profile", "result"],
  );
  const attemptSeconds = metrics.histogram(
    "scheduler_scheduling_attempt_duration_seconds",
    "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
    ["profile", "result"],
    growingBuckets(0.001, 2, 15),
  );
  const searchSeconds = metrics
    .histogram(
      "scheduler_scheduling_algorithm_duration_seconds",
      "Scheduling algorithm latency in seconds",
      [],
      growingBuckets(0.001, 2, 15),
    )
    .series([]);
  const sli = metrics.histogram(
    "scheduler_pod_scheduling_sli_duration_seconds",
    "E2e latency for a pod being scheduled, from its creation until it is bound, by the number of attempts.",
    ["attempts"],
    durationBuckets,
  );
  const podAttempts = metrics
    .histogram(
      "scheduler_pod_scheduling_attempts",
      "Number of attempts to successfully schedule a pod.",
      [],
      growingBuckets(1, 2, 5),
    )
    .series([]);
  const steps = metrics.histogram(
    "scheduler_framework_extension_point_duration_seconds",
    "Latency for running all plugins of a specific extension point.",
    ["extension_point", "profile", "status"],
    growingBuckets(0.0001, 2, 12),
  );
  const preemptions = metrics
    .counter("scheduler_preemption_attempts_total", "Total preemption attempts in the cluster till now", [])
    .series([]);
  const victims = metrics
    .histogram("scheduler_preemption_victims", "Number of selected preemption victims", [], growingBuckets(1, 2, 7))
    .series([]);
  return {
    attempted: ({ result, schedulerName, seconds, sinceCreationSeconds, attempts: count }) => {
      attempts.add([schedulerName, result]);
      attemptSeconds.observe([schedulerName, result], seconds);
      if (result !== "scheduled") return;
      sli.observe([count < attemptsToldMax ? String(count) : `${attemptsToldMax}+`], sinceCreationSeconds);
      podAttempts.observe(count);
    },
    searched: (seconds) => searchSeconds.observe(seconds),
    stepped: (step, schedulerName, isSuccess, seconds) =>
      steps.observe(
        [step, schedulerName, isSuccess ? "Success" : step === "PostFilter" ? "Unschedulable" : "Error"],
        seconds,
      ),
    preempted: (count) => {
      preemptions.add();
      if (count > 0) victims.observe(count);
    },
  };
}

/** More attempts than these are told together, as upstream does. */
const attemptsToldMax = 16;

export function schedulerFamilies({ pending, incoming, known }: Scheduler): readonly Family[] {
  return [
    {
      name: "scheduler_pending_pods",
      type: "gauge",
      help: "Number of pending pods, by the queue type.",
      samples: Object.entries(pending).map(([queue, value]) => ({ labels: { queue }, value })),
    },
    {
      name: "scheduler_queue_incoming_pods_total",
      type: "counter",
      help: "Number of pods added to scheduling queues by event and queue type.",
      samples: Array.from(incoming, ([key, value]) => {
        const [queue = "", event = ""] = key.split(" ");
        return { labels: { event, queue }, value };
      }),
    },
    {
      name: "scheduler_cache_size",
      type: "gauge",
      help: "Number of nodes, pods, and assumed (bound) pods in the scheduler cache.",
      samples: Object.entries(known).map(([type, value]) => ({ labels: { type }, value })),
    },
  ];
}

/** Upstream's ends of buckets: from nothing over half an hour to a year, in seconds. */
const lifetimeBuckets: readonly number[] = [
  0, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800, 2592000, 7776000, 15552000, 31104000,
];

/** How long client certificates go on when they are shown. */
export function certificateLifetimes(metrics: Metrics): (seconds: number) => void {
  const lifetimes = metrics
    .histogram(
      "apiserver_client_certificate_expiration_seconds",
      "Distribution of the remaining lifetime on the certificate used to authenticate a request.",
      [],
      lifetimeBuckets,
    )
    .series([]);
  return (seconds) => lifetimes.observe(seconds);
}

/** What the store takes on disk; without a sample where it has none. */
export function storeFamilies(bytes: number | undefined): Family[] {
  return [
    {
      name: "apiserver_storage_size_bytes",
      type: "gauge",
      help: "Size of the storage database file physically allocated in bytes.",
      samples: bytes === undefined ? [] : [{ labels: { storage_cluster_id: "store" }, value: bytes }],
    },
  ];
}

/** What audit back ends lost: nobody may find out only when he looks for it. */
export function auditFamilies(audit: AuditOptions | undefined): Family[] {
  const lost = audit?.sinks.lost?.() ?? [];
  if (lost.length === 0) return [];
  return [
    {
      name: "apiserver_audit_error_total",
      type: "counter",
      help: "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.",
      samples: lost.map(({ plugin, count }) => ({ labels: { plugin }, value: count })),
    },
  ];
}
