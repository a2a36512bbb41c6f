/** What a real HAProxy counts of requests: by Service, Ingress and version, how long they took, and whose they were. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { Agent, createServer, request, type Server } from "node:http";
import { after, before, test } from "node:test";
import { fromPodsMark, type IngressTraffic } from "#api/observability/traffic.ts";
import { readTraffic } from "#network/ingress/counters.ts";
import type { Backend, RouteTable } from "#network/ingress/route-table.ts";
import { trafficFamilies } from "#observability/traffic/families.ts";
import { exposeFamilies } from "#telemetry/metrics.ts";
import { readExposition } from "../observability/exposition.ts";
import { skipWithoutHaproxy, splitOfWeb, TestProxy } from "./test-proxy.ts";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-port.ts";

const skip = skipWithoutHaproxy;
let proxy: TestProxy;
/** Where what pods ask of the Service arrives. */
let servicePort: number;
const pods = new Map<string, { server: Server; address: string; port: number }>();

/** A pod with an address of its own, as pods have: it answers its name, with `?status=N` that status, with `?after=MS` later. */
async function startPod(name: string, address: string): Promise<void> {
  const server = createServer((incoming, response) => {
    const asked = new URL(incoming.url ?? "", "http://pod").searchParams;
    response.statusCode = Number(asked.get("status") ?? 200);
    setTimeout(() => response.end(name), Number(asked.get("after") ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  pods.set(name, { server, address, port: (server.address() as { port: number }).port });
}

before(async () => {
  if (skip !== false) return;
  await startPod("old", "127.0.0.2");
  await startPod("new", "127.0.0.3");
  servicePort = freePort();
  proxy = new TestProxy(freePort(), freePort(), servicePort);
});

after(async () => {
  for (const { server } of pods.values()) server.close();
  await proxy?.stop();
});

const serverOf = (name: string, version: string) => {
  const { address, port } = pods.get(name)!;
  return { address, port, weight: 100, version };
};

function table(change: Partial<RouteTable> = {}): RouteTable {
  return {
    sites: ["shop.com", "api.com"],
    exact: [],
    prefix: [
      { site: "shop.com", path: "", backend: "d/web:80", ingress: "d/shop" },
      { site: "api.com", path: "", backend: "d/web:80", ingress: "d/api" },
      { site: "shop.com", path: "/gone", backend: "d/gone:80", ingress: "d/shop" },
    ],
    backends: new Map([
      ["d/web:80", { id: "d/web:80", servers: [serverOf("old", "v1")] }],
      ["d/gone:80", { id: "d/gone:80", servers: [] }],
    ]),
    certificates: [],
    splits: [],
    ...change,
  };
}

/** The table with these pods behind `d/web:80`. */
function serving(...servers: Backend["servers"]): RouteTable {
  return table({ backends: new Map([...table().backends, ["d/web:80", { id: "d/web:80", servers }]]) });
}

const podsBackend = `d/web:80${fromPodsMark}`;

/** The table with a Service that is asked by pods, not by an Ingress alone. */
function asked(servers: Backend["servers"], change: Partial<RouteTable> = {}): RouteTable {
  const base = serving(...servers);
  const destination = `127.0.0.1:${servicePort}`;
  return {
    ...base,
    services: [{ destination, backend: podsBackend, isSticky: false, isLeaving: false }],
    ...change,
    backends: new Map<string, Backend>([
      ...(change.backends ?? base.backends),
      [podsBackend, { id: podsBackend, servers, isForPods: true }],
    ]),
  };
}

interface Asked {
  readonly host?: string;
  /** Of the proxy; absent: the Ingress'. */
  readonly port?: number;
  readonly user?: string;
  readonly path?: string;
  readonly from?: string;
  readonly cookie?: string;
  readonly agent?: Agent;
}

function ask({
  host = "shop.com",
  port = proxy.httpPort,
  path = "/",
  from = "127.0.0.1",
  cookie,
  user,
  agent,
}: Asked): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      host,
      ...(cookie === undefined ? {} : { cookie }),
      ...(user === undefined ? {} : { "x-user": user }),
    };
    const options = {
      host: "127.0.0.1",
      port,
      path,
      headers,
      localAddress: from,
      agent: agent ?? false,
    };
    const outgoing = request(options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

const read = (): Promise<IngressTraffic> => readTraffic(proxy.runtime, proxy.plane);

async function series(): Promise<ReadonlyMap<string, number>> {
  return readExposition(exposeFamilies(trafficFamilies(await read()))).series;
}

const keyOf = (name: string, labels: Readonly<Record<string, string>>): string => {
  const texts = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `steersman_traffic_${name}{${texts.toSorted().join(",")}}`;
};
const web = { namespace: "d", service: "web", port: "80", from: "ingress" };
const shop = (version: string) => ({ ...web, ingress: "shop", version });

test("requests count by Ingress, Service, version and class of the status", { skip }, async () => {
  await proxy.plane.apply(table());
  for (let count = 0; count < 3; count++) assert.equal(await ask({}), "200 old");
  await ask({ path: "/?status=404" });
  await ask({ path: "/?status=503" });
  await ask({ host: "api.com" });
  // Behind a host that is written otherwise the route is found the long way round.
  await ask({ host: "SHOP.com:80" });
  const counted = await series();
  const requests = (labels: Record<string, string>): number | undefined => counted.get(keyOf("requests_total", labels));
  assert.equal(requests({ ...shop("v1"), code: "2xx" }), 4);
  assert.equal(requests({ ...shop("v1"), code: "4xx" }), 1);
  assert.equal(requests({ ...shop("v1"), code: "5xx" }), 1);
  assert.equal(requests({ ...web, ingress: "api", version: "v1", code: "2xx" }), 1);
});

test("what no pod answers is an error too", { skip }, async () => {
  assert.match(await ask({ path: "/gone" }), /^503/);
  const gone = keyOf("requests_total", {
    namespace: "d",
    service: "gone",
    port: "80",
    from: "ingress",
    ingress: "",
    version: "",
    code: "5xx",
  });
  await eventually(
    () => gone,
    async () => (await series()).get(gone) === 1,
  );
});

test("a histogram tells how long answers took to begin", { skip }, async () => {
  const bucket = (counted: ReadonlyMap<string, number>, le: string): number =>
    counted.get(keyOf("request_duration_seconds_bucket", { ...shop("v1"), le })) ?? 0;
  const before = await series();
  const begun = performance.now();
  await ask({ path: "/?after=300" });
  const tookSeconds = (performance.now() - begun) / 1000;
  const now = await series();
  assert.equal(bucket(now, "0.25") - bucket(before, "0.25"), 0, "it took 0.3 s");
  assert.equal(bucket(now, "+Inf") - bucket(before, "+Inf"), 1);
  const nameOf = (ending: string): string => keyOf(`request_duration_seconds_${ending}`, shop("v1"));
  assert.equal(now.get(nameOf("count")), bucket(now, "+Inf"));
  const sum = (now.get(nameOf("sum")) ?? 0) - (before.get(nameOf("sum")) ?? 0);
  assert.ok(0.25 <= sum && sum <= tookSeconds * 1.5, `${sum} s beside ${tookSeconds} s`);
});

test("a restart of the agent neither loses nor doubles a request", { skip }, async () => {
  const all = (counted: ReadonlyMap<string, number>): number =>
    [...counted].reduce((sum, [key, value]) => sum + (key.includes("duration_seconds_count") ? value : 0), 0);
  const before = await series();
  proxy.forget();
  // Nobody reads while these come.
  for (let count = 0; count < 5; count++) await ask({});
  await proxy.plane.apply(table());
  const now = await series();
  assert.equal(all(now) - all(before), 5);
  assert.equal(proxy.plane.reloads, 0);
  for (const key of before.keys()) assert.ok(now.has(key), `${key} is gone`);
});

test("two versions behind one Service are told apart, and what the first did stays", { skip }, async () => {
  const ok = (version: string): string => keyOf("requests_total", { ...shop(version), code: "2xx" });
  const before = (await series()).get(ok("v1")) ?? 0;
  await proxy.plane.apply(serving(serverOf("old", "v1"), serverOf("new", "v2")));
  for (let count = 0; count < 10; count++) await ask({});
  const during = await series();
  assert.equal((during.get(ok("v1")) ?? 0) - before + (during.get(ok("v2")) ?? 0), 10);
  assert.ok((during.get(ok("v2")) ?? 0) >= 4);
  await proxy.plane.apply(serving(serverOf("new", "v2")));
  assert.equal((await series()).get(ok("v1")), during.get(ok("v1")));
});

test("users are counted once, by address, on the side where they are while they are split", { skip }, async () => {
  const usersOf = async (version: string): Promise<number> => (await series()).get(keyOf("users", shop(version))) ?? 0;
  await proxy.plane.apply(serving(serverOf("old", "v3")));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let count = 0; count < 20; count++) await ask({ agent });
  agent.destroy();
  for (let last = 1; last <= 30; last++) await ask({ from: `127.0.0.${last}` });
  const byAddress = await usersOf("v3");
  // A sketch: 30 of 512 registers collide once or twice.
  assert.ok(27 <= byAddress && byAddress <= 33, `${byAddress} of 30`);

  const split = splitOfWeb({ to: { service: "web-new" }, threshold: 5000, run: "r1" });
  const sides = { ...split, backends: [{ from: "d/web:80", to: "d/web-new:80@web" }] };
  const backends = new Map([
    ...table().backends,
    ["d/web:80", { id: "d/web:80", servers: [serverOf("old", "v4")] }],
    ["d/web-new:80@web", { id: "d/web-new:80@web", servers: [serverOf("new", "v5")] }],
  ]);
  await proxy.plane.apply(table({ backends, splits: [sides] }));
  let chosen = 0;
  for (let user = 0; user < 60; user++) {
    const from = `127.0.0.${user + 1}`;
    for (let again = 0; again < 2; again++) {
      const body = await ask({ from, cookie: `sid=u${user}`, path: user === 0 ? "/?status=500" : "/" });
      if (again === 0 && body.endsWith("new")) chosen += 1;
    }
  }
  const [others, chosenUsers] = [await usersOf("v4"), await usersOf("v5")];
  assert.ok(Math.abs(others - (60 - chosen)) <= 5, `${others} of ${60 - chosen}`);
  assert.ok(Math.abs(chosenUsers - chosen) <= 5, `${chosenUsers} of ${chosen}`);
  // The canary's requests are the Service's, with the version as what tells them apart.
  const counted = await series();
  const requests = (version: string): number =>
    ["2xx", "5xx"].reduce(
      (sum, code) => sum + (counted.get(keyOf("requests_total", { ...shop(version), code })) ?? 0),
      0,
    );
  assert.equal(requests("v4") + requests("v5"), 120);
  assert.equal(requests("v5"), chosen * 2);
});

const fromPods = (version: string) => ({ ...web, from: "pods", ingress: "", version });

test(
  "what pods ask of a Service counts in the same series, and is told from what came by the Ingress",
  { skip },
  async () => {
    await proxy.plane.apply(asked([serverOf("old", "p1")]));
    const port = servicePort;
    const atIngress = (await series()).get(keyOf("requests_total", { ...shop("p1"), code: "2xx" })) ?? 0;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let count = 0; count < 5; count++) assert.equal(await ask({ port, agent }), "200 old");
    agent.destroy();
    for (let last = 2; last <= 20; last++) await ask({ port, from: `127.0.0.${last}` });
    assert.equal(await ask({ port, path: "/?status=404" }), "404 old");
    assert.equal(await ask({ port, path: "/?status=500&after=300", host: "invented.example" }), "500 old");
    await ask({});
    const counted = await series();
    const requests = (code: string): number | undefined =>
      counted.get(keyOf("requests_total", { ...fromPods("p1"), code }));
    assert.deepEqual(["2xx", "4xx", "5xx"].map(requests), [24, 1, 1]);
    assert.equal(counted.get(keyOf("requests_total", { ...shop("p1"), code: "2xx" })), atIngress + 1);
    const bucket = (le: string): number | undefined =>
      counted.get(keyOf("request_duration_seconds_bucket", { ...fromPods("p1"), le }));
    assert.equal(bucket("+Inf"), 26);
    assert.ok((bucket("0.25") ?? 26) < 26, "one took 0.3 s");
    const users = counted.get(keyOf("users", fromPods("p1"))) ?? 0;
    assert.ok(18 <= users && users <= 22, `${users} of 20`);
    assert.ok((counted.get(keyOf("sent_bytes_total", { ...web, from: "pods" })) ?? 0) > 0);
    assert.doesNotMatch(exposeFamilies(trafficFamilies(await read())), /invented/);
  },
);

test("during a canary the versions of both sides are told apart for pods too", { skip }, async () => {
  const to = `d/web-new:80${fromPodsMark}`;
  const split = splitOfWeb({
    to: { service: "web-new" },
    threshold: 5000,
    run: "r2",
    users: { header: "X-User" },
  });
  const servers = [serverOf("old", "p2")];
  const backends = new Map<string, Backend>([
    ...serving(...servers).backends,
    [to, { id: to, servers: [serverOf("new", "p3")], isForPods: true }],
  ]);
  const splits = [{ ...split, backends: [{ from: podsBackend, to }] }];
  await proxy.plane.apply(asked(servers, { backends, splits }));
  const answers: string[] = [];
  for (let user = 0; user < 40; user++)
    answers.push(await ask({ port: servicePort, user: `u${user}`, from: `127.0.0.${user + 1}` }));
  const chosen = answers.filter((answer) => answer === "200 new").length;
  assert.ok(5 < chosen && chosen < 35, `${chosen} of 40`);
  const counted = await series();
  const valueOf = (name: string, version: string, code?: string): number =>
    counted.get(keyOf(name, { ...fromPods(version), ...(code === undefined ? {} : { code }) })) ?? 0;
  assert.equal(valueOf("requests_total", "p3", "2xx"), chosen);
  assert.equal(valueOf("requests_total", "p2", "2xx"), 40 - chosen);
  assert.ok(Math.abs(valueOf("users", "p3") - chosen) <= 4);
  assert.ok(Math.abs(valueOf("users", "p2") - (40 - chosen)) <= 4);
});

test("what no pod answers to pods is an error, beside what pods of no known version fail at", { skip }, async () => {
  const { address, port } = pods.get("old")!;
  const errors = async (): Promise<number> =>
    (await series()).get(keyOf("requests_total", { ...fromPods(""), code: "5xx" })) ?? 0;
  await proxy.plane.apply(asked([{ address, port, weight: 100 }]));
  const before = await errors();
  assert.equal(await ask({ port: servicePort, path: "/?status=503" }), "503 old");
  await proxy.plane.apply(asked([]));
  assert.match(await ask({ port: servicePort }), /^503 </);
  // One series for both, or the page would be none.
  await eventually(
    () => "two errors",
    async () => (await errors()) === before + 2,
  );
});

test("nothing that a client sends becomes a label", { skip }, async () => {
  await proxy.plane.apply(table());
  await ask({ host: "invented.example", path: "/invented" });
  await ask({ path: "/invented?invented=1", cookie: "sid=invented" });
  await ask({ host: 'shop.com"invented' });
  assert.doesNotMatch(exposeFamilies(trafficFamilies(await read())), /invented/);
});

/** More backends than HAProxy has places for: it is reloaded. */
function crowded(count: number): RouteTable {
  const many = Array.from({ length: count }, (_, index) => `d/other-${index}:80`);
  const base = asked([serverOf("old", "v1")]);
  return {
    ...base,
    prefix: [
      ...base.prefix,
      ...many.map((id, index) => ({ site: "shop.com", path: `/${index}`, backend: id, ingress: "d/shop" })),
    ],
    backends: new Map<string, Backend>([
      ...base.backends,
      ...many.map((id): [string, Backend] => [id, { id, servers: [] }]),
    ]),
  };
}

test(
  "a reload of HAProxy takes nothing back, also for whoever reads meanwhile and after a restart of the agent",
  { skip },
  async () => {
    const ok = keyOf("requests_total", { ...shop("v1"), code: "2xx" });
    const sent = keyOf("sent_bytes_total", web);
    const toPods = keyOf("requests_total", { ...fromPods("v1"), code: "2xx" });
    await proxy.plane.apply(asked([serverOf("old", "v1")]));
    for (let count = 0; count < 5; count++) await ask({});
    for (let count = 0; count < 3; count++) await ask({ port: servicePort });
    const counters = (counted: ReadonlyMap<string, number>): [string, number][] =>
      [...counted].filter(([key]) => !key.includes("_users{"));
    const begun = await series();
    const reloads = proxy.plane.reloads;
    let last = begun;
    let isReloading = true;
    const reading = (async () => {
      while (isReloading) {
        // Between two processes nobody answers, which is no answer and not 0.
        const now = await series().catch(() => undefined);
        if (now === undefined) continue;
        for (const [key, value] of counters(last))
          assert.ok((now.get(key) ?? 0) >= value, `${key} went back from ${value}`);
        last = now;
      }
    })();
    await proxy.plane.apply(crowded(100));
    isReloading = false;
    await reading;
    assert.equal(proxy.plane.reloads, reloads + 1);
    await ask({});
    const after = await series();
    assert.equal(after.get(ok), (begun.get(ok) ?? 0) + 1);
    assert.equal(after.get(toPods), 3, "what pods asked is carried over too");
    assert.ok((after.get(sent) ?? 0) > (begun.get(sent) ?? 0));
    for (const [key, value] of counters(begun))
      assert.ok((after.get(key) ?? 0) >= value, `${key} went back from ${value}`);
    const users = keyOf("users", shop("v1"));
    assert.ok((after.get(users) ?? 0) >= (begun.get(users) ?? 0), "users of the last minutes are still known");

    proxy.forget();
    await proxy.plane.apply(crowded(100));
    assert.equal(proxy.plane.reloads, 0);
    assert.equal((await series()).get(ok), after.get(ok), "the agent that starts anew adds the same");
    await proxy.plane.apply(crowded(200));
    assert.equal(proxy.plane.reloads, 1);
    assert.equal((await series()).get(ok), after.get(ok), "a second reload carries what the first one did");
  },
);

test(
  "a HAProxy that died begins anew from nothing, and does not add to what nobody knows any more",
  { skip },
  async () => {
    const ok = keyOf("requests_total", { ...shop("v1"), code: "2xx" });
    await proxy.haproxy.stop();
    proxy.forget();
    await proxy.plane.apply(crowded(200));
    await ask({});
    assert.equal((await series()).get(ok), 1);
  },
);

test(
  "Prometheus' own parser accepts the page",
  { skip: skip !== false ? skip : spawnSync("promtool", ["--version"]).status === 0 ? false : "needs promtool" },
  async () => {
    const page = exposeFamilies(trafficFamilies(await read()));
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  },
);
