import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectTls } from "./api/http1.ts";
import { openLiveMemory, rested } from "./api/live-memory.ts";
import { pod } from "./api/objects.ts";
import { asAccount, benchNamespace, Client, startCluster, type Cluster } from "./api/stage.ts";
import { storyFlags, tellStories } from "./api/stories.ts";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";

/**
 * More than a server should be asked for, of a whole one with all its loops, in a cluster of its own for each story: connections
 * that never finish, a million requests, creates of 1 MiB at once, selectors without end, everybody listing at once. Each figure
 * stands beside the bound that it must keep; `--only` names stories.
 */
const flags = storyFlags("slow,requests,creates,selectors,lists", {
  connections: "5000",
  requests: "1000000",
  creates: "1000",
  selectors: "100000",
  lists: "160",
});
const bench = "overload";
const memory = openLiveMemory(flags.folder);
const pods = `/api/v1/namespaces/${benchNamespace}/pods`;
const maps = `/api/v1/namespaces/${benchNamespace}/configmaps`;
const secondMs = 1_000;

/** One cluster for one story; what others wait meanwhile and what the process holds at most are told of each. */
async function during(
  name: string,
  prepare: (cluster: Cluster, client: Client) => Promise<unknown>,
  work: (cluster: Cluster & { readonly pid: number }, client: Client) => Promise<void>,
  bounds: { readonly heldMegabytes: number; readonly othersMs: number },
): Promise<void> {
  const cluster = await startCluster({ folder: flags.folder });
  const client = new Client();
  const others = new Client();
  try {
    const pid = cluster.pid!;
    await prepare(cluster, client);
    await rested(pid, 3);
    const memory = running.watchMemory(pid, 200);
    const path = `/api/v1/namespaces/${benchNamespace}`;
    // Somebody else: who asks for too much waits for himself.
    const target = await asAccount(cluster.api, cluster.target, "other");
    await others.probe({ target, path, everyMs: 20, connections: 4 });
    const usedMs = running.processorMs(pid);
    await work({ ...cluster, pid }, client);
    const waited = await others.endProbe();
    const seconds = (running.processorMs(pid) - usedMs) / secondMs;
    report({ bench, figure: `${name}: processor time of the server`, value: seconds, unit: "s" });
    const beyond = memory.end() - memory.before;
    if (waited.failures > 0) throw new Error(`${waited.failures} of ${waited.count} requests of others failed`);
    report({ bench, figure: `${name}: p99 of others`, value: waited.p99Ms, unit: "ms", target: bounds.othersMs });
    const figure = `${name}: memory beyond before, at most`;
    report({ bench, figure, value: beyond, unit: "MB", floor: memory.before, target: bounds.heldMegabytes });
  } finally {
    await client.close();
    await others.close();
    cluster.close();
  }
}

const nothing = (): Promise<void> => Promise.resolve();

/** A third sends nothing, a third ends its handshake and sends a header now and then, a third a body that never ends. */
async function slow(): Promise<void> {
  const count = Number(flags.connections);
  const name = `${count} slow connections`;
  await during(
    name,
    nothing,
    async ({ target }) => {
      let open = 0;
      const sockets: net.Socket[] = [];
      const host = `host: ${target.serverName}\r\n`;
      const body = `POST ${maps} HTTP/1.1\r\n${host}content-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`;
      const begin = (at: number): Promise<void> =>
        new Promise((resolve) => {
          const isSilent = at % 3 === 0;
          const socket = isSilent ? net.connect(target.port, target.host) : connectTls(target);
          sockets.push(socket);
          open += 1;
          socket.on("close", () => (open -= 1));
          // Being cut off is what is waited for.
          socket.on("error", () => undefined);
          socket.once(isSilent ? "connect" : "secureConnect", () => {
            if (at % 3 === 1) socket.write(`GET /api HTTP/1.1\r\n${host}`);
            else if (at % 3 === 2) socket.write(body);
            resolve();
          });
        });
      for (let at = 0; at < count; at += 100)
        await Promise.all(Array.from({ length: Math.min(100, count - at) }, (_, i) => begin(at + i)));
      const from = performance.now();
      const opened = sockets.length;
      // Those that send a body have five minutes.
      const bodies = Math.floor(opened / 3);
      const trickle = setInterval(() => {
        for (const [at, socket] of sockets.entries()) if (at % 3 > 0 && socket.writable) socket.write("x");
      }, 5 * secondMs);
      const deadline = performance.now() + 150 * secondMs;
      while (bodies < open && performance.now() < deadline) await sleep(200);
      const goneMs = performance.now() - from;
      clearInterval(trickle);
      const left = open;
      for (const socket of sockets) socket.destroy();
      const figure = `${name}: still open then, those that send a body`;
      report({ bench, figure, value: left, unit: "", target: bodies });
      report({
        bench,
        figure: `${name}: until the others are cut off, from the last of them on`,
        value: goneMs / secondMs,
        unit: "s",
        target: 100,
      });
    },
    { heldMegabytes: 400, othersMs: 50 },
  );
}

/** Gets of a pod, and a tenth as many deletions of what is not there, each of another name. */
async function requests(): Promise<void> {
  const count = Number(flags.requests);
  const name = `${count} requests`;
  const width = 64;
  const order = { protocol: "HTTP/1.1", width, durationMs: 900 * secondMs, body: "", prefix: "none" } as const;
  await during(
    name,
    async ({ api, target }, client) => {
      await api.call("POST", pods, pod("p"));
      // What is made once and kept, code of the optimizing compiler included, is there before.
      await client.load({ ...order, target, shape: "get", path: `${pods}/p`, countMax: count / 20 });
      await client.load({ ...order, target, shape: "delete", path: pods, countMax: count / 100 });
    },
    async ({ target, pid }, client) => {
      const before = await memory.of(pid);
      const gets = await client.load({ ...order, target, shape: "get", path: `${pods}/p`, countMax: 0.9 * count });
      const path = maps;
      const gone = await client.load({ ...order, target, shape: "delete", path, countMax: 0.1 * count });
      if (gets.failures > 0 || gone.failures !== gone.count) throw new Error("Not every answer was the expected one");
      const after = await memory.of(pid);
      const figure = `${name}: what heap and buffers hold after a collection, growth`;
      report({ bench, figure, value: (100 * (after - before)) / before, unit: "%", target: 2 });
      report({
        bench,
        figure: `${name}: held after a collection`,
        value: after / 1e6,
        unit: "MB",
        floor: before / 1e6,
      });
    },
    { heldMegabytes: 150, othersMs: 50 },
  );
}

/** Each is answered, with 201 or with 429. */
async function creates(): Promise<void> {
  const count = Number(flags.creates);
  const name = `${count} parallel creates of 1 MiB`;
  const text = "x".repeat(1_048_000);
  const body = JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "NAME" }, data: { text } });
  await during(
    name,
    nothing,
    async ({ target, api }, client) => {
      const order = {
        target,
        protocol: "HTTP/1.1",
        width: count,
        countMax: count,
        durationMs: 300 * secondMs,
      } as const;
      const made = await client.load({ ...order, shape: "create", path: maps, body, prefix: "large-" });
      const { text: listed } = await api.call("GET", `${maps}?labelSelector=none%3Dat-all`);
      if (!listed.includes('"items":[]')) throw new Error("The server does not list what it was given");
      report({ bench, figure: `${name}: answered in`, value: (made.count * secondMs) / made.perSecond, unit: "ms" });
      report({ bench, figure: `${name}: refused for now (429)`, value: made.failures, unit: "" });
    },
    // All bodies at once, what is stored of them, and their way to the disk.
    { heldMegabytes: 4 * count, othersMs: 500 },
  );
}

/** A list for each, among 2,000 objects, so that there are indexes. */
async function selectors(): Promise<void> {
  const count = Number(flags.selectors);
  const name = `${count} distinct selectors`;
  const order = { protocol: "HTTP/1.1", width: 16, durationMs: 600 * secondMs } as const;
  const labels = { app: "SERIAL" };
  const body = JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "NAME", labels } });
  await during(
    name,
    ({ target }, client) =>
      client.load({ ...order, target, shape: "create", path: maps, body, prefix: "map-", countMax: 2_000 }),
    async ({ target, pid }, client) => {
      const path = `${maps}?labelSelector=app%3DSERIAL`;
      const further = `${maps}?labelSelector=key-SERIAL%3Da`;
      const get = { ...order, target, shape: "get", body: "", prefix: "" } as const;
      await client.load({ ...get, path, countMax: count / 20 });
      const before = await memory.of(pid);
      const values = await client.load({ ...get, path, countMax: count / 2 });
      const keys = await client.load({ ...get, path: further, countMax: count / 2 });
      if (values.failures + keys.failures > 0) throw new Error("A list failed");
      const after = await memory.of(pid);
      report({ bench, figure: `${name}: p99, each another value`, value: values.p99Ms, unit: "ms" });
      report({ bench, figure: `${name}: p99, each another key`, value: keys.p99Ms, unit: "ms" });
      const grown = (after - before) / 1e6;
      report({ bench, figure: `${name}: held after a collection, growth`, value: grown, unit: "MB", target: 10 });
    },
    { heldMegabytes: 200, othersMs: 50 },
  );
}

/** All informers of a large cluster list 100 MB at once, as after a restart. */
async function lists(): Promise<void> {
  const count = Number(flags.lists);
  const name = `${count} lists of 100 MB at once`;
  const text = "x".repeat(1_000_000);
  const body = JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "NAME" }, data: { text } });
  const order = { protocol: "HTTP/1.1", durationMs: 400 * secondMs } as const;
  await during(
    name,
    ({ target }, client) =>
      client.load({ ...order, target, width: 4, countMax: 100, shape: "create", path: maps, body, prefix: "large-" }),
    async ({ target }, client) => {
      const get = { ...order, target, shape: "get", path: maps, body: "", prefix: "" } as const;
      const listed = await client.load({ ...get, width: count, countMax: count });
      const seconds = listed.count / listed.perSecond;
      report({ bench, figure: `${name}: rate`, value: (listed.count * 100) / seconds, unit: "MB/s" });
      report({ bench, figure: `${name}: refused for now (429)`, value: listed.failures, unit: "" });
    },
    { heldMegabytes: 500, othersMs: 500 },
  );
}

try {
  await tellStories(flags.only, { slow, requests, creates, selectors, lists });
} finally {
  memory.close();
}
