// Users split by a real HAProxy on loopback: whether anybody outside the canary sees the new version, whether anybody falls back while
// the share grows, whether releases and rollbacks lose a request, how long threshold 0 takes, what a running canary costs. And the
// verdict in 1,000 simulated releases. Prints one JSON line per figure. The floor of the cost is HAProxy configured by hand for this one
// canary, in the same run: a hash and a threshold from a map, users and those in errors in stick tables, the cookie set when missing,
// failed requests tried again. The bare proxy beside it only forwards.
// And what a copied request costs HAProxy, and a copy its node's agent.
//   node benches/canary.ts [requests] [users] [verdict|users|losses|cut|cost|mirror]
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer as createHttpServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "#base/seeded-random.ts";
import { judge } from "#delivery/canary/verdict.ts";
import { IngressDataPlane } from "#network/ingress/data-plane.ts";
import { Haproxy } from "#network/ingress/haproxy.ts";
import { copyBytes, readMirrorLine, type CopyLine } from "#network/ingress/mirror-line.ts";
import { Mirrors, mirrorsOf } from "#network/ingress/mirror.ts";
import type { RouteTable } from "#network/ingress/route-table.ts";
import { Runtime } from "#network/ingress/runtime.ts";
import { sendCopy } from "#network/ingress/send-copy.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { whenCutOff } from "../tests/cluster/cut-off.ts";
import { report } from "./report.ts";
import { freePort } from "../tests/free-port.ts";

const requests = Number(process.argv[2] ?? 1_000_000);
const users = Number(process.argv[3] ?? 100_000);
const connections = 64;
const pipelined = 1;
const costRounds = 8;
const costRequests = 5_000;
const costUsers = 20_000;
const titles = {
  bare: "bare proxy",
  byHand: "canary by hand",
  canary: "canary running",
  plain: "ours without a canary",
};
const folder = mkdtempSync(`${tmpdir()}/steer-bench-canary-`);
const timers = realTimers({ keepAlive: true });
const cleanUps: (() => unknown)[] = [];

async function cleanUpAll(): Promise<void> {
  mirrors.stop();
  plane.close();
  await haproxy.stop();
  for (const cleanUp of cleanUps) cleanUp();
  rmSync(folder, { recursive: true, force: true });
}

const ports = {
  old: freePort(),
  new: freePort(),
  bare: freePort(),
  byHand: freePort(),
  http: freePort(),
  https: freePort(),
};
const defaults = "defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n";

/** A HAProxy of the bench's own: the pods, and the floor. */
function startOwn(name: string, body: string): number {
  const file = `${folder}/${name}.cfg`;
  writeFileSync(file, `${defaults}${body}`);
  // In a session of its own as ours is: schedulers share processors among sessions.
  const child = spawn("haproxy", ["-db", "-f", file], { stdio: "ignore", detached: true });
  cleanUps.push(() => child.kill("SIGKILL"));
  return child.pid ?? 0;
}

startOwn(
  "pods",
  (["old", "new"] as const)
    .map(
      (name) =>
        `frontend ${name}\n  bind 127.0.0.1:${ports[name]}\n  http-request return status 200 content-type text/plain string ${name}\n`,
    )
    .join(""),
);
const forwarded = `  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
`;
const isOurs = "{ req.hdr(host),lower -m str a.com }";
const hasFresh = "{ var(txn.fresh) -m found }";
const cookieText = "sid=%[var(txn.fresh)]; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax";

const barePid = startOwn(
  "bare",
  `frontend web
  bind 127.0.0.1:${ports.bare}
${forwarded}  use_backend web if ${isOurs}
backend web
  server s1 127.0.0.1:${ports.old}
`,
);

writeFileSync(`${folder}/by-hand.map`, "web 200\n");
const byHandPid = startOwn(
  "by-hand",
  `  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
backend new_users
  stick-table type string len 48 size 1m expire 24h store gpc0
backend old_users
  stick-table type string len 48 size 1m expire 24h store gpc0
frontend web
  bind 127.0.0.1:${ports.byHand}
  http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }
${forwarded}  http-request set-var(txn.user) req.cook(sid)
  http-request set-var(txn.fresh) uuid() unless { var(txn.user) -m found }
  http-request set-var(txn.user) var(txn.fresh) if ${hasFresh}
  http-request set-var(txn.bucket) str(0123456789abcdef),concat(|,txn.user,),xxh32,mod(10000)
  http-request set-var(txn.new) bool(true) if { str(web),map_str_int(${folder}/by-hand.map,0),sub(txn.bucket) -m int gt 0 }
  http-request track-sc0 var(txn.user) table new_users if { var(txn.new) -m found }
  http-request track-sc0 var(txn.user) table old_users unless { var(txn.new) -m found }
  http-after-response set-var(txn.counted) sc_inc_gpc0(0) if { status ge 500 }
  http-after-response add-header Set-Cookie "${cookieText}" if ${hasFresh}
  use_backend new if { var(txn.new) -m found } ${isOurs}
  use_backend old if ${isOurs}
backend old
  server s1 127.0.0.1:${ports.old}
backend new
  server s1 127.0.0.1:${ports.new}
`,
);

const runtime = new Runtime({ sockets: nodeSockets, timers, path: `${folder}/haproxy.sock` });
const listen = { addresses: ["127.0.0.1"], httpPort: ports.http, httpsPort: ports.https };
const certificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -keyout -";
const defaultCertificate = (): Promise<string> =>
  Promise.resolve(spawnSync("openssl", certificate.split(" "), { encoding: "utf8" }).stdout);
const shared = { disk: realDisk, runtime, folder, listen };
const haproxy = new Haproxy({ ...shared, processes: realProcesses, clock: realClock, timers, defaultCertificate });
const onProblem = (problem: string, error: unknown): void =>
  void process.stderr.write(`${problem}: ${String(error)}\n`);
const sending = { sockets: nodeSockets, clock: realClock, timers };
const mirrors = new Mirrors({ ...sending, runtime, onProblem });
const plane = new IngressDataPlane({ ...shared, haproxy, onGone: () => undefined });

/** A canary's share as the ingress is told it; without one nobody is split. Without a port the new version has no pods. */
async function apply(
  threshold: number | undefined,
  run = "bench-1",
  oldPort = ports.old,
  newPort: number | undefined = oldPort === ports.old ? ports.new : undefined,
  copied?: number,
): Promise<void> {
  const backend = (id: string, port: number | undefined) =>
    [id, { id, servers: port === undefined ? [] : [{ address: "127.0.0.1", port, weight: 100 }] }] as const;
  const split = {
    id: "d/web",
    backends: [newPort === undefined ? { from: "d/web:80" } : { from: "d/web:80", to: "d/new:80" }],
    user: { kind: "cookie", name: "sid" },
    hashKey: "0123456789abcdef",
    threshold: threshold ?? 0,
    excluded: [],
    errorStatuses: ["5"],
    run,
    ...(copied === undefined ? {} : { mirror: { threshold: copied, methods: ["GET", "HEAD"] } }),
  } as const;
  const table: RouteTable = {
    sites: ["a.com"],
    exact: [],
    prefix: [{ site: "a.com", path: "", backend: "d/web:80" }],
    backends: new Map([backend("d/web:80", oldPort), backend("d/new:80", newPort)]),
    certificates: [],
    splits: threshold === undefined ? [] : [split],
  };
  await plane.apply(table);
  mirrors.hold(mirrorsOf(table, plane.slots), plane.reloads);
}

interface Load {
  readonly seconds: number;
  /** Answers that were neither version's. */
  readonly wrong: number;
}

/** Pipelined requests of users on some connections; `seen` gets who was answered by which version. */
async function load(
  port: number,
  count: number,
  userOf: (index: number) => number,
  seen: (user: number, isNew: boolean) => void,
): Promise<Load> {
  let asked = 0;
  let wrong = 0;
  const begun = performance.now();
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1");
      const waiting: number[] = [];
      let rest = "";
      const ask = (): void => {
        let text = "";
        while (waiting.length < pipelined && asked < count) {
          const user = userOf(asked);
          asked += 1;
          waiting.push(user);
          text += `GET / HTTP/1.1\r\nhost: a.com\r\ncookie: theme=dark; sid=user-${user}\r\n\r\n`;
        }
        if (text !== "") socket.write(text);
        if (waiting.length === 0) socket.end();
      };
      socket.setEncoding("latin1");
      socket.on("connect", ask);
      socket.on("error", reject);
      socket.on("close", () => resolve());
      socket.on("data", (chunk: string) => {
        rest += chunk;
        // Every answer has the same form: three characters of body after an empty line.
        for (let end = rest.indexOf("\r\n\r\n"); end !== -1 && rest.length >= end + 7; end = rest.indexOf("\r\n\r\n")) {
          const body = rest.slice(end + 4, end + 7);
          const user = waiting.shift() ?? -1;
          if (body === "new" || body === "old") seen(user, body === "new");
          else wrong += 1;
          rest = rest.slice(end + 7);
        }
        if (waiting.length === 0 || waiting.length <= pipelined / 2) ask();
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
  return { seconds: (performance.now() - begun) / 1000, wrong };
}

/** Processor seconds that a process has used: what the scheduler counted for each of its threads. */
function cpuSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9;
}

function print(figure: string, value: number, unit: string, more: { target?: number; floor?: number } = {}): void {
  report({ bench: "canary", figure, value, unit, ...more });
}

/** While the share grows from 0.01 % to 50 %: who ever sees the new version keeps it, and nobody else does. */
async function measureStickiness(): Promise<void> {
  const thresholds = [1, 10, 100, 200, 1_000, 2_500, 5_000];
  const hasNew = new Uint8Array(users);
  const perStep = Math.ceil(requests / thresholds.length / 2);
  let [fellBack, outside, wrong] = [0, 0, 0];
  for (const [index, threshold] of thresholds.entries()) {
    await apply(threshold, `bench-${index}`);
    const side = new Uint8Array(users);
    const userOf = (at: number): number => (at * 7_919 + index) % users;
    // Twice the same users at one threshold: whoever was outside the first time must be so the second time.
    for (let pass = 0; pass < 2; pass++) {
      const done = await load(ports.http, perStep, userOf, (user, isNew) => {
        if (isNew && side[user] === 1) outside += 1;
        if (!isNew && hasNew[user] === 1) fellBack += 1;
        if (isNew) hasNew[user] = 1;
        side[user] = isNew ? 2 : 1;
      });
      wrong += done.wrong;
    }
    const share =
      side.reduce((sum, which) => sum + Number(which === 2), 0) /
      side.reduce((sum, which) => sum + Number(which > 0), 0);
    print(`users with the new version at ${threshold / 100} %`, share * 100, "%", { target: threshold / 100 });
  }
  print(`users outside the canary who saw the new version, ${requests} requests, ${users} users`, outside, "users", {
    target: 0,
  });
  print("canary users who fell back while the share grew", fellBack, "users", { target: 0 });
  print("answers that no version gave", wrong, "requests", { target: 0 });
}

/** From the write of threshold 0 to the last request that began afterwards and reached the new version. */
async function measureCut(): Promise<void> {
  const times: number[] = [];
  for (let run = 0; run < 10; run++) {
    await apply(5_000, `cut-${run}`);
    let lastNewMs = 0;
    const running = load(
      ports.http,
      20_000,
      (index) => index % 1_000,
      (_user, isNew) => {
        if (isNew) lastNewMs = performance.now();
      },
    );
    await sleep(100);
    const begunMs = performance.now();
    await apply(0, `cut-${run}`);
    await running;
    times.push(Math.max(0, lastNewMs - begunMs));
  }
  print(
    "threshold 0 until no request of a canary user reaches the new version, slowest of 10",
    Math.max(...times),
    "ms",
    { target: 1_000 },
  );
}

/** What a request costs through each proxy, round by round so that all meet the same machine. */
async function measureCost(): Promise<void> {
  const pid = Number(/^Pid: (\d+)$/m.exec(await runtime.command("show info"))?.[1]);
  const ways = {
    bare: { port: ports.bare, pid: barePid, prepare: () => Promise.resolve() },
    byHand: { port: ports.byHand, pid: byHandPid, prepare: () => Promise.resolve() },
    canary: { port: ports.http, pid, prepare: () => apply(200, "cost") },
    plain: { port: ports.http, pid, prepare: () => apply(undefined) },
  };
  type Way = keyof typeof ways;
  const names = Object.keys(ways) as Way[];
  const cpuUs: Record<Way, number[]> = { bare: [], byHand: [], canary: [], plain: [] };
  const perSecond: Record<Way, number[]> = { bare: [], byHand: [], canary: [], plain: [] };
  // Users come back: each is known to whoever counts before anything is measured.
  for (const name of ["byHand", "canary"] as const) {
    await ways[name].prepare();
    await load(
      ways[name].port,
      costUsers,
      (index) => index,
      () => undefined,
    );
  }
  for (let round = 0; round < costRounds; round++) {
    // Whoever comes first meets another machine than whoever comes last: each is first as often as the others.
    for (const name of [...names.slice(round % names.length), ...names.slice(0, round % names.length)]) {
      const { port, pid: of, prepare } = ways[name];
      await prepare();
      const before = cpuSeconds(of);
      const { seconds } = await load(
        port,
        costRequests,
        (index) => (round * costRequests + index) % costUsers,
        () => undefined,
      );
      cpuUs[name].push(((cpuSeconds(of) - before) / costRequests) * 1e6);
      perSecond[name].push(costRequests / seconds);
    }
  }
  const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
  /** Of two ways in the same round: what else the machine does meanwhile troubles both. */
  const ratio = (of: Way, to: Way): number =>
    middle(perSecond[of].map((rate, round) => rate / (perSecond[to][round] ?? 1))) * 100;
  for (const name of names) {
    const floor = name === "bare" ? {} : { floor: middle(cpuUs[name === "canary" ? "byHand" : "bare"]) };
    print(`processor time of HAProxy a request, ${titles[name]}`, middle(cpuUs[name]), "us", floor);
  }
  for (const name of names) print(`throughput, ${titles[name]}`, middle(perSecond[name]), "requests/s");
  print("throughput with a running canary, of a canary by hand", ratio("canary", "byHand"), "%", { target: 95 });
  print("throughput with a running canary, of the bare proxy", ratio("canary", "bare"), "%");
  print("throughput without a canary, of the bare proxy", ratio("plain", "bare"), "%");
}

/** Of requests that are copied, in HAProxy; of a copy that is sent, and of one that is dropped, in the agent. */
async function measureMirror(): Promise<void> {
  const pid = Number(/^Pid: (\d+)$/m.exec(await runtime.command("show info"))?.[1]);
  const parts = { "no request copied": 0, "a tenth copied": 1_000, "each copied": 10_000 } as const;
  const cpuUs = new Map<string, number[]>();
  for (let round = 0; round < costRounds; round++) {
    for (const [name, copied] of Object.entries(parts)) {
      await apply(0, "mirror", ports.old, ports.new, copied);
      const before = cpuSeconds(pid);
      await load(
        ports.http,
        costRequests,
        (index) => index % costUsers,
        () => undefined,
      );
      cpuUs.set(name, [...(cpuUs.get(name) ?? []), ((cpuSeconds(pid) - before) / costRequests) * 1e6]);
    }
  }
  for (const [name, values] of cpuUs) {
    const middle = values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
    print(`processor time of HAProxy a request, ${name}`, middle, "us");
  }
  mirrors.stop();
  const headers = "host: a.com\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64)\r\ncookie: theme=dark; sid=user-1\r\n";
  const line = `r/others 200 - 1|1 b0001 r/others GET ${btoa("/a?b=c")} ${btoa(headers)} - .`;
  const copyOf = (): CopyLine => {
    const read = readMirrorLine(line);
    if (read.kind !== "copy") throw new Error("The line is no copy");
    return read.copy;
  };
  const copies = 2_000;
  const one = async (): Promise<void> => {
    for (let index = 0; index < copies / connections; index++)
      await sendCopy(sending, { address: "127.0.0.1", port: ports.new }, copyBytes(copyOf())!).answer;
  };
  for (const isWarm of [false, true]) {
    const sent = process.cpuUsage();
    await Promise.all(Array.from({ length: connections }, one));
    const { user, system } = process.cpuUsage(sent);
    if (isWarm) print("processor time of the agent a copy that is sent", (user + system) / copies, "us");
  }
  const read = process.cpuUsage();
  for (let index = 0; index < copies * 10; index++) copyOf();
  const { user, system } = process.cpuUsage(read);
  print("processor time of the agent a copy that is dropped", (user + system) / copies / 10, "us");
}

interface Version {
  readonly port: number;
  /** Ends as a pod does: takes nothing new, lets what is under way end, and closes connections that nobody uses. */
  end(): Promise<void>;
}

async function startVersion(number: number): Promise<Version> {
  const server = createHttpServer((_incoming, response) => {
    response.writeHead(200, { "x-version": String(number) }).end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ended = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return {
    port: (server.address() as { port: number }).port,
    end: () => {
      const done = ended();
      server.closeIdleConnections();
      return done;
    },
  };
}

/** Users who come at an even pace, whatever happens to the answers. */
class Visitors {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 200 });
  readonly #timer: NodeJS.Timeout;
  readonly #begunMs = performance.now();
  readonly lost = new Map<string, number>();
  sent = 0;
  #open = 0;

  constructor(perSecond: number) {
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#begunMs) * perSecond) / 1000;
      while (this.sent < due && this.#open < 1_000) this.#ask(this.sent % 5_000);
    }, 5);
  }

  async end(): Promise<{ perSecond: number }> {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#begunMs) / 1000;
    for (let waited = 0; this.#open > 0 && waited < 20_000; waited += 20) await sleep(20);
    if (this.#open > 0) this.#lose("no answer", this.#open);
    this.#agent.destroy();
    return { perSecond: this.sent / seconds };
  }

  #ask(user: number): void {
    this.sent += 1;
    this.#open += 1;
    const headers = { host: "a.com", cookie: `sid=user-${user}` };
    const call = request({ host: "127.0.0.1", port: ports.http, agent: this.#agent, headers }, (response) => {
      response.resume();
      response.on("end", () => {
        this.#open -= 1;
        if (response.statusCode !== 200) this.#lose(`status ${response.statusCode}`, 1);
      });
    });
    call.on("error", (error) => {
      this.#open -= 1;
      this.#lose(error.message, 1);
    });
    call.end();
  }

  #lose(what: string, count: number): void {
    this.lost.set(what, (this.lost.get(what) ?? 0) + count);
  }
}

/** Releases one after the other under load: each goes through its steps to everybody, or back from the first; old pods end. */
async function measureLosses(): Promise<void> {
  const releases = 100;
  const visitors = new Visitors(1_000);
  let number = 1;
  let stable = await startVersion(number);
  await apply(0, "loss", stable.port);
  for (let release = 0; release < 2 * releases; release++) {
    const candidate = await startVersion(++number);
    const isGood = release % 2 === 0;
    for (const threshold of isGood ? [200, 2_500, 10_000] : [200, 0]) {
      await apply(threshold, `loss-${release}`, stable.port, candidate.port);
      await sleep(30);
    }
    const [kept, gone] = isGood ? [candidate, stable] : [stable, candidate];
    // The promoted version's pods become the Service's, then nobody is chosen any more; pods go when every node has said so.
    if (isGood) {
      await apply(10_000, `loss-${release}`, candidate.port, candidate.port);
      await apply(0, `loss-${release}`, candidate.port, candidate.port);
    }
    await sleep(30);
    await apply(0, `loss-${release}`, kept.port);
    await gone.end();
    stable = kept;
  }
  const { perSecond } = await visitors.end();
  await stable.end();
  const lost = [...visitors.lost.values()].reduce((sum, count) => sum + count, 0);
  for (const [what, count] of visitors.lost) process.stderr.write(`${count} lost: ${what}\n`);
  print("requests a second while releases went on", perSecond, "requests/s", { target: 1_000 });
  print(`requests lost in ${releases} canaries and ${releases} rollbacks, of ${visitors.sent}`, lost, "requests", {
    target: 0,
  });
}

/** Users come one by one and each is looked at. */
function simulate(trueShare: number, seed: number): string {
  const random = new SeededRandom(`${trueShare} ${seed}`);
  const chosen = { users: 0, inErrors: 0 };
  const evidence = { others: { users: 5_000, inErrors: 50 }, limit: 0.1, confidence: 0.95, minUsers: 0, missing: [] };
  for (let user = 0; user < 5_000; user++) {
    chosen.users += 1;
    if (random.chance(trueShare)) chosen.inErrors += 1;
    const { verdict } = judge({ ...evidence, chosen });
    if (verdict !== "NotEnoughData") return verdict;
  }
  return "NotEnoughData";
}

function measureVerdict(): void {
  const of = (trueShare: number, verdict: string): number =>
    Array.from({ length: 1_000 }, (_, seed) => simulate(trueShare, seed)).filter((one) => one === verdict).length / 10;
  print("false rollbacks of versions whose users err at 5 %, limit 10 %, of 1,000", of(0.05, "Fail"), "%", {
    target: 1,
  });
  print("missed bad versions whose users err at 20 %, limit 10 %, of 1,000", of(0.2, "Pass"), "%", { target: 1 });
}

const takeBack = whenCutOff(cleanUpAll);
try {
  const only = process.argv[4];
  const isAsked = (part: string): boolean => only === undefined || only === part;
  if (isAsked("verdict")) measureVerdict();
  await apply(0);
  if (isAsked("users")) await measureStickiness();
  if (isAsked("losses")) await measureLosses();
  if (isAsked("cut")) await measureCut();
  if (isAsked("cost")) await measureCost();
  if (isAsked("mirror")) await measureMirror();
} finally {
  takeBack();
  await cleanUpAll();
}
