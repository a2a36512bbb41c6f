/** What Debian's Prometheus does, configured as a cluster's history, with pages of pods that mean no good. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { renderHistoryConfig } from "#observability/history/config.ts";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-port.ts";

const skip = spawnSync("prometheus", ["--version"]).status === 0 ? false : "needs prometheus";
const folder = skip === false ? mkdtempSync(join(tmpdir(), "steer-hostile-")) : "";
let pods: Server;
let prometheus: ChildProcess | undefined;
let port = 0;

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => `${line(index)}\n`).join("");
const anHourMs = 3_600_000;

/** Pages by the pod's name (`endless` and `silent` are none), and whether the scrape counts. */
const pages: Readonly<Record<string, { readonly up: 0 | 1; readonly page: () => string }>> = {
  good: { up: 1, page: () => "fine_total 1\n" },
  garbage: { up: 0, page: () => "bad_metric 1\ngarbage{{{\n" },
  // For Prometheus a page ends with a zero byte.
  binary: { up: 1, page: () => "\u0000\u0001\u0002 bad_metric 1\n" },
  endless: { up: 0, page: () => "endless" },
  silent: { up: 0, page: () => "silent" },
  "too-many-series": { up: 0, page: () => lines(10_001, (index) => `bad_metric{n="${index}"} 1`) },
  "too-many-labels": {
    up: 0,
    page: () => `bad_metric{${Array.from({ length: 70 }, (_, index) => `l${index}="x"`).join(",")}} 1\n`,
  },
  "a-long-label": { up: 0, page: () => `bad_metric{l="${"x".repeat(1_001)}"} 1\n` },
  "a-long-name": { up: 0, page: () => `bad_metric{${"l".repeat(201)}="x"} 1\n` },
  "from-tomorrow": { up: 1, page: () => `fine_total 1 ${Date.now() + 24 * anHourMs}\n` },
  "from-yesterday": { up: 1, page: () => `fine_total 1 ${Date.now() - 24 * anHourMs}\n` },
  "no-numbers": { up: 1, page: () => "fine_total NaN\n" },
};

function answer(url: string, response: ServerResponse): void {
  const targets = /^\/metrics\/targets\/(\w+)$/.exec(url)?.[1];
  if (targets !== undefined) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(targets === "pod" ? groups() : []));
    return;
  }
  const page = pages[url.slice(1)]?.page() ?? "";
  if (page === "silent") return;
  if (page !== "endless") {
    response.end(page);
    return;
  }
  const line = `bad_metric{l="${"x".repeat(900)}"} 1\n`.repeat(100);
  const more = (): void => {
    while (!response.destroyed && response.write(line));
  };
  response.on("drain", more);
  more();
}

function groups(): object[] {
  return Object.keys(pages).map((name) => ({
    targets: [`127.0.0.1:${(pods.address() as { port: number }).port}`],
    labels: {
      __meta_kubernetes_namespace: "default",
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_phase: "Running",
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: "true",
      __meta_kubernetes_pod_annotation_prometheus_io_path: `/${name}`,
    },
  }));
}

before(async () => {
  if (skip !== false) return;
  pods = createServer((request, response) => answer(request.url ?? "", response));
  await new Promise<void>((resolve) => pods.listen(0, "127.0.0.1", resolve));
  port = freePort();
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "t");
  const server = `http://127.0.0.1:${(pods.address() as { port: number }).port}`;
  const config = renderHistoryConfig({ server, caFile: "", tokenFile, discovery: "http" })
    // No test waits for fifteen seconds twice.
    .replace("scrape_interval: 15s", "scrape_interval: 2s")
    .replace("scrape_timeout: 5s", "scrape_timeout: 2s");
  writeFileSync(join(folder, "prometheus.yml"), config);
  const flags = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  prometheus = spawn("prometheus", [...flags, `--web.listen-address=127.0.0.1:${port}`, "--log.level=error"], {
    stdio: "ignore",
  });
});

after(async () => {
  if (skip !== false) return;
  const ended = new Promise((resolve) => prometheus?.once("exit", resolve));
  prometheus?.kill("SIGKILL");
  await ended;
  pods.closeAllConnections();
  await new Promise((resolve) => pods.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function query(expression: string): Promise<readonly (readonly [pod: string, value: string])[]> {
  const search = new URLSearchParams({ query: expression }).toString();
  // While Prometheus starts nobody listens, and nothing is known.
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?${search}`).catch(() => undefined);
  if (response?.ok !== true) return [];
  const { data } = (await response.json()) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return data.result.map(({ metric, value }) => [metric["pod"] ?? "", value[1]] as const);
}

test("Prometheus' own checker accepts the configuration", { skip }, () => {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "config", `${folder}/prometheus.yml`], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout + stderr);
});

test("a scrape that exceeds a bound counts as failed, and the others go on", { skip }, async () => {
  const expected = Object.fromEntries(Object.entries(pages).map(([name, { up }]) => [name, String(up)]));
  let found: object = {};
  // On a busy machine a good one may be late once.
  await eventually("each counts as it should", async () => {
    found = Object.fromEntries(await query('up{job="pods"}'));
    return isDeepStrictEqual(found, expected);
  }).catch(() => assert.deepEqual(found, expected));
});

test("nothing of it is kept, and what is kept does not grow", { skip }, async () => {
  await eventually("the good one was scraped more than once", async () => {
    return Number((await query('count_over_time(up{pod="good"}[1m])'))[0]?.[1] ?? 0) > 2;
  });
  assert.deepEqual(await query("bad_metric"), []);
  const [[, kept] = ["", ""]] = await query('sum(scrape_series_added{job="pods"})');
  assert.ok(Number(kept) < 100, `${kept} new series in the last scrape`);
});

test("a pod's clock decides nothing: what it says was yesterday or will be tomorrow is of now", { skip }, async () => {
  const found = await eventually("both are there", async () => {
    const now = Object.fromEntries(await query("fine_total"));
    return "from-tomorrow" in now && "from-yesterday" in now && now;
  });
  assert.equal(found["from-tomorrow"], "1");
  assert.equal(found["from-yesterday"], "1");
});
