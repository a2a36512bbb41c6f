import { builtInResources } from "#api/generated/resources.ts";
import { apiVersionOf } from "#api/resource.ts";
import { CountedStream } from "#apiserver/fairness/counted-stream.ts";
import { Failure } from "#apiserver/failure.ts";
import type { Counted, RequestCounts } from "#apiserver/request-counts.ts";
import type { ApiServer } from "#apiserver/server.ts";
import type { RequestInfo } from "#apiserver/stages/route.ts";
import { growingBuckets, requestBuckets, seriesMax, type Family, type Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import type { HttpBody, HttpResponse } from "#world/http.ts";

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
const labelNames = ["verb", "group", "version", "resource", "subresource", "scope", "component"] as const;
/** Upstream's ends of buckets, in bytes. */
const sizeBuckets = growingBuckets(1000, 10, 7);

/** Everything that is counted of requests that look the same: found once for each, not once for each family. */
interface Row {
  readonly labels: readonly string[];
  readonly dryRun: string;
  readonly codes: Map<number, { add(): void }>;
  readonly duration: { observe(value: number): void };
  readonly sli: { observe(value: number): void };
  readonly sizes: { observe(value: number): void } | undefined;
  /** Those that go on now. */
  open: number;
}

/** Counts what comes in from outside under upstream's names; labels come from what is served, never from the client. */
export function requestCounts(metrics: Metrics, clock: Clock, serves: ApiServer["serves"]): RequestCounts {
  const rows = new Rows(metrics);
  let reading = 0;
  let writing = 0;
  metrics.collect(() => [inflight(reading, writing), rows.longRunning()]);
  const rowOf = (info: Counted): Row =>
    info === undefined || info instanceof Failure
      ? rows.of(unknownLabels, "")
      : rows.of(labelsOf(info, serves), dryRunOf(info));
  return {
    began: ({ method }) => {
      if (isRead(method)) reading += 1;
      else writing += 1;
    },
    ended: ({ method }, info, response, startedMs, outsideMs) => {
      if (isRead(method)) reading -= 1;
      else writing -= 1;
      const row = rowOf(info);
      const { status } = response;
      rows.count(row, status);
      const isOpen = info === undefined || info instanceof Failure || isLong(info) || status === 101;
      if (isOpen) return "open" in response.body ? noted(response, opened(row)) : response;
      const elapsedMs = clock.monotonic() - startedMs;
      row.duration.observe(elapsedMs / 1000);
      row.sli.observe(Math.max(0, elapsedMs - outsideMs) / 1000);
      const { sizes } = row;
      if (sizes === undefined) return response;
      if ("open" in response.body) return noted(response, (bytes) => sizes.observe(bytes));
      sizes.observe(lengthOf(response.body));
      return response;
    },
    connected: (info) => opened(rowOf(info)),
  };
}

/** One more goes on; the call that notes its end. */
function opened(row: Row): () => void {
  let isOpen = true;
  row.open += 1;
  return () => {
    if (isOpen) row.open -= 1;
    isOpen = false;
  };
}

/** The answer, with `ended` called when its stream is over. */
function noted(response: HttpResponse, ended: (bytes: number) => void): HttpResponse {
  const { status, headers, body } = response;
  return "open" in body ? { status, headers, body: new CountedStream(body, ended) } : response;
}

function lengthOf(body: Exclude<HttpBody, { open: unknown }>): number {
  return body instanceof Uint8Array ? body.length : body.reduce((sum, part) => sum + part.length, 0);
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

function isLong({ verb, subresource }: RequestInfo): boolean {
  return verb === "watch" || connecting.has(subresource);
}

/** Upstream's word, where the client asked for it in the only way that is valid. */
function dryRunOf(info: RequestInfo): string {
  return info.query.size === 0 || isLong(info) || info.query.get("dryRun") !== "All" ? "" : "All";
}

class Rows {
  readonly #rows = new Map<string, Row>();
  readonly #total;
  readonly #duration;
  readonly #sli;
  readonly #sizes;
  readonly #terminations;

  constructor(metrics: Metrics) {
    const named = [...labelNames, "dry_run"];
    this.#total = metrics.counter(
      "apiserver_request_total",
      "Counter of apiserver requests for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.",
      [...named, "code"],
    );
    this.#duration = metrics.histogram(
      "apiserver_request_duration_seconds",
      "Response latency distribution in seconds by verb, dry run value, group, version, resource, subresource, scope and component.",
      named,
      requestBuckets,
    );
    this.#sli = metrics.histogram(
      "apiserver_request_sli_duration_seconds",
      "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds.",
      labelNames,
      requestBuckets,
    );
    this.#sizes = metrics.histogram(
      "apiserver_response_sizes",
      "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.",
      labelNames,
      sizeBuckets,
    );
    this.#terminations = metrics.counter(
      "apiserver_request_terminations_total",
      "Number of requests which apiserver terminated in self-defense.",
      [...labelNames, "code"],
    );
  }

  of(labels: readonly string[], dryRun: string): Row {
    const key = `${labels.join(" ")} ${dryRun}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (seriesMax <= this.#rows.size && labels !== otherLabels) return this.of(otherLabels, dryRun);
    const made: Row = {
      labels,
      dryRun,
      codes: new Map(),
      duration: this.#duration.series([...labels, dryRun]),
      sli: this.#sli.series(labels),
      // Upstream tells them of reads only.
      sizes: labels[0] === "GET" || labels[0] === "LIST" ? this.#sizes.series(labels) : undefined,
      open: 0,
    };
    this.#rows.set(key, made);
    return made;
  }

  count(row: Row, status: number): void {
    let code = row.codes.get(status);
    if (code === undefined) {
      code = this.#total.series([...row.labels, row.dryRun, String(status)]);
      row.codes.set(status, code);
    }
    code.add();
    if (status === 429 || status === 504) this.#terminations.add([...row.labels, String(status)]);
  }

  longRunning(): Family {
    const samples = [...this.#rows.values()].flatMap(({ labels, open }) =>
      open === 0
        ? []
        : [{ labels: Object.fromEntries(labelNames.map((name, at) => [name, labels[at] ?? ""])), value: open }],
    );
    const help =
      "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.";
    return { name: "apiserver_longrunning_requests", type: "gauge", help, samples };
  }
}

/** Of what comes beyond the bound of a family. */
const otherLabels: readonly string[] = labelNames.map(() => "other");
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
