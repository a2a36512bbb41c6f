import { fsyncSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LoadAnswer, Protocol, Shape } from "./api/orders.ts";
import {
  benchNamespace,
  Client,
  startBare,
  startCluster,
  startLone,
  withProcessorTime,
  type Bare,
} from "./api/stage.ts";
import { storyFlags, tellStories } from "./api/stories.ts";
import type { Target } from "./api/target.ts";
import { pod } from "./api/objects.ts";
import { inParallel } from "./cluster/connection.ts";
import { report } from "./report.ts";

/**
 * The API over HTTPS: a whole server with all its stages and loops (or that of `--kubeconfig`) in a process of its own, a bare Node
 * server in another, the client's thread in a third. `--only` names stories.
 */
const flags = storyFlags("create,get,update,pod-create,pod-get,pod-get-2,list,fan-out", {
  seconds: "5",
  width: "64",
  pods: "5000",
  watchers: "1000",
});
const durationMs = Number(flags.seconds) * 1_000;
const width = Number(flags.width);

const client = new Client();
const bare = await startBare(flags.folder);
const cluster = await startCluster(flags);

const configMap = JSON.stringify({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name: "NAME" },
  data: { serial: "SERIAL", text: "x".repeat(1_700) },
});
const inNamespace = `/api/v1/namespaces/${benchNamespace}`;

interface Story {
  readonly what: string;
  readonly shape: Shape;
  readonly protocol: Protocol;
  readonly path: string;
  readonly body: string;
  readonly floorPath: string;
  /** Requests a second that were promised; else this part of the floor. */
  readonly target: number | { readonly part: number };
  /** A bare server that works in another way: its figure is told beside, and judges nothing. */
  readonly beside?: { readonly what: string; readonly path: string };
}

/** The bare server, asked with the same headers: over HTTP/2 a token of 900 characters is unpacked for each request. */
function floorOf(bareServer: Bare, protocol: Protocol): Target {
  const { token } = cluster.target;
  return { ...(protocol === "HTTP/1.1" ? bareServer.http1 : bareServer.http2), ...(token !== undefined && { token }) };
}

/** A story and its floor take so many turns: the machine's speed changes by half within seconds. */
const turns = 5;

interface Side {
  readonly target: Target;
  readonly path: string;
  readonly pid: number | undefined;
}

interface Measured {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly microsecondsEach: number | undefined;
}

/** Medians of all turns; processor time of all requests together. */
function medianOfTurns(answers: readonly (LoadAnswer & { readonly microsecondsEach: number | undefined })[]): Measured {
  const count = answers.reduce((sum, each) => sum + each.count, 0);
  const microseconds = answers.reduce((sum, each) => sum + (each.microsecondsEach ?? Number.NaN) * each.count, 0);
  return {
    perSecond: medianOf(answers.map((each) => each.perSecond)),
    p99Ms: medianOf(answers.map((each) => each.p99Ms)),
    microsecondsEach: Number.isNaN(microseconds) ? undefined : microseconds / count,
  };
}

async function tell(story: Story): Promise<void> {
  const { shape, protocol, body, what, beside } = story;
  const bareTarget = floorOf(bare, protocol);
  const sides: Side[] = [
    { target: bareTarget, path: story.floorPath, pid: bare.pid },
    { target: cluster.target, path: story.path, pid: cluster.pid },
    ...(beside === undefined ? [] : [{ target: bareTarget, path: beside.path, pid: bare.pid }]),
  ];
  const answers: (LoadAnswer & { readonly microsecondsEach: number | undefined })[][] = sides.map(() => []);
  for (let turn = 0; turn <= turns; turn += 1) {
    for (const [at, { target, path, pid }] of sides.entries()) {
      const prefix = `o${Date.now().toString(36)}-`;
      const order = { target, protocol, width, shape, path, body, prefix, durationMs: durationMs / turns };
      const answer = await withProcessorTime(pid, () => client.load(order));
      if (answer.failures > 0) throw new Error(`${answer.failures} of ${answer.count} failed: ${what}`);
      // The first is for the compiler.
      if (turn > 0) answers[at]!.push(answer);
    }
  }
  const [floor, figure, other] = answers.map(medianOfTurns);
  if (floor === undefined || figure === undefined) throw new Error("a story has a floor and a figure");
  const target = typeof story.target === "number" ? story.target : story.target.part * floor.perSecond;
  const name = `${what}, ${width} in flight, ${protocol}`;
  report({ bench: "api", figure: name, value: figure.perSecond, unit: "1/s", floor: floor.perSecond, target });
  report({ bench: "api", figure: `${name}: p99`, value: figure.p99Ms, unit: "ms", floor: floor.p99Ms });
  if (beside !== undefined && other !== undefined)
    report({ bench: "api", figure: `${name}: ${beside.what}`, value: other.perSecond, unit: "1/s" });
  if (figure.microsecondsEach === undefined) return;
  report({
    bench: "api",
    figure: `${name}: processor time each`,
    value: figure.microsecondsEach,
    unit: "µs",
    ...(floor.microsecondsEach !== undefined && { floor: floor.microsecondsEach }),
  });
}

/** A bare answer of as many bytes as ours. */
async function floorOfGet(path: string): Promise<string> {
  const { text } = await cluster.api.call("GET", path);
  return `/get?bytes=${Buffer.byteLength(text)}`;
}

const configMapsPath = `${inNamespace}/configmaps`;
const podsPath = `${inNamespace}/pods`;

/** Objects of 2 KB; the floor of writes reads the body and answers as many bytes, stores nothing, syncs nothing. */
async function small(shape: Shape): Promise<void> {
  const make = (name: string): Promise<unknown> =>
    cluster.api.send("POST", configMapsPath, JSON.parse(configMap.replace("NAME", name)));
  const common = { shape, what: `${shape} of 2 KB`, protocol: "HTTP/1.1", body: configMap } as const;
  if (shape === "get") {
    await make("get");
    const path = `${configMapsPath}/get`;
    await tell({ ...common, path, floorPath: await floorOfGet(path), target: { part: 0.6 } });
    return;
  }
  if (shape === "update") await inParallel(width, 16, (i) => make(`u${i}`));
  await tell({ ...common, path: configMapsPath, floorPath: "/plain", target: 3_000 });
}

/** Pods of 3.5 KB; the floor parses, encodes and syncs in groups; beside it one that syncs each pod by itself. */
async function createPods(): Promise<void> {
  const body = JSON.stringify(pod("NAME"));
  const what = "create of a 3.5 KB pod";
  const story = { what, shape: "create", path: podsPath, body, floorPath: "/durable", protocol: "HTTP/1.1" } as const;
  const beside = { what: "a bare server that syncs each by itself", path: "/durable/each" };
  await tell({ ...story, target: { part: 0.65 }, beside });
}

/** What a creation costs: servers that do ever more for the same pod, over the same 64 connections. */
async function podParts(): Promise<void> {
  const body = JSON.stringify(pod("NAME"));
  const lone = await startLone(flags);
  try {
    const parts = [
      { does: "is read and answered with 5.3 KB", of: { ...bare, target: bare.http1 }, path: "/plain?bytes=5300" },
      { does: "is parsed, encoded and synced in groups", of: { ...bare, target: bare.http1 }, path: "/durable" },
      { does: "is created by an API server alone", of: lone, path: podsPath },
      { does: "is created by a whole server", of: cluster, path: podsPath },
    ];
    for (const { does, of, path } of parts) {
      const order = { target: of.target, protocol: "HTTP/1.1", width, shape: "create", path, body } as const;
      const prefix = `q${Date.now().toString(36)}-`;
      await client.load({ ...order, prefix: `${prefix}warm-`, durationMs });
      const used = await withProcessorTime(of.pid, () => client.load({ ...order, prefix, durationMs }));
      if (used.failures > 0) throw new Error(`${used.failures} of ${used.count} failed: a pod ${does}`);
      const say = (what: string, value: number | undefined, unit: string): void =>
        report({ bench: "api", figure: `a pod ${does}: ${what}`, value: value ?? Number.NaN, unit });
      say("requests", used.perSecond, "1/s");
      say("processor time each", used.microsecondsEach, "µs");
      say("of it the first thread", used.firstThreadMicrosecondsEach, "µs");
    }
  } finally {
    lone.close();
  }
}

async function getPod(protocol: Protocol): Promise<void> {
  await cluster.api.send("POST", podsPath, pod("get"));
  const path = `${podsPath}/get`;
  const one = { shape: "get", path, body: "", floorPath: await floorOfGet(path) } as const;
  await tell({ ...one, what: "get of a 3.5 KB pod", protocol, target: { part: 0.6 } });
}

async function list(): Promise<void> {
  const namespace = "bench-list";
  await cluster.api.send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  const path = `/api/v1/namespaces/${namespace}/pods`;
  await inParallel(Number(flags.pods), 64, (i) => cluster.api.send("POST", path, pod(`pod-${i}`)));
  const { medianMs, bytes } = await client.fetch({ target: cluster.target, path, times: 7 });
  const bareList = await client.fetch({ target: bare.http1, path: `/list?bytes=${bytes}`, times: 7 });
  const figure = `list of ${flags.pods} pods, ${Math.round(bytes / 1_000_000)} MB`;
  report({ bench: "api", figure, value: medianMs, unit: "ms", floor: bareList.medianMs, target: 150 });
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

/** From the request that changes an object to the moment the last watcher has the change: the commit is part of it. */
async function fanOut(): Promise<void> {
  const watchers = Number(flags.watchers);
  const path = `${inNamespace}/configmaps`;
  await cluster.api.send("POST", path, JSON.parse(configMap.replace("NAME", "watched")));
  const frame = `{"type":"MODIFIED","object":${configMap.padEnd(2_200)}}\n`;
  const measure = async (change: (round: number) => Promise<unknown> | void): Promise<number> => {
    const all: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      const seen = client.change();
      const from = performance.timeOrigin + performance.now();
      await change(round);
      all.push((await seen).lastAt - from);
    }
    return medianOf(all);
  };
  const wanted = { protocol: "HTTP/1.1", watchers } as const;
  await client.watch({ ...wanted, target: bare.http1, path: "/watch" });
  const floor = await measure(() => bare.change(frame));
  await client.unwatch();
  const { text } = await cluster.api.call("GET", `${path}?limit=1`);
  const { resourceVersion } = (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata;
  const watch = `${path}?watch=1&fieldSelector=metadata.name%3Dwatched&resourceVersion=${resourceVersion}`;
  await client.watch({ ...wanted, target: cluster.target, path: watch });
  const write = (round: number): Promise<unknown> => {
    const body = configMap.replace("NAME", "watched").replace("SERIAL", `change-${round}-${Date.now()}`);
    return cluster.api.call("PUT", `${path}/watched`, JSON.parse(body));
  };
  const figure = await measure(write);
  await client.unwatch();
  const target = 1.5 * floor;
  report({ bench: "api", figure: `one change to ${watchers} watchers`, value: figure, unit: "ms", floor, target });
}

function bareSync(): void {
  const folder = mkdtempSync(join(flags.folder, "bench-sync-"));
  const file = openSync(join(folder, "sync"), "w");
  const start = performance.now();
  for (let i = 0; i < 100; i++) fsyncSync(file);
  report({ bench: "api", figure: "bare fsync", value: (performance.now() - start) / 100, unit: "ms" });
  rmSync(folder, { recursive: true });
}

const stories = {
  create: () => small("create"),
  get: () => small("get"),
  update: () => small("update"),
  "pod-create": createPods,
  "pod-parts": podParts,
  "pod-get": () => getPod("HTTP/1.1"),
  "pod-get-2": () => getPod("HTTP/2"),
  list,
  "fan-out": fanOut,
};
try {
  bareSync();
  await tellStories(flags.only, stories);
} finally {
  await client.close();
  cluster.close();
  bare.close();
}
