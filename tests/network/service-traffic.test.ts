/**
 * What pods ask of a Service through their node's proxy: a whole node's network with a real kernel and a real HAProxy, in network
 * namespaces of the test's own.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { endpointVersionsAnnotation } from "#api/discovery/endpoint-versions.ts";
import { noCounts } from "#network/ingress/carried.ts";
import { readTraffic } from "#network/ingress/counters.ts";
import { readSlots } from "#network/ingress/slots.ts";
import { readNumbers } from "#network/ingress/traffic-numbers.ts";
import { trafficFamilies } from "#observability/traffic/families.ts";
import { exposeFamilies } from "#telemetry/metrics.ts";
import { readSides } from "#network/ingress/split-counts.ts";
import { Runtime } from "#network/ingress/runtime.ts";
import { realTimers } from "#world/node/clock.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { readExposition } from "../observability/exposition.ts";
import type { Namespace } from "./namespaces.ts";
import { service, slice, splitByHeader as split } from "./objects.ts";
import { node, TestNode } from "./test-node.ts";
import { eventually } from "../eventually.ts";

const hasHaproxy = spawnSync("haproxy", ["-v"]).status === 0;
const skip = process.getuid?.() !== 0 ? "needs root" : !hasHaproxy && "needs haproxy";
const timers = realTimers({ keepAlive: true });
const users = 300;
const throughProxy = "steersman.dev/through-proxy";

interface Pod {
  readonly namespace: Namespace;
  readonly address: string;
}

interface Answer {
  readonly pod: string;
  /** Whom the pod sees. */
  readonly from: string;
  readonly forwardedFor?: string;
  readonly cookies?: readonly string[];
}

let stage: TestNode;
let old: Pod;
let fresh: Pod;
let caller: Pod;
let stranger: Pod;

const web = service("web", { clusterIP: "10.96.0.20" });
const candidate = service("web-canary", { clusterIP: "None" });
const shop = {
  metadata: { namespace: "default", name: "web", uid: "i" },
  spec: {
    rules: [
      {
        host: "web.test",
        http: {
          paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "web", port: { number: 80 } } } }],
        },
      },
    ],
  },
  status: {},
};

/** A pod that says who it is, whom it sees and what addresses came with the request. */
async function serve(pod: Pod, name: string): Promise<void> {
  const source = `
    import { createServer } from "node:http";
    const server = createServer((request, response) => response.end(JSON.stringify({
      pod: "${name}", from: request.socket.remoteAddress.replace("::ffff:", ""), forwardedFor: request.headers["x-forwarded-for"],
    })));
    server.keepAliveTimeout = 600_000;
    server.listen(8080, () => console.log("up"));`;
  await pod.namespace.start(process.execPath, ["--input-type=module", "-e", source]);
}

/** Asks once for each set of headers, one connection each; a failure is its code. */
async function ask(from: Namespace, url: string, headers: readonly Record<string, string>[]): Promise<Answer[]> {
  const source = `
    import { get } from "node:http";
    const once = (headers) => new Promise((resolve) => {
      const call = get("${url}", { headers, agent: false, timeout: 20_000 }, (response) => {
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve(response.statusCode === 200
          ? { ...JSON.parse(text), cookies: response.headers["set-cookie"] } : { pod: String(response.statusCode), from: text }));
      });
      call.on("timeout", () => call.destroy(Object.assign(new Error("late"), { code: "TIMEOUT" })));
      call.on("error", (error) => resolve({ pod: error.code, from: "" }));
    });
    const answers = [];
    for (const headers of ${JSON.stringify(headers)}) answers.push(await once(headers));
    console.log(JSON.stringify(answers));`;
  return JSON.parse(await from.script(source)) as Answer[];
}

async function askOnce(
  from: Namespace,
  headers: Record<string, string> = {},
  url = "http://10.96.0.20/",
): Promise<Answer> {
  const [answer] = await ask(from, url, [headers]);
  return answer ?? assert.fail("no answer");
}

const everyUser = Array.from({ length: users }, (_, user) => ({ "x-user": `u-${user}` }));

async function chosen(from: Namespace, url: string, also: Record<string, string> = {}): Promise<number[]> {
  const answers = await ask(
    from,
    url,
    everyUser.map((headers) => ({ ...headers, ...also })),
  );
  for (const { pod } of answers) assert.ok(pod === "old" || pod === "new", pod);
  return answers.flatMap(({ pod }, user) => (pod === "new" ? [user] : []));
}

/** Whether a pod's connections to the Service go through the proxy: then the pod that answers is told of an address. */
async function isProxied(from: Pod): Promise<boolean> {
  return (await askOnce(from.namespace)).forwardedFor !== undefined;
}

function feedService(annotations: Record<string, string>, spec: object = {}): void {
  stage.feed("services", { ...web, metadata: { ...web.metadata, annotations }, spec: { ...web.spec, ...spec } });
}

function podObject(name: string, { address }: Pod, labels: object = {}): object {
  return {
    metadata: { namespace: "default", name, labels },
    spec: { nodeName: "n1", containers: [] },
    status: { phase: "Running", podIP: address },
  };
}

const runtimeOf = (): Runtime =>
  new Runtime({ sockets: nodeSockets, timers, path: `${stage.folder}/network/haproxy/haproxy.sock` });

async function requestsThroughProxy(): Promise<number> {
  const [header = "", ...lines] = (await runtimeOf().command("show stat services 1 -1")).split("\n");
  return Number(lines[0]?.split(",")[header.replace("# ", "").split(",").indexOf("req_tot")]);
}

before(async () => {
  if (skip !== false) return;
  stage = new TestNode();
  stage.namespace.ip("addr add 192.168.9.1/32 dev lo");
  await stage.start([
    ["nodes", node],
    ["namespaces", { metadata: { name: "default" } }],
  ]);
  [old, fresh, caller, stranger] = [stage.pod(), stage.pod(), stage.pod(), stage.pod()];
  await serve(old, "old");
  await serve(fresh, "new");
  stage.feed("services", web);
  stage.feed("services", candidate);
  stage.feed("endpointslices", slice("web", 8080, [old.address]));
  stage.feed("endpointslices", slice("web-canary", 8080, [fresh.address]));
  stage.feed("ingresses", shop);
});

after(async () => {
  if (skip !== false) return;
  await stage.cleanUp();
  await stage[Symbol.asyncDispose]();
});

test("without an opt-in a Service keeps to packet rules and to its own pods", { skip }, async () => {
  await eventually("the Service is there", async () => (await askOnce(caller.namespace)).pod === "old");
  const ofIngress = { ...split, spec: { ...split.spec, ingress: "web" } };
  stage.feed("trafficsplits", ofIngress);
  await eventually(
    "the ingress splits",
    async () => (await chosen(stage.namespace, "http://192.168.9.1/", { host: "web.test" })).length > 0,
  );
  assert.deepEqual(await chosen(caller.namespace, "http://10.96.0.20/"), []);
  assert.equal((await askOnce(caller.namespace)).from, caller.address);
});

test("opted in, a user is of the same cohort at the Service as at the Ingress", { skip }, async () => {
  feedService({ [throughProxy]: "true" });
  await eventually("it goes through the proxy", () => isProxied(caller));
  const atIngress = await chosen(stage.namespace, "http://192.168.9.1/", { host: "web.test" });
  const atService = await chosen(caller.namespace, "http://10.96.0.20/");
  assert.ok(atIngress.length > users / 4 && atIngress.length < (users * 3) / 4, String(atIngress.length));
  assert.deepEqual(atService, atIngress);
  assert.deepEqual(await chosen(stage.namespace, "http://10.96.0.20/"), atIngress, "what runs on the node itself");
  const sides = readSides(await runtimeOf().command("show table sides"));
  assert.equal(sides.get("r-1/chosen")?.users, atIngress.length, "counted once, by whichever way they came");
  assert.equal(sides.get("r-1/others")?.users, users - atIngress.length);
});

test("who passes on no user gets the stable version, no cookie, and is told from no other", { skip }, async () => {
  const answers = await ask(
    caller.namespace,
    "http://10.96.0.20/",
    Array.from({ length: 20 }, () => ({})),
  );
  assert.deepEqual([...new Set(answers.map(({ pod }) => pod))], ["old"]);
  assert.ok(answers.every(({ cookies }) => cookies === undefined));
});

test("the pod learns who asked, behind whoever the caller says it was asked by", { skip }, async () => {
  assert.equal((await askOnce(caller.namespace)).forwardedFor, caller.address);
  const { forwardedFor, from } = await askOnce(caller.namespace, { "x-forwarded-for": "203.0.113.9" });
  assert.equal(forwardedFor, `203.0.113.9, ${caller.address}`);
  assert.equal(from, "10.244.1.1", "the proxy asks in the node's name");
  assert.equal((await askOnce(stage.namespace)).forwardedFor, "192.168.9.1");
});

test("users by address are those that the caller names, by cookie nobody gets one", { skip }, async () => {
  const byAddress = { clientAddress: true };
  stage.feed("trafficsplits", {
    ...split,
    spec: { ...split.spec, ingress: "web", threshold: 10_000, users: byAddress },
  });
  await eventually(
    "addresses are users",
    async () => (await askOnce(caller.namespace, { "x-forwarded-for": "203.0.113.9" })).pod === "new",
  );
  assert.equal((await askOnce(caller.namespace)).pod, "old");
  stage.feed("trafficsplits", {
    ...split,
    spec: { ...split.spec, ingress: "web", threshold: 10_000, users: { cookie: "sid" } },
  });
  await eventually(
    "cookies are users",
    async () => (await askOnce(caller.namespace, { cookie: "a=b; sid=7" })).pod === "new",
  );
  const { pod, cookies } = await askOnce(caller.namespace);
  assert.equal(pod, "old");
  assert.equal(cookies, undefined);
  stage.feed("trafficsplits", { ...split, spec: { ...split.spec, ingress: "web" } });
  await eventually("headers are users", async () => (await chosen(caller.namespace, "http://10.96.0.20/")).length > 0);
});

test("hosts, paths and destinations of a request reach nothing else", { skip }, async () => {
  const headers = { host: "web.test:80", "x-forwarded-for": '"; drop\\', "x-user": "u-1{}" };
  const { pod } = await askOnce(caller.namespace, headers, "http://10.96.0.20/%00/..//?{};");
  assert.match(pod, /^(old|new)$/);
  assert.equal((await askOnce(caller.namespace, { host: "web.test" }, "http://10.96.0.10/")).pod, "503");
  assert.equal((await askOnce(stage.namespace, { host: "web.test" }, "http://10.96.0.10/")).pod, "503");
});

test("a Service that is its own endpoint does not go in circles", { skip }, async () => {
  const circle = service("circle", { clusterIP: "10.96.0.66" });
  stage.feed("services", { ...circle, metadata: { ...circle.metadata, annotations: { [throughProxy]: "true" } } });
  stage.feed("endpointslices", slice("circle", 80, ["10.96.0.66"]));
  await eventually("it fails", async () =>
    /^50|^E/.test((await askOnce(caller.namespace, {}, "http://10.96.0.66/")).pod),
  );
  const before = await requestsThroughProxy();
  await askOnce(caller.namespace, {}, "http://10.96.0.66/");
  const requests = (await requestsThroughProxy()) - before;
  assert.ok(requests < 3, `${requests} requests for one`);
});

/** Clients with connections that stay and with new ones, until told to stop; answers what was lost. */
async function underLoad(while_: () => Promise<void>): Promise<{ lost: string[]; sent: number }> {
  const source = `
    import { Agent, get } from "node:http";
    const kept = new Agent({ keepAlive: true, maxSockets: 4 });
    const lost = [];
    let sent = 0;
    let over = false;
    process.stdin.on("end", () => (over = true)).resume();
    const once = (agent, user) => new Promise((resolve) => {
      const call = get("http://10.96.0.20/", { agent, timeout: 30_000, headers: { "x-user": "u-" + user } }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      });
      call.on("timeout", () => call.destroy(Object.assign(new Error("late"), { code: "TIMEOUT" })));
      // A kept connection may end just when it is used again; HTTP lets a GET be repeated then.
      call.on("error", (error) => resolve(call.reusedSocket ? "again" : error.code));
    });
    const worker = async (agent) => {
      while (!over) {
        const answer = await once(agent, sent++ % 100);
        if (answer !== 200 && answer !== "again") lost.push(answer);
      }
    };
    console.log("up");
    await Promise.all([worker(kept), worker(kept), worker(false), worker(false)]);
    console.log(JSON.stringify({ lost, sent }));
    process.exit();`;
  const { child } = await caller.namespace.start(process.execPath, ["--input-type=module", "-e", source]);
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => child.once("close", resolve));
  await while_();
  child.stdin?.end();
  await ended;
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as { lost: string[]; sent: number };
}

test("opting out and in again, time after time, loses no request", { skip }, async () => {
  const { lost, sent } = await underLoad(async () => {
    for (let round = 0; round < 5; round++) {
      feedService({ [throughProxy]: "false" });
      await eventually("it goes by packet rules", async () => !(await isProxied(caller)));
      assert.equal((await askOnce(caller.namespace)).from, caller.address);
      feedService({ [throughProxy]: "true" });
      await eventually("it goes through the proxy", () => isProxied(caller));
    }
  });
  assert.deepEqual(lost, []);
  assert.ok(sent > 100, `${sent} requests`);
});

test("while the proxy is reloaded no request is lost, and when it dies new ones go on", { skip }, async () => {
  const pidFile = `${stage.folder}/network/haproxy/haproxy.pid`;
  const master = (): number => Number(stage.namespace.run("cat", [pidFile]));
  const workers = (): string => stage.namespace.run("pgrep", ["-P", String(master())]).trim();
  const reloaded = await underLoad(async () => {
    const before = workers();
    process.kill(master(), "SIGUSR2");
    await eventually("another process serves", async () => workers() !== before);
    await askOnce(caller.namespace);
  });
  assert.deepEqual(reloaded.lost, []);
  const dead = await underLoad(async () => {
    const pid = master();
    for (const worker of workers().split("\n")) process.kill(Number(worker), "SIGKILL");
    process.kill(pid, "SIGKILL");
    await eventually("another one serves", async () => {
      const info = await runtimeOf()
        .command("show info")
        // Between two processes nobody answers.
        .catch(() => "");
      return info !== "" && master() !== pid;
    });
    await eventually("it goes through the proxy again", () => isProxied(caller));
  });
  // What was under way in the process that died, or waited for it, is lost with it. Nobody is refused.
  assert.deepEqual(
    dead.lost.filter((code) => code !== "ECONNRESET"),
    [],
  );
  assert.ok(dead.lost.length < dead.sent, "the others go on");
});

test("a killed agent changes nothing, and the next one keeps everybody where they are", { skip }, async () => {
  const first = await chosen(caller.namespace, "http://10.96.0.20/");
  await stage.kill();
  assert.deepEqual(await chosen(caller.namespace, "http://10.96.0.20/"), first);
  const { lost } = await underLoad(async () => {
    await stage.start([
      ["nodes", node],
      ["namespaces", { metadata: { name: "default" } }],
    ]);
    assert.deepEqual(await chosen(caller.namespace, "http://10.96.0.20/"), first);
  });
  assert.deepEqual(lost, []);
});

test("connections to pods are used again, also to pods that came while the proxy ran", { skip }, async () => {
  /** Of all servers of Services: requests on connections that were there. */
  const reused = async (): Promise<number> => {
    const [header = "", ...lines] = (await runtimeOf().command("show stat -1 4 -1")).split("\n");
    const at = header.replace("# ", "").split(",").indexOf("reuse");
    return lines.reduce((sum, line) => sum + (/^b8\d+,s/.test(line) ? Number(line.split(",")[at]) : 0), 0);
  };
  // A Service of its own, so that its server is one that HAProxy did not start with.
  const late = service("late", { clusterIP: "10.96.0.70" });
  stage.feed("services", { ...late, metadata: { ...late.metadata, annotations: { [throughProxy]: "true" } } });
  stage.feed("endpointslices", slice("late", 8080, [old.address]));
  const lateUrl = "http://10.96.0.70/";
  await eventually(
    "it goes through the proxy",
    async () => (await askOnce(caller.namespace, {}, lateUrl)).forwardedFor !== undefined,
  );
  const before = await reused();
  const { pathname, hostname } = new URL(lateUrl);
  await caller.namespace.script(`
    import { Agent, get } from "node:http";
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let index = 0; index < 10; index++)
      await new Promise((resolve, reject) =>
        get({ host: "${hostname}", path: "${pathname}", agent }, (response) => response.resume().on("end", resolve)).on("error", reject));
    process.exit();`);
  assert.ok((await reused()) - before >= 9, "each request but the first");
});

test(
  "any Service that asks for it, also one that nobody splits or routes to, tells its golden signals",
  { skip },
  async () => {
    const url = "http://10.96.0.71/";
    const plain = service("plain", { clusterIP: "10.96.0.71" });
    const endpoints = slice("plain", 8080, [old.address]);
    stage.feed("services", { ...plain, metadata: { ...plain.metadata, annotations: { [throughProxy]: "true" } } });
    stage.feed("endpointslices", {
      ...endpoints,
      metadata: { ...endpoints.metadata, annotations: { [endpointVersionsAnnotation]: "7.1" } },
    });
    const asked = async (from: Pod): Promise<Answer> => askOnce(from.namespace, {}, url);
    await eventually("it goes through the proxy", async () => (await asked(caller)).forwardedFor !== undefined);
    const folder = `${stage.folder}/network/haproxy`;
    const traffic = async (): Promise<ReadonlyMap<string, number>> => {
      const slots = readSlots(readFileSync(`${folder}/slots.json`, "utf8")) ?? assert.fail();
      const numbers = readNumbers(readFileSync(`${folder}/traffic.json`, "utf8")) ?? assert.fail();
      const read = await readTraffic(runtimeOf(), { slots, numbers, carriedTo: () => noCounts });
      return readExposition(exposeFamilies(trafficFamilies(read))).series;
    };
    const labels = 'from="pods",ingress="",namespace="default",port="80",service="plain",version="7.1"';
    const ok = `steersman_traffic_requests_total{code="2xx",${labels}}`;
    await eventually("it has its number", async () => (await asked(caller), (await traffic()).get(ok) !== undefined));
    const before = await traffic();
    for (let count = 0; count < 5; count++) await asked(caller);
    await asked(stranger);
    const now = await traffic();
    assert.equal((now.get(ok) ?? 0) - (before.get(ok) ?? 0), 6);
    assert.equal(now.get(`steersman_traffic_request_duration_seconds_count{${labels}}`), now.get(ok));
    assert.equal(now.get(`steersman_traffic_users{${labels}}`), 2, "the pods that asked");
  },
);

test("a client stays with its pod where the Service wants that", { skip }, async () => {
  stage.feed("endpointslices", slice("web", 8080, [old.address, fresh.address]));
  await eventually("both answer", async () => {
    const answers = await ask(caller.namespace, "http://10.96.0.20/", [{}, {}, {}, {}]);
    return new Set(answers.map(({ pod }) => pod)).size === 2;
  });
  feedService({ [throughProxy]: "true" }, { sessionAffinity: "ClientIP" });
  await eventually("it is known", async () =>
    (await runtimeOf().command("show map sticky.map")).includes("10.96.0.20:80"),
  );
  const seen = async (from: Pod): Promise<number> =>
    new Set(
      (
        await ask(
          from.namespace,
          "http://10.96.0.20/",
          Array.from({ length: 10 }, () => ({})),
        )
      ).map(({ pod }) => pod),
    ).size;
  assert.deepEqual(await Promise.all([seen(caller), seen(stranger)]), [1, 1]);
  feedService({ [throughProxy]: "true" });
  stage.feed("endpointslices", slice("web", 8080, [old.address]));
  await eventually(
    "it is as before",
    async () => !(await runtimeOf().command("show map sticky.map")).includes("10.96.0.20:80"),
  );
});

test(
  "network policies hold: a caller that may not talk goes past the proxy, a shielded Service is not sent there",
  { skip },
  async () => {
    stage.feed("pods", podObject("old", old, { app: "web" }));
    stage.feed("pods", podObject("new", fresh, { app: "web" }));
    stage.feed("pods", podObject("caller", caller, { role: "caller" }));
    stage.feed("pods", podObject("stranger", stranger, { role: "stranger" }));
    const policy = (name: string, spec: object): object => ({ metadata: { namespace: "default", name }, spec });
    const isCutOff = async (from: Pod): Promise<boolean> => {
      const code = from.namespace.script(`
      const answer = await fetch("http://10.96.0.20/", { signal: AbortSignal.timeout(1_000) }).then(() => "yes", (error) => error.name);
      process.stdout.write(answer, () => process.exit());`);
      return (await code) === "TimeoutError";
    };
    // A caller that may talk to nobody.
    const silent = policy("silent", { podSelector: { matchLabels: { role: "stranger" } }, policyTypes: ["Egress"] });
    stage.feed("networkpolicies", silent);
    await eventually("the stranger is cut off", () => isCutOff(stranger));
    await eventually("others still go through the proxy", () => isProxied(caller));
    // One that may talk to some pods of the Service only, and one that may talk to all.
    const to = [{ ipBlock: { cidr: `${old.address}/32` } }];
    stage.feed("networkpolicies", policy("silent", { ...(silent as { spec: object }).spec, egress: [{ to }] }));
    await eventually(
      "the stranger is let through to the old pods",
      async () => (await askOnce(stranger.namespace)).pod === "old",
    );
    assert.equal(await isProxied(stranger), false, "the proxy could choose a pod that is forbidden");
    const both = [{ podSelector: { matchLabels: { app: "web" } } }];
    stage.feed("networkpolicies", policy("silent", { ...(silent as { spec: object }).spec, egress: [{ to: both }] }));
    await eventually("the stranger goes through the proxy", () => isProxied(stranger));
    // Who may talk to the pods of the Service.
    const from = [{ podSelector: { matchLabels: { role: "caller" } } }];
    stage.feed(
      "networkpolicies",
      policy("friends", { podSelector: { matchLabels: { app: "web" } }, ingress: [{ from }] }),
    );
    await eventually("the stranger is cut off again", () => isCutOff(stranger));
    await eventually("the caller is let through", async () => (await askOnce(caller.namespace)).pod === "old");
    assert.equal((await askOnce(caller.namespace)).from, caller.address, "by packet rules, in its own name");
    // Not even by the proxy's own address, whatever it asks for.
    assert.equal((await askOnce(stranger.namespace, { host: "10.96.0.20" }, "http://10.96.0.10/")).pod, "503");
    const unknown = stage.pod();
    assert.equal(await isCutOff(unknown), true, "an address that nobody told of");
  },
);
