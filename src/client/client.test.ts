import assert from "node:assert/strict";
import { test } from "node:test";
import { configmaps, pods } from "#api/generated/resources.ts";
import type { ByteSink, HttpRequest, HttpResponse, Transport } from "#world/http.ts";
import { createLineSink } from "./body.ts";
import { causeHeaders, readCause } from "./cause-headers.ts";
import type { WatchEvent } from "./client.ts";
import { builtInDiscovery } from "./discovery.ts";
import { createClient } from "./http-client.ts";
import { ApiStatusError } from "./status-error.ts";

const encoder = new TextEncoder();

function answering(answer: (request: HttpRequest) => Partial<HttpResponse> & { json?: unknown }): {
  transport: Transport;
  requests: HttpRequest[];
} {
  const requests: HttpRequest[] = [];
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    requests.push(request);
    const { json, ...response } = answer(request);
    return { status: 200, headers: {}, body: encoder.encode(JSON.stringify(json ?? {})), ...response };
  };
  return { transport: { send }, requests };
}

test("requests go to the paths, bodies and headers that the API documents", async () => {
  const { transport, requests } = answering(() => ({ json: { metadata: { resourceVersion: "7" }, items: [] } }));
  const client = createClient(transport, { userAgent: "steersman-test" });
  await client.get(pods, { namespace: "a b", name: "x" });
  await client.list(pods, { labelSelector: "app=web", limit: 5 });
  await client.patch(pods, { namespace: "n", name: "x" }, { a: 1 }, { type: "apply", fieldManager: "m", force: true });
  await client.delete(
    pods,
    { namespace: "n", name: "x" },
    { uid: "u", propagation: "Foreground", gracePeriodSeconds: 0 },
  );
  await client.create(pods, { namespace: "n", name: "x" }, {}, { subresource: "binding", dryRun: true });
  const seen = requests.map(({ method, target }) => `${method} ${target}`);
  assert.deepEqual(seen, [
    "GET /api/v1/namespaces/a%20b/pods/x",
    "GET /api/v1/pods?labelSelector=app%3Dweb&limit=5",
    "PATCH /api/v1/namespaces/n/pods/x?fieldManager=m&force=true",
    "DELETE /api/v1/namespaces/n/pods/x",
    "POST /api/v1/namespaces/n/pods/x/binding?dryRun=All",
  ]);
  assert.equal(requests[2]!.headers["content-type"], "application/apply-patch+yaml");
  assert.deepEqual(JSON.parse(new TextDecoder().decode(requests[3]!.body)), {
    apiVersion: "v1",
    kind: "DeleteOptions",
    preconditions: { uid: "u" },
    gracePeriodSeconds: 0,
    propagationPolicy: "Foreground",
  });
});

test("a Status becomes an ApiStatusError; find turns only NotFound into undefined", async () => {
  let status = {
    kind: "Status",
    code: 404,
    reason: "NotFound",
    message: 'configmaps "x" not found',
    details: { name: "x" },
  };
  const { transport } = answering(() => ({ status: status.code, json: status }));
  const client = createClient(transport, { userAgent: "test" });
  assert.equal(await client.find(configmaps, { namespace: "n", name: "x" }), undefined);
  await assert.rejects(client.get(configmaps, { namespace: "n", name: "x" }), (error) => {
    assert.ok(error instanceof ApiStatusError);
    assert.deepEqual(
      [error.code, error.reason, error.message, error.details],
      [404, "NotFound", status.message, { name: "x" }],
    );
    return true;
  });
  status = { ...status, code: 403, reason: "Forbidden" };
  await assert.rejects(client.find(configmaps, { namespace: "n", name: "x" }), ApiStatusError);
});

test("an answer that is no Status still says its code", async () => {
  const { transport } = answering(() => ({ status: 502, body: encoder.encode("<html>bad gateway</html>") }));
  await assert.rejects(createClient(transport, { userAgent: "t" }).list(pods), {
    code: 502,
    message: "<html>bad gateway</html>",
  });
});

function watching(): {
  sink: () => ByteSink;
  events: WatchEvent<unknown>[];
  ends: unknown[];
  closed: () => boolean;
  close: () => void;
} {
  let sink: ByteSink | undefined;
  let closed = false;
  const body = {
    open: (opened: ByteSink) => void (sink = opened),
    drained: () => {},
    close: () => void (closed = true),
  };
  const { transport } = answering(() => ({ body }));
  const events: WatchEvent<unknown>[] = [];
  const ends: unknown[] = [];
  const handler = {
    event: (event: WatchEvent<unknown>) => void events.push(event),
    end: (error?: unknown) => void ends.push(error),
  };
  const { close } = createClient(transport, { userAgent: "t" }).watch(pods, {}, handler);
  return { sink: () => sink!, events, ends, closed: () => closed, close };
}

test("a watch is read line by line, however the bytes are cut", async () => {
  const watch = watching();
  await new Promise((resolve) => setImmediate(resolve));
  const bytes = encoder.encode('{"type":"ADDED","object":{"name":"ü"}}\n{"type":"BOOKMARK","object":{}}\n');
  for (const byte of bytes) watch.sink().write(Uint8Array.of(byte));
  assert.deepEqual(watch.events, [
    { type: "ADDED", object: { name: "ü" } },
    { type: "BOOKMARK", object: {} },
  ]);
  watch.sink().end();
  assert.deepEqual(watch.ends, [undefined]);
});

test("an ERROR event ends the watch with its Status; close ends it silently and frees the stream", async () => {
  const failing = watching();
  const closing = watching();
  await new Promise((resolve) => setImmediate(resolve));
  failing
    .sink()
    .write(
      encoder.encode('{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'),
    );
  assert.equal((failing.ends[0] as ApiStatusError).code, 410);
  assert.equal(failing.ends.length, 1);
  closing.close();
  closing.sink().write(encoder.encode('{"type":"ADDED","object":{}}\n'));
  assert.deepEqual([closing.events, closing.ends, closing.closed()], [[], [], true]);
});

test("a line without end is refused, not kept", () => {
  let failure: Error | undefined;
  const sink = createLineSink(
    () => {},
    (error) => (failure = error),
  );
  for (let megabytes = 0; megabytes < 20 && failure === undefined; megabytes++)
    sink.write(new Uint8Array(1024 * 1024).fill(0x20));
  assert.match(String(failure), /too long/);
});

test("causes survive the way through headers, and are cut whole", () => {
  const cause = {
    actor: "controllers/deployment",
    rule: "2 of 3 pods — “ok”\r\nX-Evil: 1",
    because: "apps/deployments/default/web@1000000000042",
    epoch: { leader: "steersman-controllers", number: 7 },
  };
  const headers = causeHeaders(cause);
  for (const value of Object.values(headers)) assert.match(value, /^[\x21-\x7e]*$/);
  assert.deepEqual(readCause(headers), cause);
  const long = causeHeaders({ actor: "a", rule: "ü".repeat(5000) })["steersman-rule"]!;
  assert.ok(long.length <= 1024);
  assert.match(decodeURIComponent(long), /^ü+$/);
});

test("resources are found by plural, singular, kind, short name and group", () => {
  const discovery = builtInDiscovery();
  for (const typed of ["deployments", "deployment", "Deployment", "deploy", "deployments.apps", "deploy.v1.apps"]) {
    assert.equal(discovery.find(typed)?.resource, "deployments", typed);
  }
  assert.equal(discovery.byKind("apps/v1", "ReplicaSet")?.resource, "replicasets");
  assert.equal(discovery.find("nonsense"), undefined);
});
