import { fsyncSync, mkdtempSync, openSync, rmSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { kinds } from "#api/kinds.ts";
import { createApiServer } from "#apiserver/server.ts";
import type { Transport } from "#world/http.ts";
import { openSqliteStore } from "../src/store/sqlite/sqlite-store.ts";
import { realClock, realTimers } from "../src/world/node/clock.ts";
import { createCertificates } from "../src/world/node/certificates.ts";
import { createCrypto } from "../src/world/node/crypto.ts";
import { nodeHttp } from "../src/world/node/http.ts";
import { realRandom } from "../src/world/node/random.ts";
import type { Order } from "./api/client.ts";
import { report } from "./report.ts";

/**
 * The API server over HTTPS with a durable store, beside a bare Node server in the same run: creates, gets and updates of a
 * 2 KB object over 64 connections, a list of 5,000 pods, one change to 1,000 watchers.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    seconds: { type: "string", default: "3" },
    pods: { type: "string", default: "5000" },
    watchers: { type: "string", default: "1000" },
  },
});
const durationMs = Number(flags.seconds) * 1_000;
const connections = 64;
const folder = mkdtempSync(join(flags.folder, "bench-api-"));

const certificates = createCertificates();
const { privateKey, publicKey } = createCrypto().generateKey();
const identity = {
  key: privateKey,
  certificate: await certificates.issue(
    {
      subject: { commonName: "bench" },
      publicKey,
      dnsNames: ["localhost"],
      addresses: ["127.0.0.1"],
      usages: ["server", "ca"],
      notBefore: Date.now() - 60_000,
      notAfter: Date.now() + 3_600_000,
    },
    { selfSignedWith: privateKey },
  ),
};
const worker = new Worker(join(import.meta.dirname, "api/client.ts"), { workerData: { ca: identity.certificate } });

interface Answer {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly failures: number;
  readonly medianMs: number;
  readonly bytes: number;
  readonly lastAt: number;
}

function answer(): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.once("message", (message: Answer & { error?: string }) => {
      if (message.error !== undefined) reject(new Error(message.error));
      else resolve(message);
    });
  });
}

function ask(order: Order): Promise<Answer> {
  const answered = answer();
  worker.postMessage(order);
  return answered;
}

const timers = realTimers({ keepAlive: true });
const store = await openSqliteStore({
  path: join(folder, "store.db"),
  clock: realClock,
  timers,
  failed: (error) => {
    throw error;
  },
});
const user = { name: "bench", uid: "", groups: ["system:authenticated"], extra: {} };
const api = createApiServer({
  kinds,
  store,
  clock: realClock,
  timers,
  random: realRandom,
  authenticator: { authenticate: () => ({ ok: true, user }), checkToken: () => ({ ok: true, user }) },
  authorizer: {
    authorize: () => ({ allowed: true, reason: "" }),
    rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
  },
  admission: [],
  version: { major: "1", minor: "36", gitVersion: "v1.36.0" },
});
const server = await nodeHttp.listen(
  { host: "127.0.0.1", port: 0, tls: { ...identity, clientCa: identity.certificate }, bodyBytesMax: 4_000_000 },
  api.handler,
);
const inside: Transport = api.transportFor(user);

async function post(target: string, object: unknown): Promise<void> {
  const body = new TextEncoder().encode(JSON.stringify(object));
  const response = await inside.send({ method: "POST", target, headers: { "content-type": "application/json" }, body });
  if (response.status !== 201) throw new Error(`${target}: ${response.status}`);
}

const configMap = JSON.stringify({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name: "NAME" },
  data: { serial: "SERIAL", text: "x".repeat(1_700) },
});
const configMaps = "/api/v1/namespaces/default/configmaps";

/** The floor: reads the body where there is one, answers 2 KB. Nothing is stored, nothing synced. */
const answerBytes = Buffer.from(configMap.padEnd(2_048));
const watching = new Set<import("node:http").ServerResponse>();
const bare = https.createServer({ cert: identity.certificate, key: identity.key }, (request, response) => {
  if (request.url === "/watch") {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    watching.add(response);
    return;
  }
  const send = (): void => {
    response.writeHead(200, { "content-type": "application/json", "content-length": answerBytes.length });
    response.end(answerBytes);
  };
  if (request.method === "GET") send();
  else {
    request.resume();
    request.on("end", send);
  }
});
await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
const barePort = (bare.address() as { port: number }).port;

async function loads(): Promise<void> {
  await post("/api/v1/namespaces", { metadata: { name: "default" } });
  await post(configMaps, JSON.parse(configMap.replace("NAME", "get")));
  for (let i = 0; i < connections; i++) await post(configMaps, JSON.parse(configMap.replace("NAME", `u${i}`)));
  const at = { type: "load", connections, durationMs, body: configMap } as const;
  const warm = { ...at, durationMs: 1_000 };
  for (const shape of ["get", "create", "update"] as const) {
    const path = shape === "get" ? `${configMaps}/get` : configMaps;
    await ask({ ...warm, port: barePort, shape, path: shape === "get" ? "/get" : "/" });
    const floor = await ask({ ...at, port: barePort, shape, path: shape === "get" ? "/get" : "/" });
    await ask({ ...warm, port: server.port, shape, path });
    const figure = await ask({ ...at, port: server.port, shape, path });
    if (figure.failures > 0) throw new Error(`${figure.failures} of ${shape} failed`);
    // The floor is a bare Node HTTPS server that answers as many bytes and stores nothing.
    const target = shape === "get" ? 0.6 * floor.perSecond : 3_000;
    report({
      bench: "api",
      figure: `${shape} of 2 KB, 64 connections`,
      value: figure.perSecond,
      unit: "1/s",
      floor: floor.perSecond,
      target,
    });
    report({ bench: "api", figure: `${shape}, p99`, value: figure.p99Ms, unit: "ms", floor: floor.p99Ms });
  }
}

function pod(name: string): Record<string, unknown> {
  const env = Array.from({ length: 20 }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: `value-${index}`.padEnd(40, "x"),
  }));
  const containers = [
    { name: "main", image: "registry.example/app:1", env, resources: { requests: { cpu: "100m", memory: "64Mi" } } },
  ];
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, labels: { app: "web", tier: "front" } },
    spec: { containers },
  };
}

async function list(): Promise<void> {
  const count = Number(flags.pods);
  let batch: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    batch.push(post("/api/v1/namespaces/default/pods", pod(`pod-${i}`)));
    if (batch.length === 500 || i === count - 1) {
      await Promise.all(batch);
      batch = [];
    }
  }
  const { medianMs, bytes } = await ask({ type: "fetch", port: server.port, path: "/api/v1/pods", times: 7 });
  report({
    bench: "api",
    figure: `list of ${count} pods, ${Math.round(bytes / 1_000_000)} MB`,
    value: medianMs,
    unit: "ms",
    target: 150,
  });
}

async function median(times: number, once: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await once());
  return all.sort((left, right) => left - right)[times >> 1]!;
}

/** From the request that changes an object to the moment the last watcher has the change. */
async function fanOut(): Promise<void> {
  const watchers = Number(flags.watchers);
  await ask({ type: "watch", port: barePort, path: "/watch", watchers });
  const frame = Buffer.from(`{"type":"MODIFIED","object":${JSON.stringify(JSON.parse(configMap)).padEnd(2_048)}}\n`);
  const floor = await median(15, async () => {
    const done = answer();
    const from = performance.timeOrigin + performance.now();
    for (const response of watching) response.write(frame);
    return (await done).lastAt - from;
  });
  worker.postMessage({ type: "unwatch" });

  const path = `${configMaps}?watch=1&fieldSelector=metadata.name%3Dget&resourceVersion=${store.visible}`;
  await ask({ type: "watch", port: server.port, path, watchers });
  let serial = 0;
  const figure = await median(15, async () => {
    const done = answer();
    serial += 1;
    const body = new TextEncoder().encode(configMap.replace("NAME", "get").replace("SERIAL", `change-${serial}`));
    // From the request to the last watcher: the commit to disk is part of it, the floor has none.
    const from = performance.timeOrigin + performance.now();
    await inside.send({
      method: "PUT",
      target: `${configMaps}/get`,
      headers: { "content-type": "application/json" },
      body,
    });
    return (await done).lastAt - from;
  });
  worker.postMessage({ type: "unwatch" });
  report({
    bench: "api",
    figure: `one change to ${watchers} watchers`,
    value: figure,
    unit: "ms",
    floor,
    target: 1.5 * floor,
  });
}

const file = openSync(join(folder, "sync"), "w");
const syncStart = performance.now();
for (let i = 0; i < 100; i++) fsyncSync(file);
report({ bench: "api", figure: "bare fsync", value: (performance.now() - syncStart) / 100, unit: "ms" });
await loads();
await list();
await fanOut();
await server.close(0);
bare.close();
bare.closeAllConnections();
api.close();
await store.close();
await worker.terminate();
rmSync(folder, { recursive: true });
