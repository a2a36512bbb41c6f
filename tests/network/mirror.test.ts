/** Requests copied by a real HAProxy: who gets copies, what is counted, and that no user ever notices. */
import assert from "node:assert/strict";
import { Agent, createServer, request, type IncomingHttpHeaders } from "node:http";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import type { MirrorCount, TrafficSplitSpec } from "#api/delivery/traffic-split.ts";
import { Mirrors, mirrorsOf } from "#network/ingress/mirror.ts";
import type { RouteTable } from "#network/ingress/route-table.ts";
import { realClock } from "#world/node/clock.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { skipWithoutHaproxy as skip, splitOfWeb, TestProxy, timers } from "./test-proxy.ts";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-port.ts";

interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const servers: Server[] = [];
const sockets = new Set<Socket>();
const copies: Arrived[] = [];
let proxy: TestProxy;
let mirrors: Mirrors;
let ports: { old: number; new: number; hanging: number; garbage: number; closed: number };

/** A server on loopback, ended with its connections when the tests are. */
async function listen(server: Server): Promise<number> {
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  return (server.address() as { port: number }).port;
}

/** A pod that answers its name; with `?status=N` that status, with `?NAME=N` if it has that name. */
function pod(name: string, arrived?: Arrived[]): Promise<number> {
  return listen(
    createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const { method = "", url = "", headers } = incoming;
        arrived?.push({ method, path: url, headers, body: Buffer.concat(chunks).toString() });
        const { searchParams } = new URL(url, "http://pod");
        response.writeHead(Number(searchParams.get(name) ?? searchParams.get("status") ?? 200)).end(name);
      });
    }),
  );
}

function makeMirrors(): Mirrors {
  return new Mirrors({
    runtime: proxy.runtime,
    sockets: nodeSockets,
    clock: realClock,
    timers,
    onProblem: (problem, error) => assert.fail(`${problem}: ${String(error)}`),
  });
}

before(async () => {
  if (skip !== false) return;
  ports = {
    old: await pod("old"),
    new: await pod("new", copies),
    hanging: await listen(createNetServer((socket) => void socket.resume())),
    garbage: await listen(createNetServer((socket) => void socket.end("\0\x01 this is no answer of HTTP\r\n\r\n"))),
    closed: freePort(),
  };
  proxy = new TestProxy(freePort(), freePort());
  mirrors = makeMirrors();
});

afterEach(() => {
  copies.length = 0;
});

after(async () => {
  agent.destroy();
  mirrors?.stop();
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  await proxy?.stop();
});

function tableOf(spec: Partial<TrafficSplitSpec>, newPort: number): RouteTable {
  const split = splitOfWeb(spec);
  const backend = (id: string, port: number) =>
    [id, { id, servers: [{ address: "127.0.0.1", port, weight: 100 }] }] as const;
  return {
    sites: ["a.com"],
    exact: [],
    prefix: [{ site: "a.com", path: "", backend: "d/web:80" }],
    backends: new Map([backend("d/web:80", ports.old), backend("d/new:80", newPort)]),
    certificates: [],
    splits: [{ ...split, backends: [{ from: "d/web:80", to: "d/new:80" }] }],
  };
}

/** What the loop of the ingress does with a TrafficSplit. The ring is read from then on. */
async function apply(spec: Partial<TrafficSplitSpec>, newPort = ports.new): Promise<void> {
  const table = tableOf(spec, newPort);
  await proxy.plane.apply(table);
  mirrors.hold(mirrorsOf(table, proxy.plane.slots), proxy.plane.reloads);
}

/** The same, when the ring is read: what comes before is not counted. Answers the counts until then. */
async function mirror(run: string, more: { methods?: string[]; threshold?: number } = {}, newPort = ports.new) {
  // What another test has sent in this second is none of this one's bound.
  mirrors.stop();
  mirrors = makeMirrors();
  await apply({ run, mirror: { threshold: 10_000 } });
  await eventually(
    () => "a first copy",
    async () => {
      await get("/first");
      return total(run) > 0;
    },
  );
  await eventually(
    () => "the first copies are answered",
    () => mirrors.underWay === 0,
  );
  await apply({ run, mirror: { threshold: 10_000, ...more } }, newPort);
  copies.length = 0;
  return count(run);
}

function count(run: string): MirrorCount {
  return (
    mirrors.countsOf(run)?.count ?? {
      copies: { requests: 0, inErrors: 0 },
      originals: { requests: 0, inErrors: 0 },
      dropped: 0,
    }
  );
}

function total(run: string): number {
  return count(run).copies.requests + count(run).dropped;
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** The pod that answered, and milliseconds. */
function get(path = "/", { method = "GET", headers = {}, body }: Ask = {}): Promise<{ pod: string; ms: number }> {
  const begunMs = performance.now();
  const options = { host: "127.0.0.1", port: proxy.httpPort, path, method, agent };
  return new Promise((resolve, reject) => {
    const call = request({ ...options, headers: { host: "a.com", cookie: "sid=7", ...headers } }, (response) => {
      let pod = "";
      response.on("data", (chunk: Buffer) => (pod += chunk.toString()));
      response.on("end", () => resolve({ pod, ms: performance.now() - begunMs }));
    });
    call.on("error", reject);
    call.end(body);
  });
}

test("copies arrive marked, with what the user sent; the user's answer is the stable one's", { skip }, async () => {
  await mirror("m-1");
  const { pod: answeredBy } = await get("/basket?item=1", {
    headers: { "x-trace": "abc", "steersman-mirrored": "no" },
  });
  assert.equal(answeredBy, "old");
  const found = (): Arrived | undefined => copies.find(({ path }) => path === "/basket?item=1");
  await eventually(
    () => JSON.stringify(copies),
    () => found() !== undefined,
  );
  const { method, headers } = found()!;
  assert.equal(method, "GET");
  assert.deepEqual(
    ["steersman-mirrored", "host", "cookie", "x-trace", "x-forwarded-for"].map((name) => headers[name]),
    ["true", "a.com", "sid=7", "abc", "127.0.0.1"],
  );
});

test("the wanted part of the requests is copied, and who is chosen already is not", { skip }, async () => {
  const { copies: before, dropped } = await mirror("m-2", { threshold: 3_000 });
  for (let index = 0; index < 600; index++) await get(`/share/${index}`);
  const made = (): number => total("m-2") - before.requests - dropped;
  const deviation = 5 * Math.sqrt(600 * 0.3 * 0.7);
  await eventually(
    () => `${made()} copies of 600 requests at 30 %`,
    () => made() > 180 - deviation && mirrors.underWay === 0,
  );
  assert.ok(made() < 180 + deviation, `${made()} copies`);
  await apply({ run: "m-2", threshold: 10_000, mirror: { threshold: 10_000 } });
  copies.length = 0;
  for (let index = 0; index < 20; index++) assert.equal((await get(`/chosen/${index}`)).pod, "new");
  assert.deepEqual(new Set(copies.map(({ headers }) => headers["steersman-mirrored"])), new Set([undefined]));
});

test(
  "only safe methods are copied unless the split says so; then with their bodies, within bounds",
  { skip },
  async () => {
    await mirror("m-3");
    await get("/post", { method: "POST", body: "a=1" });
    await get("/head", { method: "HEAD" });
    await get("/get");
    await eventually(
      () => JSON.stringify(copies),
      () => copies.length === 2,
    );
    assert.deepEqual(new Set(copies.map(({ path }) => path)), new Set(["/head", "/get"]));
    await mirror("m-4", { methods: ["POST"] });
    const length = (body: string) => ({ headers: { "content-length": String(body.length) }, body });
    await get("/large", { method: "POST", ...length("x".repeat(5_000)) });
    await get("/chunked", { method: "POST", headers: { "transfer-encoding": "chunked" }, body: "a=2" });
    await get("/small", { method: "POST", body: "a=1&b=2", headers: { "content-length": "7" } });
    await get("/get");
    await eventually(
      () => JSON.stringify(copies),
      () => copies.some(({ path }) => path === "/small"),
    );
    assert.deepEqual(
      copies.map(({ path, body }) => `${path} ${body}`),
      ["/small a=1&b=2"],
    );
  },
);

test("errors of the copies and of the same requests are counted, with samples without queries", { skip }, async () => {
  const before = await mirror("m-5");
  for (const path of ["/?new=500&token=secret", "/?status=503", "/?old=500", "/", "/?new=404"]) await get(path);
  await eventually(
    () => JSON.stringify(count("m-5")),
    () => count("m-5").copies.requests === before.copies.requests + 5,
  );
  const { copies: made, originals } = count("m-5");
  assert.deepEqual([made.inErrors, originals.inErrors, originals.requests], [2, 2, made.requests]);
  const samples = mirrors.countsOf("m-5")?.samples ?? [];
  assert.ok(
    samples.every((sample) => /^copy of GET \/: 50[03] in \d+ ms$/.test(sample)),
    samples.join("; "),
  );
});

test("a new version that hangs delays nobody; beyond the bounds copies are dropped and counted", { skip }, async () => {
  const before = await mirror("m-6", {}, ports.hanging);
  const times: number[] = [];
  for (let index = 0; index < 300; index++) {
    const { pod: answeredBy, ms } = await get(`/hang/${index}`);
    assert.equal(answeredBy, "old");
    times.push(ms);
  }
  // None has waited for a copy: these get no answer for seconds.
  assert.ok(times.toSorted((a, b) => a - b)[280]! < 4_000, `${Math.max(...times)} ms`);
  const made = (): number => total("m-6") - before.copies.requests - before.dropped;
  await eventually(
    () => JSON.stringify(count("m-6")),
    () => made() === 300,
  );
  assert.ok(count("m-6").dropped > 0);
  const { copies: sent } = count("m-6");
  assert.equal(sent.inErrors, sent.requests - before.copies.requests + before.copies.inErrors);
  assert.match(mirrors.countsOf("m-6")?.samples.at(-1) ?? "", /no answer within 5 s/);
});

test("a new version that is gone or answers nonsense fails its copies, and no user", { skip }, async () => {
  for (const [run, port, fault] of [
    ["m-7", ports.closed, /no connection/],
    ["m-8", ports.garbage, /no answer of HTTP/],
  ] as const) {
    const before = await mirror(run, {}, port);
    for (let index = 0; index < 20; index++) assert.equal((await get()).pod, "old");
    await eventually(
      () => JSON.stringify(count(run)),
      () => count(run).copies.inErrors === 20,
    );
    assert.equal(count(run).originals.inErrors, before.originals.inErrors);
    assert.match(mirrors.countsOf(run)?.samples.at(-1) ?? "", fault);
  }
});

test("with its step mirroring ends at once, also what is under way", { skip }, async () => {
  await mirror("m-9", {}, ports.hanging);
  await get("/last");
  await eventually(
    () => "a copy under way",
    () => mirrors.underWay > 0,
  );
  await apply({ run: "m-10" });
  assert.equal(mirrors.underWay, 0);
  assert.equal(mirrors.countsOf("m-9"), undefined);
  for (let index = 0; index < 20; index++) assert.equal((await get(`/after/${index}`)).pod, "old");
  await mirror("m-11");
  assert.deepEqual(
    copies.filter(({ path }) => path.startsWith("/after/")),
    [],
  );
});

test("without its reader copies end and users go on; a new one counts anew", { skip }, async () => {
  await mirror("m-12");
  mirrors.stop();
  for (let index = 0; index < 50; index++) assert.equal((await get(`/alone/${index}`)).pod, "old");
  mirrors = makeMirrors();
  proxy.forget();
  assert.equal(mirrors.countsOf("m-12"), undefined);
  await mirror("m-12");
  assert.deepEqual(
    copies.filter(({ path }) => path.startsWith("/alone/")),
    [],
  );
});

test("when HAProxy died its successor is read", { skip }, async () => {
  await mirror("m-13");
  await proxy.haproxy.stop();
  proxy.forget();
  const before = await mirror("m-13");
  assert.equal((await get("/again")).pod, "old");
  await eventually(
    () => JSON.stringify(copies),
    () => copies.some(({ path }) => path === "/again"),
  );
  assert.ok(before.copies.requests > 0);
});
