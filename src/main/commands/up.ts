import { fork } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { renderKubeconfig } from "#cluster/kubeconfig.ts";
import { createNodeNetwork, registerCluster } from "#cluster/machine.ts";
import { openClusterPki } from "#cluster/pki.ts";
import { parseCidr } from "#base/cidr.ts";
import { clusterPaths, loadSettings, saveSettings, type ClusterSettings } from "#cluster/settings.ts";
import { whileAlone } from "../cluster-lock.ts";
import { commandWorld } from "../command-world.ts";
import { ensureHistoryPackage, ensureNodePackages } from "../debian.ts";
import { lostCluster } from "../find-cluster.ts";
import { readWishes, settleCluster } from "../new-cluster.ts";
import { dataDirOf, parseOptions, type Flags, type ParsedOptions } from "../options.ts";
import { programPath } from "../places.ts";
import { checkMachine, checkNewFolder, checkSpace, freePort } from "../preconditions.ts";
import { findProcess } from "../process-file.ts";
import { createProgress, type Progress } from "../progress.ts";
import type { PartMessage } from "../supervisor.ts";
import { UserError } from "../user-error.ts";
import { stopCluster } from "./down.ts";

const flags: Flags = {
  nodes: { type: "string", meaning: "number of real nodes on this machine (network namespaces), default 1" },
  simulate: { type: "string", meaning: "number of simulated nodes instead; needs no root" },
  store: { type: "string", meaning: "sqlite (default) or memory" },
  port: { type: "string", meaning: "port of the API, default 6443" },
  "http-port": { type: "string", meaning: "port of the ingress, default 80" },
  "https-port": { type: "string", meaning: "TLS port of the ingress, default 443" },
  "dial-allow": {
    type: "string",
    meaning: "networks that webhooks may lie in although loopback or link-local, comma-separated",
  },
  "default-registry": {
    type: "string",
    meaning: "host that containerd asks for images without one: its pull secrets are used for them",
  },
  metrics: { type: "string", meaning: "off: keep no history of metrics (Prometheus)" },
  foreground: { type: "boolean", meaning: "stay; Ctrl-C stops the cluster" },
};

const readyTimeoutMs = 90_000;
/** What the server says once the nodes that it simulates are Ready. */
const simulatedNodesPart = "simulated nodes";
/** A process that ends so many times right after its start will not come up. */
const attemptsMax = 3;

/** Sets up what is missing, starts the cluster in the background and returns when it is Ready. Again is no harm. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("up", args, flags);
  const dataDir = dataDirOf(options);
  const progress = createProgress();
  const started = await whileAlone(dataDir, progress, () => startUnlessRunning(options, dataDir, progress));
  printAccess(dataDir, started.settings);
  if (started.ranAlready || options.values["foreground"] !== true) return 0;
  return stayUntilInterrupted(dataDir, started.settings);
}

async function startUnlessRunning(
  options: ParsedOptions,
  dataDir: string,
  progress: Progress,
): Promise<{ readonly settings: ClusterSettings; readonly ranAlready: boolean }> {
  const existing = await loadSettings(commandWorld.disk, dataDir);
  if (existing !== undefined) {
    refuseOtherFlags(options, existing, dataDir);
    if (findProcess(clusterPaths(dataDir).run, "supervisor") !== undefined) {
      progress.done("the cluster runs already");
      return { settings: existing, ranAlready: true };
    }
  }
  const lost = existing === undefined ? await lostCluster(dataDir) : undefined;
  if (lost !== undefined) throw lost;
  const remembered = { ...dialAllowOf(options), ...defaultRegistryOf(options) };
  const settings = { ...(await settingsOf(options, existing, dataDir, progress)), ...remembered };
  const before = existsSync(dataDir) ? readdirSync(dataDir) : undefined;
  try {
    await start(dataDir, settings, progress);
  } catch (error) {
    // Nothing half-made stays: a cluster that never was ready goes away, one that had data is only stopped.
    await stopCluster(dataDir, settings, { removeData: existing === undefined, keep: before }).catch(
      (left: unknown) => {
        process.stderr.write(`steer: not all of it could be stopped: ${(left as Error).message}\n`);
      },
    );
    throw error;
  }
  return { settings, ranAlready: false };
}

/** Checks what must hold, then installs what is missing: first what costs nothing, so that it fails at once. */
async function settingsOf(
  options: ParsedOptions,
  existing: ClusterSettings | undefined,
  dataDir: string,
  progress: Progress,
): Promise<ClusterSettings> {
  const isReal = existing === undefined ? options.values["simulate"] === undefined : existing.simulatedNodes === 0;
  if (isReal) checkMachine();
  checkSpace(dataDir, existing === undefined ? "first" : "again");
  if (existing === undefined) checkNewFolder(dataDir);
  else if (findProcess(clusterPaths(dataDir).run, "server") === undefined)
    await freePort(existing.apiPort, "The cluster was made with it: end the program that has it, then run this again.");
  const wishes = existing === undefined ? await readWishes(options) : existing;
  if (isReal) {
    await ensureNodePackages(commandWorld.processes, progress);
    if ("keepsHistory" in wishes ? wishes.keepsHistory : wishes.historyPort !== undefined)
      await ensureHistoryPackage(commandWorld.processes, progress);
  }
  return "keepsHistory" in wishes ? await settleCluster(wishes) : wishes;
}

/** What a cluster was made with stays: a flag that says something else is told, not ignored. */
function refuseOtherFlags(options: ParsedOptions, settings: ClusterSettings, dataDir: string): void {
  const made: Readonly<Record<string, string>> = {
    port: `${settings.apiPort}`,
    "http-port": `${settings.httpPort}`,
    "https-port": `${settings.httpsPort}`,
    nodes: `${settings.nodes.length}`,
    simulate: `${settings.simulatedNodes}`,
    store: settings.store,
    metrics: settings.historyPort === undefined ? "off" : "on",
  };
  for (const [flag, value] of Object.entries(made)) {
    const given = options.values[flag];
    if (given === undefined || given === value) continue;
    throw new UserError(
      `--${flag} is "${String(given)}", but the cluster in ${dataDir} was made with ${value}.`,
      "Leave the flag out, or make another cluster with --data-dir.",
    );
  }
}

/** The networks of --dial-allow, remembered for the next start; without the flag those of the last stay. */
function dialAllowOf(options: ParsedOptions): Pick<ClusterSettings, "dialAllow"> {
  const text = options.values["dial-allow"];
  if (typeof text !== "string") return {};
  const dialAllow = text.split(",").filter((network) => network !== "");
  const wrong = dialAllow.find((network) => parseCidr(network) === undefined);
  if (wrong !== undefined)
    throw new UserError(`--dial-allow names "${wrong}".`, "It takes IPv4 networks, e.g. 127.0.0.0/8.");
  return { dialAllow };
}

/** The host of --default-registry, remembered likewise. */
function defaultRegistryOf(options: ParsedOptions): Pick<ClusterSettings, "defaultRegistry"> {
  const defaultRegistry = options.values["default-registry"];
  if (typeof defaultRegistry !== "string") return {};
  if (!/^[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*(:\d+)?$/.test(defaultRegistry))
    throw new UserError(
      `--default-registry names "${defaultRegistry}".`,
      "It takes a host, e.g. registry.example:5000.",
    );
  return { defaultRegistry };
}

async function start(dataDir: string, settings: ClusterSettings, progress: Progress): Promise<void> {
  const paths = clusterPaths(dataDir);
  progress.step("starting the server");
  mkdirSync(paths.root, { recursive: true, mode: 0o700 });
  // First: whatever interrupts us now leaves a cluster that reset knows.
  await saveSettings(commandWorld.disk, dataDir, settings);
  for (const folder of [paths.logs, paths.run]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pki = await openClusterPki(commandWorld, dataDir, settings);
  const server = `https://127.0.0.1:${settings.apiPort}`;
  const kubeconfig = renderKubeconfig({ server, caCertificate: pki.caCertificate, identity: pki.admin });
  await Promise.all([
    commandWorld.disk.writeAtomically(paths.kubeconfig, kubeconfig, 0o600),
    ...(settings.simulatedNodes > 0
      ? []
      : [registerCluster(commandWorld.disk, settings, dataDir), createNodeNetwork(commandWorld.processes, settings)]),
  ]);
  await superviseUntilReady(dataDir, settings, progress);
}

async function superviseUntilReady(dataDir: string, settings: ClusterSettings, progress: Progress): Promise<void> {
  const paths = clusterPaths(dataDir);
  const log = openSync(join(paths.logs, "supervisor.log"), "a", 0o600);
  const supervisor = fork(programPath("supervisor"), ["--data-dir", dataDir], {
    stdio: ["ignore", log, log, "ipc"],
    detached: true,
    execArgv: ["--enable-source-maps", "--disable-warning=ExperimentalWarning", "--disable-sigusr1"],
  });
  closeSync(log);
  const simulated = settings.simulatedNodes > 0 ? [simulatedNodesPart] : [];
  const waiting = new Set(["server", ...settings.nodes.map(({ name }) => `agent-${name}`), ...simulated]);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(notReady(paths.logs, waiting)), readyTimeoutMs);
      supervisor.on("message", (message) => {
        const told = message as PartMessage;
        if ("ended" in told) {
          if (told.times >= attemptsMax) reject(notReady(paths.logs, new Set([told.ended])));
          return;
        }
        const { ready } = told;
        waiting.delete(ready);
        if (ready === "server") progress.done("the API answers");
        else if (ready === simulatedNodesPart)
          progress.done(
            settings.simulatedNodes === 1
              ? "the simulated node is Ready"
              : `${settings.simulatedNodes} simulated nodes are Ready`,
          );
        else progress.done(`node ${ready.replace(/^agent-/, "")} is Ready`);
        if (waiting.size > 0) progress.step(`waiting for ${[...waiting].join(", ")}`);
        else resolve();
      });
      supervisor.on("exit", () => reject(notReady(paths.logs, waiting)));
    });
  } finally {
    clearTimeout(timer);
    if (supervisor.connected) supervisor.disconnect();
    supervisor.removeAllListeners();
    supervisor.unref();
  }
}

function notReady(logs: string, waiting: ReadonlySet<string>): UserError {
  const [first = "supervisor"] = waiting;
  const path = join(logs, `${first}.log`);
  // Where in our code it happened is for the log; the words before are for people.
  const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  const said = lines.filter((line) => line.trim() !== "" && !/^\s+at /.test(line) && !line.startsWith("Node.js v"));
  const tail =
    said.length === 0
      ? "(no log)"
      : said
          .slice(-5)
          .map((line) => line.slice(0, 500))
          .join("\n");
  return new UserError(
    `The cluster did not become ready: ${[...waiting].join(", ")} did not start. Its last words:\n${tail}\n`,
    `Mend what it says, then run this again.`,
  );
}

function printAccess(dataDir: string, settings: ClusterSettings): void {
  const paths = clusterPaths(dataDir);
  process.stdout.write(`export KUBECONFIG=${paths.kubeconfig}\n`);
  const lines = [`API       https://127.0.0.1:${settings.apiPort}`];
  if (settings.simulatedNodes === 0)
    lines.push(`Ingress   http://127.0.0.1:${settings.httpPort}  https://127.0.0.1:${settings.httpsPort}`);
  else lines.push(`Nodes     ${settings.simulatedNodes}, simulated`);
  process.stderr.write(`${lines.join("\n")}\nTry       ./steer kubectl get nodes\n`);
}

async function stayUntilInterrupted(dataDir: string, settings: ClusterSettings): Promise<number> {
  await new Promise<void>((resolve) => {
    // Something must keep the process alive until the signal comes.
    const alive = setInterval(() => undefined, 1 << 30);
    const stop = (): void => {
      clearInterval(alive);
      resolve();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  });
  await stopCluster(dataDir, settings, { removeData: false });
  return 0;
}
