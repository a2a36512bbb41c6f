import { builtInResources } from "#api/generated/resources.ts";
import { apiVersionOf } from "#api/resource.ts";
import type { AuditOptions } from "#apiserver/audit/audit.ts";
import { Failure } from "#apiserver/failure.ts";
import type { RequestCounts } from "#apiserver/request-counts.ts";
import type { ApiServer } from "#apiserver/server.ts";
import type { RequestInfo } from "#apiserver/stages/route.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Scheduler, SchedulerOptions } from "#scheduler/loop.ts";
import { durationBuckets, requestBuckets, type Family, type Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";

const verbs: Readonly<Record<string, string>> = {
  get: "GET",
  list: "LIST",
  watch: "WATCH",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
  deletecollection: "DELETECOLLECTION",
};
/** Subresources that stay open: counted, but their duration says nothing. */
const connecting: ReadonlySet<string> = new Set(["exec", "attach", "portforward", "proxy", "log"]);
const builtIn: ReadonlySet<string> = new Set(
  builtInResources.map((resource) => `${apiVersionOf(resource)}/${resource.resource}`),
);
const subresources: ReadonlySet<string> = new Set(
  builtInResources.flatMap((resource) => resource.subresources.map(({ name }) => name)),
);

/** Counts what comes in from outside under upstream's names; labels come from what is served, never from the client. */
export function requestCounts(metrics: Metrics, clock: Clock, serves: ApiServer["serves"]): RequestCounts {
  const named = ["verb", "group", "version", "resource", "subresource", "scope", "component"];
  const total = metrics.counter(
    "apiserver_request_total",
    "Counter of apiserver requests broken out for each verb, group, version, resource, scope, component, and HTTP response code.",
    [...named, "code"],
  );
  const duration = metrics.histogram(
    "apiserver_request_duration_seconds",
    "Response latency distribution in seconds for each verb, group, version, resource, subresource, scope and component.",
    named,
    requestBuckets,
  );
  let reading = 0;
  let writing = 0;
  metrics.collect(() => [inflight(reading, writing)]);
  return {
    began: ({ method }) => {
      if (isRead(method)) reading += 1;
      else writing += 1;
    },
    ended: ({ method }, info, status, startedMs) => {
      if (isRead(method)) reading -= 1;
      else writing -= 1;
      const isRequest = info !== undefined && !(info instanceof Failure);
      const labels = isRequest ? labelsOf(info, serves) : unknownLabels;
      total.add([...labels, String(status)]);
      const isOpen = !isRequest || info.verb === "watch" || connecting.has(info.subresource);
      if (!isOpen) duration.observe(labels, (clock.monotonic() - startedMs) / 1000);
    },
  };
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

const unknownLabels: readonly string[] = ["GET", "", "", "", "", "", "apiserver"];

function labelsOf(info: RequestInfo, serves: ApiServer["serves"]): readonly string[] {
  const verb = verbs[info.verb] ?? "OTHER";
  if (!info.isResource) return [verb, "", "", "", "", "", "apiserver"];
  const isBuiltIn = builtIn.has(`${info.apiVersion}/${info.resource}`);
  // Whether it succeeded says nothing: another server may answer whatever it is asked.
  const found = isBuiltIn ? "resource" : serves(info.apiVersion, info.resource);
  if (found === undefined) return [verb, "", "", "", "", "", "apiserver"];
  const scope =
    info.name !== "" || info.verb === "create" ? "resource" : info.namespace === "" ? "cluster" : "namespace";
  const subresource = subresources.has(info.subresource) ? info.subresource : info.subresource === "" ? "" : "other";
  // Names below a metrics group are metrics' names, of which there is no end.
  const resource = found === "group" ? "metrics" : info.resource;
  const isConnect = connecting.has(info.subresource) && info.subresource !== "log";
  return [isConnect ? "CONNECT" : verb, info.group, info.version, resource, subresource, scope, "apiserver"];
}

function inflight(reading: number, writing: number): Family {
  return {
    name: "apiserver_current_inflight_requests",
    type: "gauge",
    help: "Number of requests in flight of this apiserver, by kind.",
    samples: [
      { labels: { request_kind: "readOnly" }, value: reading },
      { labels: { request_kind: "mutating" }, value: writing },
    ],
  };
}

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
    family("steersman_controller_writes_total", "counter", "Writes that a loop carried out.", ({ writes }) => writes),
  ];
}

/** How long passes over one name take, by loop. */
export function workDurations(metrics: Metrics): (name: string, seconds: number) => void {
  const help = "How long in seconds processing an item from workqueue takes.";
  const durations = metrics.histogram("workqueue_work_duration_seconds", help, ["name"], workBuckets);
  return (name, seconds) => durations.observe([name], seconds);
}

/** What the scheduler tells of its attempts, under upstream's names. */
export function schedulerCounts(metrics: Metrics): NonNullable<SchedulerOptions["onAttempt"]> {
  const attempts = metrics.counter(
    "scheduler_schedule_attempts_total",
    "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled.",
    ["profile", "result"],
  );
  const sli = metrics.histogram(
    "scheduler_pod_scheduling_sli_duration_seconds",
    "E2e latency for a pod being scheduled, from its creation until it is bound.",
    [],
    durationBuckets,
  );
  return (result, seconds) => {
    attempts.add(["default-scheduler", result]);
    if (result === "scheduled") sli.observe([], seconds);
  };
}

export function schedulerFamilies(scheduler: Scheduler): readonly Family[] {
  const { active, waiting } = scheduler.pending;
  return [
    {
      name: "scheduler_pending_pods",
      type: "gauge",
      help: "Number of pending pods, by the queue type.",
      samples: [
        { labels: { queue: "active" }, value: active },
        { labels: { queue: "unschedulable" }, value: waiting },
      ],
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
