import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Protocol } from "./api/orders.ts";
import { benchNamespace, Client, startBare, startCluster } from "./api/stage.ts";
import * as running from "./cluster/running-cluster.ts";
import { inParallel } from "./cluster/connection.ts";
import { report } from "./report.ts";

/**
 * Many watches: a change to a crowd and how long others wait meanwhile; events a second over HTTP/2; the memory of an idle watch;
 * informers on large objects. `--only` names stories.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    kubeconfig: { type: "string" },
    only: { type: "string", default: "crowd,events,idle,informers" },
    watchers: { type: "string", default: "5000" },
    connections: { type: "string", default: "50" },
    seconds: { type: "string", default: "5" },
    informers: { type: "string", default: "32" },
    objects: { type: "string", default: "40" },
  },
});
const client = new Client();
const bare = await startBare(flags.folder);
const cluster = await startCluster(flags);
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
  while ((await client.events()) < changes * connections && performance.now() < deadline) await sleep(10);
  const elapsedMs = performance.now() - started;
  const seen = await client.events();
  await client.unwatch();
  if (seen < changes * connections) throw new Error(`${seen} of ${changes * connections} events came`);
  const figure = `events a second over ${connections} HTTP/2 connections, ${changes} changes`;
  report({ bench, figure, value: (seen * 1_000) / elapsedMs, unit: "1/s", target: 30_000 });
}

/** What one more idle watch costs the server, in KB, between few and many of them. */
async function idle(): Promise<void> {
  if (pid === undefined) return;
  const query = `watch=1&resourceVersion=${await revision()}`;
  const measure = async (protocol: Protocol, few: number, many: number, connections: number): Promise<number> => {
    const order = { protocol, connections, target, path: `${path}?${query}` };
    await client.watch({ ...order, watchers: few });
    await sleep(2_000);
    const before = running.proportionalMegabytes(pid);
    const second = new Client();
    await second.watch({ ...order, watchers: many });
    await sleep(3_000);
    const after = running.proportionalMegabytes(pid);
    await second.unwatch();
    await second.close();
    await client.unwatch();
    return ((after - before) * 1_024) / many;
  };
  const first = await measure("HTTP/1.1", 200, 2_000, 0);
  report({
    bench,
    figure: "memory of an idle watch on a TLS connection of its own",
    value: first,
    unit: "KB",
    target: 75,
  });
  await sleep(2_000);
  const second = await measure("HTTP/2", 200, 4_000, 8);
  report({
    bench,
    figure: "memory of an idle watch as a further HTTP/2 stream",
    value: second,
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
  const before = pid === undefined ? Number.NaN : running.proportionalMegabytes(pid);
  let most = before;
  const watch = setInterval(() => {
    if (pid !== undefined) most = Math.max(most, running.proportionalMegabytes(pid));
  }, 100);
  const initial = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
  const started = performance.now();
  await client.watch({ protocol: "HTTP/1.1", watchers: count, target, path: `${maps}?${initial}` });
  // All objects, and the bookmark that ends them.
  while ((await client.events()) < count * (objects + 1)) await sleep(5);
  const elapsedMs = performance.now() - started;
  clearInterval(watch);
  await client.unwatch();
  const floorStarted = performance.now();
  await inParallel(count, count, async () => {
    const one = new Client();
    await one.fetch({ target: bare.http1, path: `/list?bytes=${objects * 1_000_500}`, times: 1 });
    await one.close();
  });
  const floorMs = performance.now() - floorStarted;
  const rate = (ms: number): number => bytes / 1e6 / (ms / 1_000);
  const figure = `${count} informers on ${objects} objects of 1 MB with sendInitialEvents`;
  const floor = rate(floorMs);
  report({ bench, figure, value: rate(elapsedMs), unit: "MB/s", floor, target: 0.8 * floor });
  if (pid !== undefined)
    report({ bench, figure: `${figure}: memory`, value: most, unit: "MB", floor: before, target: 1_000 });
}

const stories: Readonly<Record<string, () => Promise<void>>> = { crowd, events, idle, informers };
try {
  for (const name of flags.only.split(",")) {
    const story = stories[name];
    if (story === undefined) throw new Error(`There is no story ${name}; there are ${Object.keys(stories).join(", ")}`);
    await story();
  }
} finally {
  await client.close();
  cluster.close();
  bare.close();
}
