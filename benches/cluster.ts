import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { Resolver } from "node:dns/promises";
import http from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { clientBinary } from "#main/client-binaries.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import { whenCutOff } from "../tests/cluster/cut-off.ts";
import { connect, inParallel } from "./cluster/connection.ts";
import * as running from "./cluster/running-cluster.ts";
import { followTimeline } from "./cluster/timeline.ts";
import { report } from "./report.ts";

/**
 * A one-node cluster with real containers, as a user starts it: how long `up` takes, what it uses when nothing happens, how fast
 * the web application stands, what a killed server costs. Wants root; lives in a network namespace of its own.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    only: { type: "string", default: "up,apply,kill,idle" },
    runs: { type: "string", default: "5" },
    kills: { type: "string", default: "3" },
    timeline: { type: "boolean", default: false },
    "idle-seconds": { type: "string", default: "60" },
    inside: { type: "boolean", default: false },
  },
});
const runs = Number(flags.runs);
const run = promisify(execFile);
const host = "web.example";
const images = globSync(join(running.projectRoot, "node_modules/.cache/images/*.tar"));
/** A server that ran this long starts again at once, as the supervisor counts. */
const stableMs = 30_000;

const say = (figure: string, value: number, unit: string, more: { floor?: number; target?: number } = {}): void =>
  report({ bench: "cluster", figure, value, unit, ...more });

function settingsOf(place: running.Place): ClusterSettings {
  return JSON.parse(readFileSync(join(place.dataDir, "cluster.json"), "utf8")) as ClusterSettings;
}

async function asksUntil(what: string, limitMs: number, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await probe().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await sleep(5);
  }
}

/** The floor of `up`: the pinned Node starts and ends. */
function bareStartMs(): number {
  const once = (): number => {
    const start = performance.now();
    spawnSync(process.execPath, ["-e", ""]);
    return performance.now() - start;
  };
  return running.medianOf(Array.from({ length: 9 }, once));
}

async function dnsAnswers(place: running.Place): Promise<void> {
  const base = settingsOf(place).serviceRange.split("/")[0]!.split(".").slice(0, 3).join(".");
  await asksUntil("DNS", 20_000, async () => {
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([`${base}.10`]);
    return (await resolver.resolve4("kubernetes.default.svc.cluster.local")).length > 0;
  });
}

/** The first start makes the cluster; the others are those of a machine that is set up. */
async function startAgain(place: running.Place): Promise<running.RunningCluster> {
  const first = await running.up(place, "--http-port", "80", "--https-port", "443");
  say("first `./steer up` until the API answers", first.answeredAfterMs / 1_000, "s");
  say("first `./steer up` until Ready", first.readyAfterMs / 1_000, "s");
  first.api.close();
  const answered: number[] = [];
  const ready: number[] = [];
  const server: number[] = [];
  const agent: number[] = [];
  const agentPart = `agent-${settingsOf(place).nodes[0]!.name}`;
  let cluster = first;
  for (let run = 0; run < runs; run += 1) {
    running.steer(place, "down");
    const start = performance.now();
    cluster = await running.up(place);
    await dnsAnswers(place);
    ready.push(performance.now() - start);
    server.push(running.processorMs(running.processOf(place.dataDir, "server")));
    agent.push(running.processorMs(running.processOf(place.dataDir, agentPart)));
    answered.push(cluster.answeredAfterMs);
    if (run < runs - 1) cluster.api.close();
  }
  const floor = bareStartMs() / 1_000;
  say("`./steer up` on a set-up machine until the API answers", running.medianOf(answered) / 1_000, "s", {
    floor,
    target: 0.7,
  });
  say("`./steer up` until a real node is Ready and DNS answers", running.medianOf(ready) / 1_000, "s", {
    floor,
    target: 3,
  });
  say("`./steer up`: processor time of the server until Ready", running.medianOf(server) / 1_000, "s", { floor });
  say("`./steer up`: processor time of the agent until Ready", running.medianOf(agent) / 1_000, "s", { floor });
  return cluster;
}

function web(agent: http.Agent | undefined, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: "127.0.0.1", port, path: "/", headers: { host }, ...(agent === undefined ? {} : { agent }) },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", reject);
      },
    );
    request.setTimeout(10_000, () => request.destroy(new Error("no answer in 10 s")));
    request.on("error", reject);
  });
}

function fetchFrom(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ host: address, port: 80, path: "/", timeout: 500 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/** The socket of this cluster's containerd. */
function containerdSocket(place: running.Place): string | undefined {
  const { id } = settingsOf(place);
  return globSync([join(place.dataDir, "**/containerd*.sock"), `/run/steersman-${id}/**/containerd*.sock`])[0];
}

/** containerd alone: two sandboxes' worth and two containers' worth of `ctr run`, side by side, with the same images. */
function bareContainersMs(place: running.Place): number | undefined {
  const socket = containerdSocket(place);
  if (socket === undefined) return undefined;
  const ctr = `ctr -a ${socket} -n k8s.io`;
  const image = "localhost/steersman-web:1";
  const one = (name: string): string =>
    `${ctr} run -d --null-io ${image} ${name}a && ${ctr} run -d --null-io ${image} ${name}b`;
  const start = performance.now();
  const made = spawnSync("sh", ["-c", `(${one("bench1")}) & (${one("bench2")}) & wait`], { encoding: "utf8" });
  const elapsedMs = performance.now() - start;
  for (const name of ["bench1a", "bench1b", "bench2a", "bench2b"])
    spawnSync("sh", [
      "-c",
      `${ctr} task kill -s KILL ${name}; sleep 0.2; ${ctr} task rm -f ${name}; ${ctr} container rm ${name}`,
    ]);
  return made.stderr === "" ? elapsedMs : undefined;
}

async function apply(place: running.Place, cluster: running.RunningCluster): Promise<void> {
  for (const image of images) running.steer(place, "image", "load", image);
  const kubectl = (...args: string[]): Promise<unknown> =>
    run(clientBinary("kubectl"), args, { env: { ...process.env, KUBECONFIG: cluster.kubeconfig, NO_PROXY: "*" } });
  const manifests = join(running.projectRoot, "examples/web");
  const times: number[] = [];
  const accepted: number[] = [];
  const path = "/apis/apps/v1/namespaces/default/deployments/web";
  const timeline = flags.timeline ? await followTimeline(cluster.api, containerdSocket(place)) : undefined;
  for (let round = 0; round < runs; round += 1) {
    timeline?.restart();
    const start = performance.now();
    await kubectl("apply", "-f", manifests);
    accepted.push(performance.now() - start);
    timeline?.note("kubectl ended");
    const { text } = await cluster.api.call("GET", "/api/v1/namespaces/default/services/web");
    const { clusterIP } = (JSON.parse(text) as { spec: { clusterIP: string } }).spec;
    await asksUntil("both replicas", 60_000, async () => {
      const { status } = JSON.parse((await cluster.api.call("GET", path)).text) as {
        status: { readyReplicas?: number };
      };
      return status.readyReplicas === 2;
    });
    timeline?.note("both Ready, as the Deployment says");
    await asksUntil("the Service", 30_000, () => fetchFrom(clusterIP));
    times.push(performance.now() - start);
    timeline?.note("the Service answered");
    for (const { what, atMs } of timeline?.steps() ?? []) say(`apply ${round}: ${what}`, atMs, "ms");
    if (round === runs - 1) break;
    await kubectl("delete", "-f", manifests, "--wait=true");
    await asksUntil("the pods' end", 60_000, async () => {
      return (
        (JSON.parse((await cluster.api.call("GET", "/api/v1/namespaces/default/pods")).text) as { items: unknown[] })
          .items.length === 0
      );
    });
  }
  timeline?.close();
  const floor = bareContainersMs(place);
  say("apply: until kubectl has ended", running.medianOf(accepted) / 1_000, "s");
  say(
    "apply of the 2-replica Deployment until both Ready and the Service answers",
    running.medianOf(times) / 1_000,
    "s",
    {
      ...(floor === undefined ? {} : { floor: floor / 1_000 }),
      target: 1.5,
    },
  );
  say("apply: fastest", Math.min(...times) / 1_000, "s");
}

/** SIGKILL of the server while requests go through the Ingress. */
async function kill(place: running.Place, cluster: running.RunningCluster): Promise<void> {
  const path = "/api/v1/namespaces/default/configmaps";
  await inParallel(1_000, 32, (index) =>
    cluster.api.send("POST", path, { metadata: { name: `kept-${index}` }, data: { text: "x".repeat(1_000) } }),
  );
  const { httpPort } = settingsOf(place);
  await asksUntil("the Ingress", 30_000, async () => (await web(undefined, httpPort)) === 200);
  const times: number[] = [];
  const used: number[] = [];
  let requests = 0;
  let failed = 0;
  for (let run = 0; run < Number(flags.kills); run += 1) {
    await sleep(stableMs + 1_000);
    let isOver = false;
    const load = (async () => {
      while (!isOver) {
        requests += 1;
        if ((await web(undefined, httpPort).catch(() => 0)) !== 200) failed += 1;
        await sleep(10);
      }
    })();
    cluster.api.close();
    process.kill(running.processOf(place.dataDir, "server"), "SIGKILL");
    const start = performance.now();
    await asksUntil("the server", 60_000, async () => {
      const api = connect(cluster.kubeconfig, 1);
      const { text } = await api.call("GET", `${path}?limit=2000`).finally(() => api.close());
      const kept = (text.match(/"name":"kept-/g) ?? []).length;
      if (kept !== 1_000) throw new Error(`${kept} of 1,000 objects are left`);
      return true;
    });
    times.push(performance.now() - start);
    used.push(running.processorMs(running.processOf(place.dataDir, "server")));
    await sleep(2_000);
    isOver = true;
    await load;
  }
  say("SIGKILL of the server until it answers again, 1,000 objects", running.medianOf(times) / 1_000, "s", {
    target: 1,
  });
  say("SIGKILL: processor time of the new server until it answers", running.medianOf(used) / 1_000, "s");
  say(`failed of ${requests} requests through the Ingress meanwhile`, failed, "1", { target: 0 });
}

async function idle(place: running.Place): Promise<void> {
  const seconds = Number(flags["idle-seconds"]);
  const parts = ["server", `agent-${settingsOf(place).nodes[0]!.name}`];
  await sleep(30_000);
  const pids = parts.map((part) => running.processOf(place.dataDir, part));
  const before = pids.map(running.processorMs);
  await sleep(seconds * 1_000);
  const used = pids.map((pid, index) => ((running.processorMs(pid) - before[index]!) / (seconds * 1_000)) * 100);
  const memory = pids.map(running.proportionalMegabytes);
  const supervisor = running.proportionalMegabytes(running.processOf(place.dataDir, "supervisor"));
  say("idle one-node cluster: PSS of server and agent", memory[0]! + memory[1]!, "MB", { target: 200 });
  say("idle: PSS of the server", memory[0]!, "MB");
  say("idle: PSS of the agent", memory[1]!, "MB");
  say("idle: PSS of the supervisor", supervisor, "MB");
  say(`idle: processor over ${seconds} s, server and agent`, used[0]! + used[1]!, "%", { target: 1 });
  say("idle: processor of the server", used[0]!, "%");
  say("idle: processor of the agent", used[1]!, "%");
}

async function inside(): Promise<void> {
  const place = running.newPlace(flags.folder, 6443);
  const stories = new Set(flags.only.split(","));
  const load = (story: string): void => say(`load average before ${story}`, running.loadAverage(), "1");
  try {
    load("up");
    const cluster = stories.has("up") ? await startAgain(place) : await running.up(place);
    if (stories.has("idle")) {
      load("idle");
      await idle(place);
    }
    if (stories.has("apply") || stories.has("kill")) {
      load("apply");
      await apply(place, cluster);
    }
    if (stories.has("kill")) {
      load("kill");
      await kill(place, cluster);
    }
    cluster.api.close();
  } finally {
    running.remove(place);
  }
}

/** Runs this program again in a network namespace of its own: no port of the machine is taken, no other cluster is met. */
async function enterNetwork(): Promise<number> {
  const name = `steer-bench-${process.pid}`;
  const ip = (...args: string[]): void => {
    const done = spawnSync("ip", args, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`ip ${args.join(" ")}: ${done.stderr}`);
  };
  ip("netns", "add", name);
  let child: ChildProcess | undefined;
  // The program inside is told as well, and has removed its cluster when it ends: only then the network may go.
  const leave = (): void => ip("netns", "delete", name);
  const takeBack = whenCutOff(async () => {
    if (child?.kill("SIGTERM") === true) await once(child, "exit");
    leave();
  });
  try {
    ip("-n", name, "link", "set", "lo", "up");
    const again = [process.execPath, ...process.execArgv, import.meta.filename, ...process.argv.slice(2), "--inside"];
    const started = spawn("nsenter", [`--net=/run/netns/${name}`, ...again], { stdio: "inherit" });
    child = started;
    return await new Promise((resolve, reject) => {
      started.once("exit", (code) => resolve(code ?? 1));
      started.once("error", reject);
    });
  } finally {
    takeBack();
    leave();
  }
}

if (flags.inside) await inside();
else process.exitCode = await enterNetwork();
