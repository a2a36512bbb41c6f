import { setTimeout as sleep } from "node:timers/promises";
import type { Protocol } from "./api/orders.ts";
import { benchNamespace, Client, startBare, startCluster, startLone } from "./api/stage.ts";
import { storyFlags, tellStories } from "./api/stories.ts";
import * as running from "./cluster/running-cluster.ts";
import { inParallel } from "./cluster/connection.ts";
import { report } from "./report.ts";

/**
 * Many watches of an API server alone, without loops, or of a cluster by `--kubeconfig`: a change to a crowd and how long others
 * wait meanwhile; events a second over HTTP/2; the memory of an idle watch; informers on large objects. `--only` names stories.
 */
const flags = storyFlags("crowd,events,idle,informers", {
  watchers: "5000",
  connections: "50",
  seconds: "5",
  informers: "32",
  objects: "40",
});
const client = new Client();
const bare = await startBare(flags.folder);
const cluster = flags.kubeconfig === undefined ? await startLone(flags) : await startCluster(flags);
const { target, api, pid } = cluster;
const path = `/api/v1/namespaces/${benchNamespace}/configmaps`;
const bench = "api-watch";

async function revision(): Promise<string> {
  const { text } = await api.call("GET", `${path}?limit=1`);
  return (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

function configMap(name: string, bytes: number, serial: number): Record<string, unknown> {
  const data = { serial: String(serial), text: "x".repeat(bytes) };
  return { kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

/** From the request to the last watcher; the commit is part of it. Others' waiting is that of a GET every 5 ms. */
async function crowd(): Promise<void> {
  const watchers = Number(flags.watchers);
  await api.call("POST", path, configMap("crowd", 10_000, 0));
  const frame = `{"type":"MODIFIED","object":${JSON.stringify(configMap("crowd", 10_000, 0)).padEnd(10_400)}}\n`;
  const measure = async (change: (round: number) => Promise<unknown> | void): Promise<number> => {
    const all: number[] = [];
    for (let round = 1; round <= 9; round += 1) {
      const seen = client.change();
      const from = performance.timeOrigin + performance.now();
      await change(round);
      all.push((await seen).p99At - from);
      await sleep(100);
    }
    return medianOf(all);
  };
  const wanted = { protocol: "HTTP/1.1", watchers } as const;
  await client.watch({ ...wanted, target: bare.http1, path: "/watch" });
  const floor = await measure(() => bare.change(frame));
  await client.unwatch();
  const query = `watch=1&fieldSelector=metadata.name%3Dcrowd&resourceVersion=${await revision()}`;
  await client.watch({ ...wanted, target, path: `${path}?${query}` });
  const other = new Client();
  await other.probe({ target, path: `${path}/crowd?resourceVersion=0`, everyMs: 5, connections: 4 });
  const figure = await measure((round) => api.call("PUT", `${path}/crowd`, configMap("crowd", 10_000, round)));
  const probed = await other.endProbe();
  await other.close();
  await client.unwatch();
  const name = `one 10 KB change to ${watchers} watchers: p99`;
  report({ bench, figure: name, value: figure, unit: "ms", floor, target: 1.5 * floor });
  report({ bench, figure: `${name} of a GET meanwhile`, value: probed.p99Ms, unit: "ms", target: 50 });
}

/** Changes as fast as they are taken, each to a watch on every connection. */
async function events(): Promise<void> {
  const connections = Number(flags.connections);
  const names = Array.from({ length: 32 }, (_, i) => `event-${i}`);
  await inParallel(names.length, 16, (i) => api.call("POST", path, configMap(names[i]!, 500, 0)));
  const query = `watch=1&resourceVersion=${await revision()}`;
  await client.watch({ protocol: "HTTP/2", watchers: connections, connections, target, path: `${path}?${query}` });
  const started = performance.now();
  const until = started + Number(flags.seconds) * 1_000;
  let serial = 0;
  let changes = 0;
  await inParallel(names.length, names.length, async (i) => {
    while (performance.now() < until) {
      await api.call("PUT", `${path}/${names[i]!}`, configMap(names[i]!, 500, (serial += 1)));
      changes += 1;
    }
  });
  const deadline = performance.now() + 10_000;
  while ((await client.events()).least < changes && performance.now() < deadline) await sleep(10);
  const elapsedMs = performance.now() - started;
  const seen = (await client.events()).events;
  await client.unwatch();
  if (seen < changes * connections) throw new Error(`${seen} of ${changes * connections} events came`);
  const figure = `events a second over ${connections} HTTP/2 connections, ${changes} changes`;
  report({ bench, figure, value: (seen * 1_000) / elapsedMs, unit: "1/s", target: 30_000 });
}

/** What watches that have nothing to say cost a server that has served little before, in KB: memory that was used once is not told. */
async function kilobytesOf(protocol: Protocol, watchers: number, connections: number): Promise<number> {
  const fresh = await startLone(flags);
  try {
    const memory = async (): Promise<number> => {
      await sleep(1_000);
      // Twice: what is finalized by the first goes with the second.
      for (let i = 0; i < 2; i += 1) await fresh.collect();
      await sleep(1_000);
      return running.proportionalMegabytes(fresh.pid);
    };
    const order = { protocol, connections, target: fresh.target, path: `${path}?watch=1` };
    // The first ones bring code and caches with them.
    await client.watch({ ...order, watchers: 50, connections: 2 });
    await client.unwatch();
    const before = await memory();
    await client.watch({ ...order, watchers });
    const after = await memory();
    await client.unwatch();
    return (after - before) * 1_024;
  } finally {
    fresh.close();
  }
}

async function idle(): Promise<void> {
  const own = (await kilobytesOf("HTTP/1.1", 2_000, 0)) / 2_000;
  report({
    bench,
    figure: "memory of an idle watch on a TLS connection of its own",
    value: own,
    unit: "KB",
    target: 75,
  });
  const connections = 20;
  const few = await kilobytesOf("HTTP/2", connections, connections);
  const many = await kilobytesOf("HTTP/2", 4_000, connections);
  const further = (many - few) / (4_000 - connections);
  report({
    bench,
    figure: "memory of an idle watch as a further HTTP/2 stream",
    value: further,
    unit: "KB",
    target: 12,
  });
}

/** Each watch gets all objects of 1 MB as initial events. The floor streams as many bytes to as many connections. */
async function informers(): Promise<void> {
  const count = Number(flags.informers);
  const objects = Number(flags.objects);
  const namespace = "bench-informers";
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  await api.call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  await inParallel(objects, 4, (i) => api.call("POST", maps, configMap(`large-${i}`, 1_000_000, i)));
  const bytes = count * objects * 1_000_500;
  const memory = running.watchMemory(pid, 100);
  const initial = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
  const started = performance.now();
  await client.watch({ protocol: "HTTP/1.1", watchers: count, target, path: `${maps}?${initial}` });
  // Each of them all objects, and the bookmark that ends them: those that had theirs early get further bookmarks meanwhile.
  while ((await client.events()).least <= objects) await sleep(5);
  const elapsedMs = performance.now() - started;
  const most = memory.end();
  await client.unwatch();
  // As many streams of fewer bytes: the rate is the same sooner.
  const floorBytes = Math.min(objects, 20) * 1_000_500;
  const order = {
    target: bare.http1,
    protocol: "HTTP/1.1",
    width: count,
    countMax: count,
    durationMs: 600_000,
  } as const;
  const floorStarted = performance.now();
  await client.load({ ...order, shape: "get", path: `/list?bytes=${floorBytes}`, body: "", prefix: "" });
  const floor = (count * floorBytes) / 1_000 / (performance.now() - floorStarted);
  const figure = `${count} informers on ${objects} objects of 1 MB with sendInitialEvents`;
  report({ bench, figure, value: bytes / 1_000 / elapsedMs, unit: "MB/s", floor, target: 0.8 * floor });
  if (pid !== undefined)
    report({ bench, figure: `${figure}: memory`, value: most, unit: "MB", floor: memory.before, target: 1_000 });
}

try {
  await tellStories(flags.only, { crowd, events, idle, informers });
} finally {
  await client.close();
  cluster.close();
  bare.close();
}
