import assert from "node:assert/strict";
import { test } from "node:test";
import { openMemoryStore } from "../../src/store/memory/memory-store.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { send, startInProcess, startOverHttps, watch, type TestServer } from "./harness.ts";

// What list and watch promise, in process and over HTTPS; the numbers are those of the contract's promises.

const maps = "/api/v1/namespaces/default/configmaps";
const merge = { "content-type": "application/merge-patch+json" };

for (const start of [startInProcess, startOverHttps]) {
  const story = (name: string, play: (server: TestServer) => Promise<void>): void => {
    test(`${start === startInProcess ? "in process" : "over HTTPS"}: ${name}`, async () => {
      const server = await start();
      try {
        await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
        await play(server);
      } finally {
        await server.close();
      }
    });
  };

  story("a watch without a revision begins with what exists, then changes in order (8)", async (server) => {
    await create(server, "a");
    const seen = await watch(server, `${maps}?watch=1`);
    await create(server, "b");
    await send(server, "PATCH", `${maps}/a`, { data: { k: "v" } }, merge);
    await send(server, "DELETE", `${maps}/b`);
    assert.deepEqual(await seen.take(4), ["ADDED a", "ADDED b", "MODIFIED a", "DELETED b"]);
    seen.close();
  });

  story("a watch from a revision gets what came after it, once (8, 13)", async (server) => {
    const from = await create(server, "a");
    await create(server, "b");
    await create(server, "c");
    const seen = await watch(server, `${maps}?watch=1&resourceVersion=${from}`);
    await create(server, "d");
    assert.deepEqual(await seen.take(3), ["ADDED b", "ADDED c", "ADDED d"]);
    seen.close();
  });

  story("a deletion carries the last state with the revision of the deletion (12)", async (server) => {
    const from = await create(server, "a");
    const seen = await watch(server, `${maps}?watch=1&resourceVersion=${from}`);
    await send(server, "DELETE", `${maps}/a`);
    const event = await seen.next();
    assert.equal(event?.type, "DELETED");
    assert.ok(Number(event.object.metadata.resourceVersion) > from);
    assert.equal(event.object.kind, "ConfigMap");
    seen.close();
  });

  story("objects enter and leave a label selection (12)", async (server) => {
    const seen = await watch(server, `${maps}?watch=1&labelSelector=app%3Dweb`);
    await create(server, "other");
    await create(server, "a", { app: "web" });
    await send(server, "PATCH", `${maps}/a`, { metadata: { labels: { app: "db" } } }, merge);
    await send(server, "PATCH", `${maps}/other`, { metadata: { labels: { app: "web" } } }, merge);
    assert.equal((await seen.next())?.type, "ADDED");
    const left = await seen.next();
    assert.equal(left?.type, "DELETED");
    assert.deepEqual(left.object.metadata.labels, { app: "web" });
    const now = await send(server, "GET", `${maps}/a`);
    assert.equal(
      left.object.metadata.resourceVersion,
      (now.body.metadata as { resourceVersion: string }).resourceVersion,
    );
    assert.deepEqual(await seen.take(1), ["ADDED other"]);
    seen.close();
  });

  story("a field selection follows a pod to its node (12)", async (server) => {
    const pods = "/api/v1/namespaces/default/pods";
    await send(server, "POST", pods, { metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } });
    const seen = await watch(server, "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn");
    await send(server, "POST", `${pods}/p/binding`, { metadata: { name: "p" }, target: { name: "n" } });
    assert.deepEqual(await seen.take(1), ["ADDED p"]);
    seen.close();
  });

  story("initial events end with an annotated bookmark (11)", async (server) => {
    await create(server, "a");
    const query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    const seen = await watch(server, `${maps}?${query}`);
    assert.deepEqual(await seen.take(1), ["ADDED a"]);
    const mark = await seen.next();
    assert.equal(mark?.type, "BOOKMARK");
    assert.deepEqual(mark.object.metadata.annotations, { "k8s.io/initial-events-end": "true" });
    assert.equal(mark.object.metadata.resourceVersion, String(server.store.visible));
    await create(server, "b");
    assert.deepEqual(await seen.take(1), ["ADDED b"]);
    seen.close();
  });

  story("initial events without bookmarks end with nothing, as upstream", async (server) => {
    await create(server, "a");
    const seen = await watch(server, `${maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`);
    assert.deepEqual(await seen.take(1), ["ADDED a"]);
    await create(server, "b");
    assert.deepEqual(await seen.take(1), ["ADDED b"]);
    seen.close();
  });

  story("a start that is forgotten is an ERROR event with 410, never a silent gap (8, 22)", async (server) => {
    const from = await create(server, "a");
    await create(server, "b");
    await server.store.compact(server.store.visible);
    const seen = await watch(server, `${maps}?watch=1&resourceVersion=${from}`);
    const event = await seen.next();
    assert.equal(event?.type, "ERROR");
    assert.equal(event.object.code, 410);
    assert.equal(event.object.reason, "Expired");
    assert.equal(await seen.next(), undefined);
  });

  story("timeoutSeconds ends a watch", async (server) => {
    const seen = await watch(server, `${maps}?watch=1&timeoutSeconds=1`);
    assert.equal(await seen.next(), undefined);
  });

  story("a watch of one name hears of no other (index)", async (server) => {
    const seen = await watch(server, `${maps}?watch=1&fieldSelector=metadata.name%3Db`);
    await create(server, "a");
    await create(server, "b");
    assert.deepEqual(await seen.take(1), ["ADDED b"]);
    seen.close();
  });

  story("a watch as a table sends its columns once", async (server) => {
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const response = await server.transport.send({
      method: "GET",
      target: `${maps}?watch=1`,
      headers: { accept },
      body: new Uint8Array(0),
    });
    const { TestWatch } = await import("./harness.ts");
    const seen = new TestWatch(response);
    await create(server, "a");
    await create(server, "b");
    const [first, second] = [await seen.next(), await seen.next()];
    assert.ok(Array.isArray(first?.object.columnDefinitions) && first.object.columnDefinitions.length > 0);
    assert.deepEqual(second?.object.columnDefinitions, []);
    seen.close();
  });
}

test("a read at a revision that is not reached yet waits for it (9)", async () => {
  const server = await startInProcess();
  const next = server.store.visible + 1;
  const read = send(server, "GET", `/api/v1/namespaces?resourceVersion=${next}`);
  await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
  assert.equal((await read).status, 200);
  await server.close();
});

test("a read at a revision that never comes is 504 with its cause (9)", async () => {
  const timers = realTimers({ keepAlive: true });
  // Three seconds pass at once.
  const fast = { ...timers, after: (_delayMs: number, task: () => void) => timers.after(0, task) };
  const server = await startInProcess({ timers: fast });
  const answer = await send(server, "GET", `/api/v1/namespaces?resourceVersion=${server.store.visible + 100}`);
  assert.equal(answer.status, 504);
  assert.deepEqual(answer.body.details, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
  await server.close();
});

test("a token whose snapshot is gone answers 410 with one that goes on (7)", async () => {
  const server = await startInProcess();
  await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
  for (const name of ["a", "b", "c"]) await create(server, name);
  const first = await send(server, "GET", `${maps}?limit=1`);
  const token = (first.body.metadata as { continue: string }).continue;
  await create(server, "d");
  await server.store.compact(server.store.visible);
  const gone = await send(server, "GET", `${maps}?limit=5&continue=${token}`);
  assert.equal(gone.status, 410);
  const next = (gone.body.metadata as { continue: string }).continue;
  const rest = await send(server, "GET", `${maps}?limit=5&continue=${next}`);
  const names = (rest.body.items as { metadata: { name: string } }[]).map((item) => item.metadata.name);
  assert.deepEqual(names, ["b", "c", "d"]);
  await server.close();
});

test("a watcher that does not read is broken off, and delays nobody (24)", async () => {
  const timers = realTimers({ keepAlive: true });
  const store = openMemoryStore({ clock: realClock, timers });
  const server = await startInProcess({ store });
  await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
  const response = await server.transport.send({
    method: "GET",
    target: `${maps}?watch=1`,
    headers: {},
    body: new Uint8Array(0),
  });
  let broken: Error | undefined;
  if (!("open" in response.body)) throw new Error("a watch is a stream");
  response.body.open({ write: () => false, end: () => undefined, abort: (error) => (broken = error) });
  const good = await watch(server, `${maps}?watch=1`);
  const large = "x".repeat(500_000);
  await create(server, "big");
  assert.deepEqual(await good.take(1), ["ADDED big"]);
  for (let i = 0; i < 30; i++) {
    await send(server, "PATCH", `${maps}/big`, { data: { k: `${i}${large}` } }, merge);
    assert.deepEqual(await good.take(1), ["MODIFIED big"]);
  }
  assert.match(String(broken), /does not keep up/);
  good.close();
  await server.close();
});

async function create(server: TestServer, name: string, labels?: Record<string, string>): Promise<number> {
  const answer = await send(server, "POST", maps, { metadata: { name, ...(labels !== undefined && { labels }) } });
  assert.equal(answer.status, 201, answer.text);
  return Number((answer.body.metadata as { resourceVersion: string }).resourceVersion);
}
