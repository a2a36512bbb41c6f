/** Requests for workloads without pods, held by a real HAProxy: none is lost, none waits for ever, and nobody else notices. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import type { HoldPhase, TrafficHold } from "#api/delivery/traffic-hold.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Client } from "#client/client.ts";
import { readActivity, serviceOf } from "#network/ingress/activity.ts";
import { IngressDataPlane } from "#network/ingress/data-plane.ts";
import { Demands } from "#network/ingress/demands.ts";
import { Haproxy } from "#network/ingress/haproxy.ts";
import { heldPlace } from "#network/ingress/hold-rules.ts";
import { heldPerPlaceMax } from "#network/ingress/limits.ts";
import { Patience } from "#network/ingress/patience.ts";
import type { Backend, RouteTable } from "#network/ingress/route-table.ts";
import { Runtime } from "#network/ingress/runtime.ts";
import { backendName } from "#network/ingress/slots.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-port.ts";

const skip = spawnSync("haproxy", ["-v"]).status === 0 ? false : "needs haproxy";
const folder = mkdtempSync(`${tmpdir()}/steer-holds-`);
const timers = realTimers({ keepAlive: true });
const runtime = new Runtime({ sockets: nodeSockets, timers, path: `${folder}/haproxy.sock` });
let listen: { addresses: string[]; httpPort: number; httpsPort: number };
let certificate = "";
let haproxy: Haproxy;
let plane: IngressDataPlane;
let demands: Demands;
let pod: Server;
let phase: HoldPhase = "Awake";
let sleep = 0;
const written: { name: string; spec: { sleep: number; service: string } }[] = [];
const problems: string[] = [];
let isServerDown = false;
/** Bodies that the pod got. */
const bodies: string[] = [];

function hold(): TrafficHold {
  return {
    apiVersion: "delivery.steersman.dev/v1",
    kind: "TrafficHold",
    metadata: { namespace: "shop", name: "web", uid: "hold-uid" },
    spec: { services: ["web"], phase, sleep, since: "2026-01-01T00:00:00Z" },
  };
}

/** The API as far as demands need it. */
const client = {
  patch: async () => {
    if (isServerDown) throw new Error("the server does not answer");
    throw new ApiStatusError({ code: 404, reason: "NotFound", message: "not there" } as never);
  },
  create: async (_resource: unknown, _at: unknown, object: { metadata: { name: string }; spec: never }) => {
    written.push({ name: object.metadata.name, spec: object.spec });
    return object;
  },
} as object as Client;

function newDemands(): Demands {
  return new Demands({
    runtime,
    client,
    clock: realClock,
    timers,
    nodeName: "n1",
    holds: () => [hold()],
    serviceOf: (place) => {
      const id = [...plane.slots.backends].find(([, slot]) => heldPlace(backendName(slot)) === place)?.[0];
      return id === undefined ? undefined : serviceOf(id);
    },
    onProblem: (problem) => problems.push(problem),
  });
}

function newHaproxy(holdTimeoutMs?: number): void {
  const shared = { disk: realDisk, runtime, folder, listen };
  haproxy = new Haproxy({
    ...shared,
    processes: realProcesses,
    clock: realClock,
    timers,
    defaultCertificate: () => Promise.resolve(certificate),
    ...(holdTimeoutMs === undefined ? {} : { holdTimeoutMs }),
  });
  plane = new IngressDataPlane({ ...shared, haproxy, onGone: () => undefined });
}

before(async () => {
  if (skip !== false) return;
  pod = createServer((incoming, response) => {
    let body = "";
    incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
    incoming.on("end", () => {
      bodies.push(body);
      response.end(`pod ${incoming.url}`);
    });
  });
  await new Promise<void>((resolve) => pod.listen(0, "127.0.0.1", resolve));
  listen = { addresses: ["127.0.0.1"], httpPort: freePort(), httpsPort: freePort() };
  certificate = spawnSync(
    "openssl",
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -keyout -".split(" "),
    { encoding: "utf8" },
  ).stdout;
  newHaproxy();
  demands = newDemands();
});

after(async () => {
  demands?.stop();
  plane?.close();
  await haproxy?.stop();
  pod?.closeAllConnections();
  pod?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The route table: `web.example` may sleep, `plain.example` has no pods and nobody who would wake them, `busy.example` has one. */
function table(held: boolean, isThere: boolean, extra = 0): RouteTable {
  const { port } = pod.address() as { port: number };
  const server = { address: "127.0.0.1", port, weight: 100 };
  const more = Array.from({ length: extra }, (_, index) => `shop/extra${index}:80`);
  return {
    sites: ["web.example", "*.any.example", "plain.example", "busy.example"],
    exact: [],
    prefix: [
      { site: "web.example", path: "", backend: "shop/web:80" },
      { site: "*.any.example", path: "", backend: "shop/web:80" },
      { site: "plain.example", path: "", backend: "shop/plain:80" },
      { site: "busy.example", path: "", backend: "shop/busy:80" },
      ...more.map((backend, index) => ({ site: "busy.example", path: `/${index}`, backend })),
    ],
    backends: new Map<string, Backend>([
      ["shop/web:80", { id: "shop/web:80", servers: isThere ? [server] : [], held }],
      ["shop/plain:80", { id: "shop/plain:80", servers: [] }],
      ["shop/busy:80", { id: "shop/busy:80", servers: [server] }],
      ...more.map((id) => [id, { id, servers: [server] }] as const),
    ]),
    certificates: [],
    splits: [],
  };
}

const patience = new Patience();

/** As the ingress' loop applies a table: answers whether it was the whole. */
async function applyPatiently(whole: RouteTable): Promise<boolean> {
  const waits = { isWaiting: demands.isWaiting(), nowMs: realClock.monotonic() };
  const { table: now, isPart } = patience.tableFor(whole, plane.slots, waits);
  await plane.apply(now);
  demands.listen(plane.reloads);
  return !isPart;
}

async function fallAsleep(extra = 0): Promise<void> {
  phase = "Asleep";
  sleep += 1;
  await plane.apply(table(true, false, extra));
  demands.listen(plane.reloads);
  demands.look();
}

async function wake(extra = 0): Promise<void> {
  phase = "Awake";
  await plane.apply(table(false, true, extra));
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

function ask(path = "/", options: { host?: string; body?: string; signal?: AbortSignal } = {}): Promise<Answer> {
  const { host = "web.example", body, signal } = options;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "127.0.0.1",
        port: listen.httpPort,
        path,
        method: body === undefined ? "GET" : "POST",
        headers: { host },
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text, retryAfter: response.headers["retry-after"] }),
        );
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

const waiting = (): number => demands.counts().find(({ service }) => service === "shop/web")?.waiting ?? 0;

test(
  "50 requests wait for the first pod, 20 of them with a body; all are answered, one demand was written",
  { skip },
  async () => {
    await fallAsleep();
    const large = "x".repeat(300_000);
    const answers = Promise.all([
      ...Array.from({ length: 30 }, (_, index) => ask(`/${index}`)),
      ...Array.from({ length: 20 }, (_, index) => ask(`/post${index}`, { body: large })),
    ]);
    await eventually("50 requests wait", () => waiting() === 50);
    assert.deepEqual(written, [{ name: "web.n1", spec: written[0]?.spec }]);
    assert.partialDeepStrictEqual(written[0]?.spec, { hold: "web", holdUid: "hold-uid", sleep: 1, service: "web" });
    await wake();
    const got = await answers;
    assert.deepEqual([...new Set(got.map(({ status }) => status))], [200]);
    assert.deepEqual(new Set(got.map(({ text }) => text)).size, 50);
    assert.equal(bodies.filter((body) => body === large).length, 20);
    await eventually("nobody waits any more", () => waiting() === 0);
    assert.equal((await ask()).text, "pod /");
  },
);

test(
  "hosts with capitals, a port or a wildcard wait as well; unknown ones and workloads without a hold do not",
  { skip },
  async () => {
    await fallAsleep();
    written.length = 0;
    assert.equal((await ask("/", { host: "nobody.example" })).status, 404);
    const refused = await ask("/", { host: "plain.example" });
    assert.deepEqual([refused.status, refused.retryAfter], [503, undefined]);
    assert.equal((await ask("/", { host: "busy.example" })).status, 200);
    assert.deepEqual([written, waiting()], [[], 0]);
    const answers = Promise.all(
      [`WEB.example:${listen.httpPort}`, "Web.Example", "a.any.example"].map((host) => ask("/", { host })),
    );
    await eventually("three requests wait", () => waiting() === 3);
    await wake();
    assert.deepEqual(
      (await answers).map(({ status }) => status),
      [200, 200, 200],
    );
  },
);

test("a client that goes away is let go, whichever way it closes", { skip }, async () => {
  await fallAsleep();
  const controllers = Array.from({ length: 5 }, () => new AbortController());
  const given = controllers.map(({ signal }) => ask("/", { signal }).catch(() => "gone"));
  const half = connect(listen.httpPort, "127.0.0.1");
  half.on("error", () => undefined);
  half.write("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n");
  await eventually("six requests wait", () => waiting() === 6);
  for (const controller of controllers) controller.abort();
  half.end();
  await Promise.all(given);
  const answer = ask();
  await eventually("only the last one waits", () => waiting() === 1);
  await wake();
  assert.equal((await answer).status, 200);
  half.destroy();
});

test(
  "a server that is down hears of the request when it is back; so does an agent that was away",
  { skip },
  async () => {
    await fallAsleep();
    written.length = 0;
    isServerDown = true;
    const answer = ask();
    await eventually("the demand fails", () => problems.some((text) => text.includes("Service shop/web")));
    isServerDown = false;
    await eventually("the demand is written once the server is back", () => written.length === 1);
    demands.stop();
    written.length = 0;
    demands = newDemands();
    demands.listen(plane.reloads);
    await eventually("an agent that starts hears of requests that wait", () => written.length === 1);
    // Asleep again before the request was through: this sleep must end too.
    sleep += 1;
    demands.look();
    await eventually("the demand names the new sleep", () => written.some(({ spec }) => spec.sleep === sleep));
    await wake();
    assert.equal((await answer).status, 200);
  },
);

test("a flood of requests for what sleeps is bounded, and others are served meanwhile", { skip }, async () => {
  await fallAsleep();
  const memory = async (): Promise<number> => {
    const pid = /^Pid: (\d+)$/m.exec(await runtime.command("show info"))?.[1];
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  };
  const before = await memory();
  let refused = 0;
  const flood = Array.from({ length: 1_500 }, () =>
    ask().then((answer) => {
      if (answer.status === 503) refused += 1;
      return answer;
    }),
  );
  const others: number[] = [];
  await eventually("what is too much is turned away", async () => {
    others.push((await ask("/", { host: "busy.example" })).status);
    return refused === 1_500 - heldPerPlaceMax;
  });
  assert.deepEqual([...new Set(others)], [200]);
  await eventually("the others wait", () => waiting() === heldPerPlaceMax);
  // A held request has two buffers of 16 KiB at most, and what describes it.
  const grown = (await memory()) - before;
  assert.ok(grown < 64 * 1024, `grown by ${grown} KiB`);
  await wake();
  const answers = await Promise.all(flood);
  assert.equal(answers.filter(({ status }) => status === 200).length, heldPerPlaceMax);
  assert.ok(answers.every(({ status, retryAfter }) => status === 200 || retryAfter === "5"));
});

test("quiet is what HAProxy and its ear know, and never what they cannot know", { skip }, async () => {
  await wake();
  await ask();
  const quiet = async (): Promise<number | undefined> => {
    const heldQuietMs = (service: string): number => demands.quietMs(service);
    const { quietSeconds } = await readActivity({ runtime, haproxy, slots: plane.slots, heldQuietMs });
    return quietSeconds["shop/web"];
  };
  const isQuiet = async (seconds: number): Promise<boolean> => ((await quiet()) ?? 0) >= seconds;
  await eventually("three quiet seconds", () => isQuiet(3));
  await eventually("a request ends the quiet", async () => {
    await ask();
    return !(await isQuiet(3));
  });
  await eventually("a quiet second", () => isQuiet(1));
  await fallAsleep();
  const held = ask();
  await eventually("it waits", () => waiting() === 1);
  await eventually("a request that waits is a request", async () => !(await isQuiet(2)));
  await wake();
  assert.equal((await held).status, 200);
  demands.stop();
  assert.equal(await quiet(), 0, "without an ear nothing is known");
  demands = newDemands();
  demands.listen(plane.reloads);
});

test(
  "a reload waits until nothing is held; what has no place yet waits for it, and no request is lost",
  { skip },
  async () => {
    await fallAsleep();
    const { reloads } = plane;
    const held = Promise.all(Array.from({ length: 20 }, (_, index) => ask(`/${index}`)));
    await eventually("20 requests wait", () => waiting() === 20);
    const later = (): Promise<Answer> => ask("/0/x", { host: "busy.example" });
    assert.equal(await applyPatiently(table(true, false, 100)), false);
    assert.equal((await later()).text, "pod /0/x", "by the route above it");
    phase = "Awake";
    assert.equal(
      await applyPatiently(table(false, true, 100)),
      false,
      "the pod is there, and they are still on their way",
    );
    assert.deepEqual([...new Set((await held).map(({ status }) => status))], [200]);
    assert.equal(plane.reloads, reloads);
    await eventually("the whole is applied", () => applyPatiently(table(false, true, 100)));
    assert.equal(plane.reloads, reloads + 1);
    assert.equal((await later()).status, 200);
  },
);

test("a reload, a limit of time and the end of HAProxy: each held request comes to an end", { skip }, async () => {
  plane.close();
  await haproxy.stop();
  newHaproxy(12_000);
  await fallAsleep();
  const late = await ask();
  assert.deepEqual([late.status, late.retryAfter], [503, "5"]);
  const first = ask();
  await eventually("it waits", () => waiting() === 1);
  // Places run out: a new process takes over, and knows nothing of what the old one holds.
  await fallAsleep(100);
  const second = ask();
  await eventually("the new process is heard", () => waiting() === 1);
  assert.equal(await haproxy.isRetiring(), true);
  await wake(100);
  assert.equal((await second).status, 200);
  assert.ok([200, 503].includes((await first).status));
  await eventually("the old process ends", async () => (await haproxy.isRetiring()) === false);
  await fallAsleep(100);
  const third = ask().catch((error: unknown) => (error as Error).message);
  await eventually("it waits", () => waiting() === 1);
  await haproxy.stop();
  assert.match(String(await third), /hang up|ECONNRESET/);
});
