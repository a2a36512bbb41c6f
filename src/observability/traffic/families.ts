import {
  fromPodsMark,
  type BackendTraffic,
  type IngressTraffic,
  type RouteTraffic,
  type RouteUsers,
} from "#api/observability/traffic.ts";
import type { Family, LabelValues, Sample } from "#telemetry/metrics.ts";
import { routesToldMax } from "../limits.ts";
import { distinctUsers, joinSketches } from "./sketch.ts";

/** What dashboards see: `le` in seconds. Each is one of the finer ends that the proxy counts by. */
const shownBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The golden signals of every Service behind an Ingress, or that pods reach through the proxy, without code in the application. */
export function trafficFamilies({ backends, routes, users, bucketEndsUs }: IngressTraffic): readonly Family[] {
  const rows = bounded(byLabels(routes));
  const own = backends.map((one) => ({ labels: { ...serviceLabels(one.backend), ingress: "", version: "" }, one }));
  const prefix = "steersman_traffic_";
  return [
    {
      name: `${prefix}requests_total`,
      type: "counter",
      help: "Requests that were answered, by the class of the answer's status; those that no pod answered have no version.",
      // What pods of no known version answered to pods has the labels of what no pod answered to them: it is told together.
      samples: summed([
        ...rows.flatMap(({ labels, answers }) => answerSamples(labels, answers, 0)),
        // A failure that is counted from its first time on is seen as one.
        ...own.flatMap(({ labels, one }) => answerSamples(labels, one.ownAnswers, 4)),
      ]),
    },
    {
      name: `${prefix}request_duration_seconds`,
      type: "histogram",
      help: "Time from the end of a request's head until its answer began; the sum is estimated from finer buckets.",
      samples: rows.flatMap(({ labels, buckets }) => histogramSamples(labels, buckets, bucketEndsUs)),
    },
    {
      name: `${prefix}users`,
      type: "gauge",
      help: "Distinct users of the last five minutes: those of a canary by their key, others by the client's address. Estimated.",
      samples: usersByLabels(users),
    },
    ...backendFamilies(prefix, backends),
  ];
}

const backendCounters = [
  ["received_bytes_total", "Bytes that clients sent.", "bytesIn"],
  ["sent_bytes_total", "Bytes that clients were sent.", "bytesOut"],
  ["connection_failures_total", "Connections to pods that failed.", "connectionFailures"],
  ["retries_total", "Requests that were sent to another pod.", "retries"],
] as const;

function backendFamilies(prefix: string, backends: readonly BackendTraffic[]): Family[] {
  return backendCounters.map(([name, help, field]) => ({
    name: prefix + name,
    type: "counter",
    help,
    samples: summed(backends.map((one) => ({ labels: serviceLabels(one.backend), value: one[field] }))),
  }));
}

interface Row {
  readonly labels: LabelValues;
  readonly answers: readonly number[];
  readonly buckets: readonly number[];
}

/** Two backends may have one name for people: what is split for one Ingress alone is the same Service. */
function byLabels(routes: readonly RouteTraffic[]): Row[] {
  const rows = new Map<string, Row>();
  for (const { answers, buckets, ...route } of routes) {
    const labels = routeLabels(route);
    const row = { labels, answers, buckets };
    const known = rows.get(keyOf(labels));
    rows.set(keyOf(labels), known === undefined ? row : joined(labels, known, row));
  }
  return [...rows.values()];
}

/** Every series costs whoever keeps them: beyond the bound those with fewest requests are told together. */
function bounded(rows: readonly Row[]): Row[] {
  if (rows.length <= routesToldMax) return [...rows];
  const requests = (row: Row): number => row.answers.reduce((sum, count) => sum + count, 0);
  const sorted = rows.toSorted((a, b) => requests(b) - requests(a));
  const other = {
    namespace: "other",
    service: "other",
    port: "other",
    from: "other",
    ingress: "other",
    version: "other",
  };
  const rest = sorted.slice(routesToldMax).reduce((one, row) => joined(other, one, row));
  return [...sorted.slice(0, routesToldMax), { ...rest, labels: other }];
}

function joined(labels: LabelValues, one: Row, two: Row): Row {
  const add = (left: readonly number[], right: readonly number[]): number[] =>
    Array.from({ length: Math.max(left.length, right.length) }, (_, at) => (left[at] ?? 0) + (right[at] ?? 0));
  return { labels, answers: add(one.answers, two.answers), buckets: add(one.buckets, two.buckets) };
}

function usersByLabels(users: readonly RouteUsers[]): Sample[] {
  const found = new Map<string, { readonly labels: LabelValues; readonly registers: readonly number[] }>();
  for (const { registers, ...route } of users) {
    const labels = routeLabels(route);
    const known = found.get(keyOf(labels))?.registers ?? [];
    found.set(keyOf(labels), { labels, registers: joinSketches(known, registers) });
  }
  const samples = Array.from(found.values(), ({ labels, registers }) => ({ labels, value: distinctUsers(registers) }));
  return samples.toSorted((a, b) => b.value - a.value).slice(0, routesToldMax);
}

function summed(samples: readonly Sample[]): Sample[] {
  const found = new Map<string, Sample>();
  for (const { labels, value } of samples) {
    found.set(keyOf(labels), { labels, value: value + (found.get(keyOf(labels))?.value ?? 0) });
  }
  return [...found.values()];
}

/** Classes that occurred, and the one of `always`. */
function answerSamples(labels: LabelValues, answers: readonly number[], always: number): Sample[] {
  return answers.flatMap((value, index) =>
    value === 0 && index !== always ? [] : [{ labels: { ...labels, code: `${index + 1}xx` }, value }],
  );
}

function histogramSamples(labels: LabelValues, buckets: readonly number[], endsUs: readonly number[]): Sample[] {
  const samples: Sample[] = [];
  let [at, below, sum] = [0, 0, 0];
  for (const end of [...shownBuckets, Infinity]) {
    for (; at < buckets.length && (endsUs[at] ?? Infinity) <= end * 1e6; at++) {
      const count = buckets[at] ?? 0;
      below += count;
      sum += count * middleSeconds(endsUs, at);
    }
    samples.push({
      labels: { ...labels, le: end === Infinity ? "+Inf" : String(end) },
      value: below,
      suffix: "_bucket",
    });
  }
  samples.push({ labels, value: sum, suffix: "_sum" }, { labels, value: below, suffix: "_count" });
  return samples;
}

function middleSeconds(endsUs: readonly number[], at: number): number {
  const from = at === 0 ? 0 : (endsUs[at - 1] ?? 0);
  return (from + (endsUs[at] ?? from)) / 2 / 1e6;
}

function routeLabels({
  ingress,
  backend,
  version,
}: {
  ingress: string;
  backend: string;
  version: string;
}): LabelValues {
  return { ...serviceLabels(backend), ingress: ingress.slice(ingress.indexOf("/") + 1), version };
}

function keyOf(labels: LabelValues): string {
  return Object.values(labels).join(" ");
}

/** With where the requests came from: what pods ask of a Service must not look like what no pod behind an Ingress answered. */
export function serviceLabels(backend: string): {
  namespace: string;
  service: string;
  port: string;
  from: "ingress" | "pods";
} {
  const [namespace = "", rest = ""] = backend.split("/");
  const [service = "", port = ""] = (rest.split("@")[0] ?? "").split(":");
  return { namespace, service, port, from: backend.endsWith(fromPodsMark) ? "pods" : "ingress" };
}
