import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clientBinary } from "../client-binaries.ts";
import { numberOption, parseOptions, type Flags } from "../options.ts";
import { UserError } from "../user-error.ts";

const projectRoot = join(import.meta.dirname, "../../..");
const flags: Flags = {
  port: { type: "string", meaning: "port of the API of the demo's cluster, default 6443" },
  "http-port": { type: "string", meaning: "port of its ingress, default 80" },
  "https-port": { type: "string", meaning: "TLS port of its ingress, default 443" },
};
const waitLimitMs = 60_000;

interface Stage {
  readonly dataDir: string;
  readonly httpPort: number;
  readonly upFlags: readonly string[];
}

/** `demo web`: plays the whole story of a web application on a cluster of its own, which it removes at the end. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("demo", args, flags, "web");
  if (options.positionals[0] !== "web") throw new UserError("There is no such demo.", "Say ./steer demo web.");
  const upFlags = ["port", "http-port", "https-port"].flatMap((name) => {
    const value = numberOption(options, name, 1, 65535);
    return value === undefined ? [] : [`--${name}`, String(value)];
  });
  const dataDir = mkdtempSync(join(tmpdir(), "steer-demo-"));
  const stage: Stage = { dataDir, upFlags, httpPort: numberOption(options, "http-port", 1, 65535) ?? 80 };
  try {
    await play(stage);
    say("That was the demo. The cluster goes now.");
  } finally {
    steer(stage, "reset", "--yes");
    rmSync(dataDir, { recursive: true, force: true });
  }
  return 0;
}

async function play(stage: Stage): Promise<void> {
  say("A cluster: one command.");
  steer(stage, "up", ...stage.upFlags);
  say("Two versions of an application as images, made from Debian's packages.");
  steer(stage, "image", "load", ...makeImages());
  say("What we want: two healthy replicas, one address, one hostname.");
  kubectl(stage, "apply", "-f", join(projectRoot, "examples/web"));
  kubectl(stage, "rollout", "status", "deployment/web");
  kubectl(stage, "get", "pods,service,ingress");
  say("Every request for web.example goes to one of the replicas.");
  await untilBothAnswer(stage);
  say("A replica's process is killed.");
  await killReplica(stage);
  say("A new version rolls out while requests keep coming.");
  const load = startLoad(stage);
  kubectl(stage, "set", "image", "deployment/web", "web=localhost/steersman-web:2");
  kubectl(stage, "rollout", "status", "deployment/web");
  const { sent, failed } = await load.stop();
  say(`${sent} requests during the rollout, ${failed} failed.`);
  if (failed > 0) throw new Error(`The rollout failed ${failed} of ${sent} requests`);
  await until("the new version answers", async () => (await get(stage)).body.includes("version 2"));
  process.stdout.write((await get(stage)).body);
  say("Back to the version before.");
  kubectl(stage, "rollout", "undo", "deployment/web");
  kubectl(stage, "rollout", "status", "deployment/web");
  say("Why is it as it is?");
  steer(stage, "why", "deployment/web");
  say("Down, and up again: everything comes back.");
  steer(stage, "down");
  steer(stage, "up");
  kubectl(stage, "wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=2", "--timeout=60s");
  await untilBothAnswer(stage);
}

/** Paths of the example's images; made once. */
function makeImages(): string[] {
  const tool = join(projectRoot, "tools/make-images.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", tool], { encoding: "utf8" });
  if (status !== 0) throw new UserError(`The example's images could not be made: ${stderr.trim().split("\n").at(-1)}.`, "Does apt-get download work?");
  return stdout.trim().split("\n");
}

function say(text: string): void {
  process.stdout.write(`\n# ${text}\n`);
}

function show(command: string): void {
  process.stdout.write(`$ ${command}\n`);
}

function steer(stage: Stage, ...args: string[]): void {
  show(`./steer ${args.map((arg) => arg.replace(`${projectRoot}/`, "")).join(" ")}`);
  const result = spawnSync(join(projectRoot, "steer"), args, { stdio: "inherit", env: { ...process.env, STEERSMAN_DATA_DIR: stage.dataDir } });
  if (result.status !== 0) throw new UserError(`The demo stopped at ./steer ${args.join(" ")}.`, "Its message is above.");
}

function kubectl(stage: Stage, ...args: string[]): string {
  show(`kubectl ${args.map((arg) => arg.replace(`${projectRoot}/`, "")).join(" ")}`);
  const env = { ...process.env, KUBECONFIG: join(stage.dataDir, "kubeconfig") };
  const result = spawnSync(clientBinary("kubectl"), args, { encoding: "utf8", env });
  process.stdout.write(result.stdout + result.stderr);
  if (result.status !== 0) throw new UserError(`The demo stopped at kubectl ${args.join(" ")}.`, "Its message is above.");
  return result.stdout;
}

async function untilBothAnswer(stage: Stage): Promise<void> {
  show(`curl -H 'Host: web.example' http://127.0.0.1:${stage.httpPort}/`);
  const seen = new Set<string>();
  await until("both replicas answer", async () => {
    const { status, body } = await get(stage);
    if (status !== 200 || seen.has(body)) return seen.size >= 2;
    seen.add(body);
    process.stdout.write(body);
    return seen.size >= 2;
  });
}

async function killReplica(stage: Stage): Promise<void> {
  const line = spawnSync("sh", ["-c", "grep -l 'nginx: master' /proc/[0-9]*/cmdline 2>/dev/null | head -1"], { encoding: "utf8" }).stdout;
  const pid = Number(line.split("/")[2]);
  if (!(pid > 0)) throw new Error("The demo finds no process of a replica");
  show(`kill -9 ${pid}`);
  process.kill(pid, "SIGKILL");
  const restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
  await until("the restart is counted", () => {
    const args = ["get", "pods", "-l", "app=web", "-o", restarts];
    const env = { ...process.env, KUBECONFIG: join(stage.dataDir, "kubeconfig") };
    return Promise.resolve(/[1-9]/.test(spawnSync(clientBinary("kubectl"), args, { encoding: "utf8", env }).stdout));
  });
  kubectl(stage, "wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=2", "--timeout=60s");
  kubectl(stage, "get", "pods");
}

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + waitLimitMs;
  while (!(await probe())) {
    if (performance.now() > deadlineMs) throw new Error(`Waited ${waitLimitMs} ms in vain: ${what}`);
    await sleep(50);
  }
}

/** Requests from a process of its own: ours blocks while it runs commands. */
function startLoad(stage: Stage): { stop(): Promise<{ sent: number; failed: number }> } {
  const child = spawn(process.execPath, [join(projectRoot, "tools/load.ts"), String(stage.httpPort)], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    stop: async () => {
      child.stdin.end("stop");
      await ended;
      const { sent, failed } = JSON.parse(output) as { sent: number; failed: string[] };
      return { sent, failed: failed.length };
    },
  };
}

function get(stage: Stage): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port: stage.httpPort, path: "/", agent: false, timeout: 5000, headers: { host: "web.example" } }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", () => resolve({ status: 0, body: "" }));
    });
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve({ status: 0, body: "" }));
    call.end();
  });
}
