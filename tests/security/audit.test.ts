/** What was done is written down, whatever is killed: entries of writes lie in their transactions, those of reads come first. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { AuditLogFile } from "#apiserver/audit/log-file.ts";
import { defaultPolicy, readPolicy, type AuditPolicy } from "#apiserver/audit/policy.ts";
import { auditSinks, recoverEntries } from "#apiserver/audit/sinks.ts";
import { AuditWebhook } from "#apiserver/audit/webhook.ts";
import { readKubeconfig } from "#apiserver/configuration/kubeconfig.ts";
import { Remote } from "#apiserver/remote/remote.ts";
import { openOutward } from "#cluster/node-connector.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import type { Store } from "#store/store.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { realDisk } from "../../src/world/node/disk.ts";
import { nodeHttp } from "../../src/world/node/http.ts";
import { send, startInProcess, startOverHttps } from "../api/harness.ts";
import { kubeconfigFor, startOutside } from "./outside.ts";
import { eventually } from "../eventually.ts";

const timers = realTimers({ keepAlive: true });
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "steer-audit-"));
  folders.push(folder);
  return folder;
}

function openStore(folder: string): Promise<Store> {
  const failed = (error: Error): never => assert.fail(String(error));
  return openSqliteStore({ path: join(folder, "store.db"), clock: realClock, timers, failed });
}

function logIn(folder: string): AuditLogFile {
  return new AuditLogFile({ disk: realDisk, clock: realClock, timers, folder, log: () => undefined });
}

interface Entry {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: string;
  readonly responseStatus?: { readonly code: number };
  readonly annotations: Readonly<Record<string, string>>;
}

function entriesIn(folder: string): Entry[] {
  const lines = readFileSync(join(folder, "audit.log"), "utf8").split("\n");
  return lines.flatMap((line) => (line.endsWith("}") ? [JSON.parse(line) as Entry] : []));
}

function everything(level: string): AuditPolicy {
  const read = readPolicy({ kind: "Policy", apiVersion: "audit.k8s.io/v1", rules: [{ level }] });
  if (typeof read === "string") assert.fail(read);
  return read;
}

const maps = "/api/v1/namespaces/default/configmaps";
const map = (name: string): object => ({ metadata: { name }, data: { a: "b" } });

test("a server is killed in the middle: each write that was acknowledged has its entry, once", async () => {
  const folder = freshFolder();
  const child = spawn(process.execPath, [join(import.meta.dirname, "audit-child.ts"), folder, "4000"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.split("\n").length > 200 && existsSync(join(folder, "audit.log"))) child.kill("SIGKILL");
  });
  await new Promise((resolve) => child.on("close", resolve));
  const acknowledged = said.split("\n").flatMap((line) => /^201 (\S+)$/.exec(line)?.[1] ?? []);
  assert.ok(acknowledged.length >= 200);
  // As if the power had gone too: what was not synced is lost, and the last line is torn.
  const path = join(folder, "audit.log");
  truncateSync(path, Math.floor(statSync(path).size / 2));

  const store = await openStore(folder);
  const log = logIn(folder);
  assert.ok((await recoverEntries(store, log)) > 0);
  await log.close();
  const ids = entriesIn(folder).map(({ auditID }) => auditID);
  for (const id of acknowledged) assert.equal(ids.filter((each) => each === id).length, 1, id);
  // Again is no harm: nothing is written twice.
  assert.equal(await recoverEntries(store, logIn(folder)), 0);
  await store.close();
});

test("the log was taken away: the entries of the last writes come back from the store", async () => {
  const folder = freshFolder();
  const store = await openStore(folder);
  const first = logIn(folder);
  const server = await startInProcess({ store, audit: { policy: defaultPolicy, sinks: auditSinks(first, undefined) } });
  await send(server, "POST", maps, map("a"), { "steersman-actor": "loop/one", "steersman-because": "it%20lacked" });
  await send(server, "DELETE", `${maps}/a`);
  await first.close();
  const before = entriesIn(folder);
  rmSync(join(folder, "audit.log"));
  const second = logIn(folder);
  assert.equal(await recoverEntries(store, second), 2);
  await second.close();
  assert.deepEqual(entriesIn(folder), before);
  assert.equal(before[0]?.annotations["steersman.dev/because"], "it lacked");
  assert.match(before[0]?.annotations["steersman.dev/revision"] ?? "", /^\d{13}$/);
  await server.close();
});

test("the records of an object do not show its audit entries to whoever may read the object", async () => {
  const folder = freshFolder();
  const sinks = auditSinks(logIn(folder), undefined);
  const server = await startInProcess({ audit: { policy: everything("Metadata"), sinks } });
  await send(server, "POST", maps, map("a"));
  const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  await send(server, "POST", leases, { metadata: { name: "l" }, spec: {} });
  const records = async (subject: string): Promise<Record<string, unknown>[]> => {
    const { body } = await send(server, "GET", `/apis/steersman.dev/v1/records?subject=${subject}`);
    return body["items"] as Record<string, unknown>[];
  };
  const [record] = await records("/configmaps/default/a");
  assert.equal(record?.["verb"], "create");
  assert.equal(record?.["audit"], undefined);
  assert.deepEqual(await records("coordination.k8s.io/leases/default/l"), []);
  await server.close();
});

test("a read, and a write that was refused, are answered after their entries are written", async () => {
  let release = (): void => undefined;
  const written: string[] = [];
  const write = (line: string): Promise<void> => {
    written.push((JSON.parse(line) as Entry).verb);
    return new Promise((resolve) => (release = resolve));
  };
  const sinks = { note: () => undefined, write };
  const server = await startInProcess({ audit: { policy: everything("Metadata"), sinks } });
  for (const [method, path, verb] of [
    ["GET", maps, "list"],
    ["GET", `${maps}?watch=true`, "watch"],
    ["PUT", `${maps}/none`, "update"],
  ] as const) {
    let isAnswered = false;
    const answer = server.transport
      .send({ method, target: path, headers: {}, body: new Uint8Array(0) })
      .then(({ body }) => {
        isAnswered = true;
        if ("open" in body) body.close();
      });
    while (written.at(-1) !== verb) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isAnswered, false, `${verb} was answered before its entry was safe`);
    release();
    await answer;
  }
  await server.close();
});

test("a write is not held up by its log: its entry is in its transaction", async () => {
  const sinks = { note: () => undefined, write: () => new Promise<void>(() => undefined) };
  const server = await startInProcess({ audit: { policy: defaultPolicy, sinks } });
  assert.equal((await send(server, "POST", maps, map("a"))).status, 201);
  await server.close();
});

test("a body that is too large leaves an entry, although no stage ever sees it", async () => {
  const entries: Entry[] = [];
  const take = (line: string): void => void entries.push(JSON.parse(line) as Entry);
  const sinks = { note: take, write: (line: string) => (take(line), undefined) };
  const server = await startOverHttps({ audit: { policy: everything("Metadata"), sinks } });
  const body = Buffer.alloc(4 * 1024 * 1024, 0x20);
  await server.transport
    .send({ method: "POST", target: maps, headers: { "content-type": "application/json" }, body })
    // The connection goes before all of it is sent.
    .catch(() => undefined);
  while (!entries.some(({ responseStatus }) => responseStatus?.code === 413))
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(entries.at(-1)?.verb, "create");
  await server.close();
});

test("a watch, and a request whose client goes away, leave their entries", async () => {
  const entries: Entry[] = [];
  const take = (line: string): undefined => void entries.push(JSON.parse(line) as Entry);
  const server = await startOverHttps({
    audit: { policy: everything("Metadata"), sinks: { note: take, write: take } },
  });
  const until = async (verb: string, stage: string): Promise<void> => {
    while (!entries.some((entry) => entry.verb === verb && entry.stage === stage))
      await new Promise((resolve) => setImmediate(resolve));
  };
  const abort = new AbortController();
  const opened = await server.transport.send({
    method: "GET",
    target: `${maps}?watch=true`,
    headers: {},
    body: new Uint8Array(0),
    signal: abort.signal,
  });
  await until("watch", "ResponseStarted");
  if ("open" in opened.body) opened.body.close();
  await until("watch", "ResponseComplete");
  const gone = new AbortController();
  const body = Buffer.from(JSON.stringify(map("abandoned")));
  const sent = server.transport.send({
    method: "POST",
    target: maps,
    headers: { "content-type": "application/json" },
    body,
    signal: gone.signal,
  });
  await until("create", "RequestReceived");
  gone.abort();
  // The client left: how its request ends is not what is judged.
  await sent.catch(() => undefined);
  await until("create", "ResponseComplete");
  await server.close();
});

test("a log that cannot be written is told of and counted, and nothing waits for it", async () => {
  const folder = freshFolder();
  writeFileSync(join(folder, "file"), "");
  const told: string[] = [];
  const log = new AuditLogFile({
    disk: realDisk,
    clock: realClock,
    timers,
    folder: join(folder, "file"),
    log: (message) => told.push(message),
  });
  await log.write("{}");
  assert.equal(log.lost, 1);
  assert.deepEqual(told, ["audit entries were lost"]);
});

test("a torn line is ended before the next entry", async () => {
  const folder = freshFolder();
  const log = logIn(folder);
  await log.write('{"auditID":"1"}');
  appendFileSync(join(folder, "audit.log"), '{"auditID":');
  assert.deepEqual(await logIn(folder).tail(), ['{"auditID":"1"}']);
  await log.write('{"auditID":"2"}');
  assert.deepEqual(
    entriesIn(folder).map(({ auditID }) => auditID),
    ["1", "2"],
  );
  await log.close();
  assert.equal(statSync(join(folder, "audit.log")).mode & 0o777, 0o600);
});

test("the webhook gets entries in groups, in order, again after a failure; what it never takes is counted", async () => {
  let status = 200;
  const outside = await startOutside(() => ({ status }));
  const endpoint = readKubeconfig(kubeconfigFor(outside, "/audit", { token: "t" }), () => undefined);
  assert.ok(endpoint.ok);
  const outward = openOutward({ http: nodeHttp, dialAllow: ["127.0.0.0/8"] });
  const remote = new Remote({ dial: async (destination, request) => await outward(destination).send(request), timers });
  const webhook = new AuditWebhook(endpoint.value, { remote, timers, log: () => undefined });
  const numbers = (): number[] =>
    outside.seen.flatMap(({ body }) => (JSON.parse(body) as { items: { n: number }[] }).items.map(({ n }) => n));
  for (let n = 0; n < 1_000; n += 1) webhook.note(JSON.stringify({ n }));
  await webhook.close();
  assert.deepEqual(
    numbers(),
    Array.from({ length: 1_000 }, (_, n) => n),
  );
  assert.ok(outside.seen.length < 10);
  assert.equal(outside.seen[0]?.headers["authorization"], "Bearer t");

  const second = new AuditWebhook(endpoint.value, { remote, timers, log: () => undefined });
  status = 503;
  const refusedFrom = outside.seen.length;
  for (let n = 0; n < 400; n += 1) second.note(JSON.stringify({ n }));
  await eventually("it is tried again", () => outside.seen.length >= refusedFrom + 2);
  status = 200;
  await second.close();
  assert.equal(second.lost, 0);

  status = 400;
  const third = new AuditWebhook(endpoint.value, { remote, timers, log: () => undefined });
  for (let n = 0; n < 10; n += 1) third.note(JSON.stringify({ n }));
  await third.close();
  assert.equal(third.lost, 10);
  await outside.close();
});

test("a webhook that hangs costs no memory beyond its bound", async () => {
  const impatient = realTimers({ keepAlive: false });
  const remote = new Remote({ dial: () => new Promise(() => undefined), timers: impatient });
  const endpoint = { destination: { scheme: "https", host: "x", port: 1 }, path: "/", url: "https://x/" } as const;
  const webhook = new AuditWebhook(endpoint, { remote, timers: impatient, log: () => undefined });
  for (let n = 0; n < 30_000; n += 1) webhook.note("{}");
  assert.ok(webhook.lost >= 19_000, `${webhook.lost} lost`);
});
