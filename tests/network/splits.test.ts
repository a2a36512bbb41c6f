/** Users split by a real HAProxy: who goes where, who is counted, and what a change of the threshold does. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, createServer, request, type IncomingHttpHeaders, type Server } from "node:http";
import { after, before, test } from "node:test";
import { SeededRandom } from "#base/seeded-random.ts";
import { splitOf } from "#network/ingress/split.ts";
import { readSides, samplesOf } from "#network/ingress/split-counts.ts";
import type { RouteTable, Split } from "#network/ingress/route-table.ts";
import type { Runtime } from "#network/ingress/runtime.ts";
import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import { skipWithoutHaproxy, splitOfWeb, TestProxy, timers } from "./test-proxy.ts";
import { freePort } from "../free-port.ts";

const skip = skipWithoutHaproxy;
let proxy: TestProxy;
let runtime: Runtime;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const pods = new Map<string, { server: Server; port: number }>();

/** A pod that answers its name; with `?status=N` that status, with `?after=MS` later. */
async function startPod(name: string): Promise<void> {
  const server = createServer((incoming, response) => {
    const { searchParams } = new URL(incoming.url ?? "/", "http://pod");
    const answer = (): void => void response.writeHead(Number(searchParams.get("status") ?? 200)).end(name);
    setTimeout(answer, Number(searchParams.get("after") ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  pods.set(name, { server, port: (server.address() as { port: number }).port });
}

before(async () => {
  if (skip !== false) return;
  await startPod("old");
  await startPod("new");
  proxy = new TestProxy(freePort(), freePort());
  ({ runtime } = proxy);
});

after(async () => {
  agent.destroy();
  for (const { server } of pods.values()) server.close();
  await proxy?.stop();
});

type Spec = Partial<TrafficSplit["spec"]>;

async function apply(spec: Spec, isThere = true): Promise<void> {
  const split = splitOfWeb(spec);
  await proxy.plane.apply(
    tableOf({ ...split, backends: [isThere ? { from: "d/web:80", to: "d/new:80" } : { from: "d/web:80" }] }),
  );
}

function tableOf(split: Split): RouteTable {
  const backend = (id: string, pod: string) =>
    [id, { id, servers: [{ address: "127.0.0.1", port: pods.get(pod)!.port, weight: 100 }] }] as const;
  return {
    sites: ["a.com", "other.com"],
    exact: [],
    prefix: [
      { site: "a.com", path: "", backend: "d/web:80" },
      { site: "other.com", path: "", backend: "d/other:80" },
    ],
    backends: new Map([backend("d/web:80", "old"), backend("d/new:80", "new"), backend("d/other:80", "old")]),
    certificates: [],
    splits: [split],
  };
}

interface Answer {
  readonly status: number;
  readonly pod: string;
  readonly headers: IncomingHttpHeaders;
}

async function get(headers: Record<string, string> = {}, path = "/", host = "a.com"): Promise<Answer> {
  for (;;) {
    const answer = await getOnce(headers, path, host);
    if (answer !== "kept connection had ended") return answer;
  }
}

/** A kept connection may end just when it is used again, as a proxy that reloads ends its idle ones: HTTP lets a GET be repeated. */
function getOnce(
  headers: Record<string, string>,
  path: string,
  host: string,
): Promise<Answer | "kept connection had ended"> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: "127.0.0.1", port: proxy.httpPort, path, agent, headers: { host, ...headers } },
      (response) => {
        let pod = "";
        response.on("data", (chunk: Buffer) => (pod += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, pod, headers: response.headers }));
      },
    );
    call.on("error", (error) => (call.reusedSocket ? resolve("kept connection had ended") : reject(error)));
    call.end();
  });
}

const cookie = (user: number | string): Record<string, string> => ({ cookie: `theme=dark; sid=${user}; z=1` });

/** The users (of so many) that get the new pods. */
async function chosen(
  count: number,
  headersOf: (user: number) => Record<string, string> = cookie,
): Promise<Set<number>> {
  const found = new Set<number>();
  const queue = Array.from({ length: count }, (_, user) => user);
  const worker = async (): Promise<void> => {
    for (let user = queue.pop(); user !== undefined; user = queue.pop()) {
      if ((await get(headersOf(user))).pod === "new") found.add(user);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return found;
}

async function side(run: string, which: "chosen" | "others"): Promise<{ users: number; inErrors: number }> {
  return (
    readSides(await runtime.command("show table sides")).get(`${run}/${which}`) ?? {
      users: 0,
      inErrors: 0,
    }
  );
}

test(
  "the share of users follows the threshold, and who has the new version keeps it while it grows",
  { skip },
  async () => {
    const special: Spec = { testers: { header: "X-Canary", value: "always" } };
    for (const [count, more] of [
      [3_000, {}],
      [1_000, special],
    ] as const) {
      let before = new Set<number>();
      for (const threshold of [0, 100, 1_000, 5_000, 10_000]) {
        await apply({ ...more, threshold });
        const now = await chosen(count);
        const expected = (count * threshold) / 10_000;
        const deviation = 4 * Math.sqrt(expected * (1 - threshold / 10_000));
        assert.ok(Math.abs(now.size - expected) <= deviation, `${now.size} of ${count} at ${threshold}`);
        assert.ok(before.isSubsetOf(now), "somebody fell back");
        before = now;
      }
    }
    await apply({ threshold: 1_000 });
    const usual = await chosen(500);
    assert.deepEqual(await chosen(500), usual);
    await apply({ ...special, threshold: 1_000 });
    assert.deepEqual(await chosen(500), usual, "what else a split asks for chooses nobody anew");
  },
);

test("another hash key chooses other users", { skip }, async () => {
  await apply({ threshold: 2_000 });
  const one = await chosen(1_000);
  await apply({ threshold: 2_000, hashKey: "fedcba9876543210" });
  const both = one.intersection(await chosen(1_000)).size;
  assert.ok(both > 10 && both < 90, `${both} users are chosen by both keys`);
});

test("users are told by header, by claim of a token, by address", { skip }, async () => {
  const token = (user: number): string =>
    `e30.${Buffer.from(JSON.stringify({ iss: "x", sub: `user ${user}`, exp: 1 })).toString("base64url")}.sig`;
  const ways: [Spec["users"], (user: number) => Record<string, string>][] = [
    [{ header: "X-User" }, (user) => ({ "x-user": `u-${user}`, "x-user-agent": "same", accept: "x-user: 1" })],
    [{ jwtClaim: "sub" }, (user) => ({ authorization: `Bearer ${token(user)}` })],
  ];
  for (const [users, headersOf] of ways) {
    await apply({ threshold: 3_000, users: users! });
    const first = await chosen(1_000, headersOf);
    assert.ok(first.size > 230 && first.size < 370, `${JSON.stringify(users)}: ${first.size}`);
    assert.deepEqual(await chosen(1_000, headersOf), first);
    assert.equal((await get()).pod, "old", "without the key nobody is chosen");
  }
  await apply({ threshold: 10_000, users: { clientAddress: true } });
  assert.equal((await get()).pod, "new");
});

test("a missing cookie is set, and with it the user stays where it was", { skip }, async () => {
  await apply({ threshold: 5_000 });
  const seen = new Set<string>();
  for (let visit = 0; visit < 20; visit++) {
    const { pod, headers } = await get();
    seen.add(pod);
    const set = headers["set-cookie"]?.[0] ?? "";
    assert.match(set, /^sid=[0-9a-f-]{36}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
    const again = await get({ cookie: set.split(";")[0] ?? "" });
    assert.equal(again.pod, pod);
    assert.equal(again.headers["set-cookie"], undefined);
  }
  assert.equal(seen.size, 2);
});

test(
  "testers get the new version by their header at share 0, and are not counted; excluded paths and other hosts are left alone",
  { skip },
  async () => {
    await apply({
      threshold: 0,
      run: "r-1",
      testers: { header: "X-Canary", value: "always" },
      excludedPaths: ["/assets/"],
    });
    assert.equal((await get({ ...cookie(1), "x-canary": "always" })).pod, "new");
    assert.equal((await get({ ...cookie(1), "x-canary": "never" })).pod, "old");
    assert.equal((await side("r-1", "chosen")).users, 0);
    await apply({ threshold: 10_000, run: "r-2", excludedPaths: ["/assets/"] });
    assert.equal((await get(cookie(1), "/assets/logo.png")).pod, "old");
    assert.equal((await get(cookie(1), "/assetsbutnot")).pod, "new");
    assert.equal((await get(cookie(1), "/", "other.com")).pod, "old");
    assert.equal((await side("r-2", "chosen")).users, 1);
  },
);

test("distinct users are counted on their side, and those with an error once", { skip }, async () => {
  await apply({ threshold: 10_000, run: "r-3" });
  for (let user = 0; user < 50; user++)
    for (const path of ["/", "/", user < 20 ? "/?status=500" : "/?status=404"]) await get(cookie(user), path);
  await get(cookie(0), "/?status=503");
  assert.deepEqual(await side("r-3", "chosen"), { users: 50, inErrors: 20 });
  const samples = samplesOf(await runtime.command("show events failures"), "r-3/chosen");
  assert.match(samples.at(-1) ?? "", /^503 GET \/ \d+$/);
  await apply({ threshold: 10_000, run: "r-4" });
  assert.equal((await side("r-4", "chosen")).users, 0);
});

test("what is an error is the split's: chosen statuses, slow answers, and no answer at all", { skip }, async () => {
  await apply({ threshold: 10_000, run: "r-5", errors: { statuses: ["429"], slowerThanMs: 3_000 } });
  for (const [user, path] of ["/?status=500", "/?status=429", "/?after=3500", "/"].entries())
    await get(cookie(user), path);
  assert.equal((await side("r-5", "chosen")).inErrors, 2);
  await apply({ threshold: 10_000, run: "r-6" });
  const pod = pods.get("new")!;
  pod.server.closeAllConnections();
  await new Promise((resolve) => pod.server.close(resolve));
  assert.equal((await get(cookie(7))).status, 503);
  assert.equal((await side("r-6", "chosen")).inErrors, 1);
  await startPod("new");
});

test("only new users: who was here before the release stays", { skip }, async () => {
  const release = 2_000_000_000;
  await apply({ threshold: 10_000, newSince: release });
  assert.equal((await get({ cookie: `sid=1; steersman-since=${release - 1}` })).pod, "old");
  assert.equal((await get({ cookie: `sid=1; steersman-since=${release}` })).pod, "new");
  const { headers, pod } = await get(cookie(1));
  assert.match(String(headers["set-cookie"]), /^steersman-since=\d{10}; /);
  assert.equal(pod, "old", "the release of this test is in the future");
});

test("while the new version has no pod its users are served like everybody, and counted there", { skip }, async () => {
  await apply({ threshold: 10_000, run: "r-7" }, false);
  assert.equal((await get(cookie(1))).pod, "old");
  assert.equal((await side("r-7", "chosen")).users, 0);
  assert.equal((await side("r-7", "others")).users, 1);
});

test(
  "threshold 0 is obeyed within a second under load, nothing is reloaded and no request is lost",
  { skip },
  async () => {
    await apply({ threshold: 5_000 });
    const reloads = proxy.plane.reloads;
    let isOver = false;
    let lastNewMs = 0;
    const lost: number[] = [];
    const random = new SeededRandom("users");
    const worker = async (): Promise<void> => {
      while (!isOver) {
        const sentMs = performance.now();
        const { pod, status } = await get(cookie(random.below(1_000)));
        if (status !== 200) lost.push(status);
        if (pod === "new") lastNewMs = Math.max(lastNewMs, sentMs);
      }
    };
    const load = Promise.all(Array.from({ length: 8 }, worker));
    // The new version is in use.
    while (lastNewMs === 0) await timers.sleep(10);
    await apply({ threshold: 0 });
    const appliedMs = performance.now();
    await timers.sleep(1_000);
    isOver = true;
    await load;
    assert.deepEqual(lost, []);
    assert.ok(
      lastNewMs - appliedMs < 500,
      `sent to the new version ${lastNewMs - appliedMs} ms after it was taken out`,
    );
    assert.equal(proxy.plane.reloads, reloads);
  },
);

test("a restart of the agent finds thresholds and counters as they are", { skip }, async () => {
  await apply({ threshold: 2_500, run: "r-8" });
  const first = await chosen(200);
  const counted = await side("r-8", "chosen");
  proxy.forget();
  await apply({ threshold: 2_500, run: "r-8" });
  assert.equal(proxy.plane.reloads, 0);
  assert.deepEqual(await chosen(200), first);
  assert.equal((await side("r-8", "chosen")).users, counted.users);
});

test("hostile names, paths and keys are refused, and hostile requests are only users", { skip }, async () => {
  const hostile = ['a"b', "a\nb", "a b", "a{b", "a;b", "a\0b", "a\\b", "%[env]", "", "x".repeat(65)];
  const base = {
    service: "web",
    to: { service: "n" },
    hashKey: "0123456789abcdef",
    threshold: 1,
    users: { cookie: "sid" },
  };
  const judged = (spec: object): unknown =>
    splitOf({ metadata: { name: "w", namespace: "d" }, spec: { ...base, ...spec } } as TrafficSplit);
  for (const text of hostile) {
    assert.equal(typeof judged({ users: { cookie: text } }), "string", text);
    assert.equal(typeof judged({ users: { header: text } }), "string", text);
    assert.equal(typeof judged({ users: { jwtClaim: text } }), "string", text);
    assert.equal(typeof judged({ hashKey: text }), "string", text);
    assert.equal(typeof judged({ testers: { header: text, value: "x" } }), "string", text);
    if (text !== "") assert.equal(typeof judged({ run: text }), "string", text);
    assert.equal(typeof judged({ errors: { statuses: [text] } }), "string", text);
  }
  for (const path of ["a", "/a b", '/a"', "/a\n", "/a;", "/{}"])
    assert.equal(typeof judged({ excludedPaths: [path] }), "string", path);
  assert.equal(typeof judged({ threshold: 10_001 }), "string");
  await apply({ threshold: 5_000, run: "r-9" });
  for (const value of [
    "sid=",
    "sid=;;;",
    `sid=${"x".repeat(7_000)}`,
    ";".repeat(7_000),
    "sid=a|b/c",
    `${" ;".repeat(3_000)}sid=1`,
  ]) {
    assert.equal((await get({ cookie: value })).status, 200);
  }
  assert.doesNotMatch(readFileSync(`${proxy.folder}/haproxy.cfg`, "utf8"), /\bsid\b/);
});
