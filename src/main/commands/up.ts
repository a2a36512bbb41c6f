import { fork, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, release } from "node:os";
import { dirname, join } from "node:path";
import { chooseRanges } from "#cluster/choose-ranges.ts";
import { renderKubeconfig } from "#cluster/kubeconfig.ts";
import {
  createNodeNetwork,
  machineNetworks,
  namespacePath,
  nodeAddress,
  registerCluster,
  registeredClusters,
} from "#cluster/machine.ts";
import { openClusterPki } from "#cluster/pki.ts";
import { parseCidr } from "#base/cidr.ts";
import {
  clusterPaths,
  loadSettings,
  saveSettings,
  type ClusterSettings,
  type NodeSettings,
} from "#cluster/settings.ts";
import { commandWorld } from "../command-world.ts";
import { ensureHistoryPackage, ensureNodePackages } from "../debian.ts";
import { programPath } from "../places.ts";
import { dataDirOf, numberOption, parseOptions, type Flags, type ParsedOptions } from "../options.ts";
import { endProcess, findProcess, knownProcesses } from "../process-file.ts";
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
  metrics: { type: "string", meaning: "off: keep no history of metrics (Prometheus)" },
  foreground: { type: "boolean", meaning: "stay; Ctrl-C stops the cluster" },
};

/** Oldest kernel whose nftables has what the service proxy uses. */
const kernelLeast = [5, 10] as const;
const freeBytesLeast = 200 * 1024 * 1024;
const readyTimeoutMs = 90_000;
const nodesMax = 9;
/** Of the range for benchmarks (RFC 2544): nobody dials it, but endpoints must not be loopback addresses. */
const simulatedAddress = "198.18.0.1";
/** What the server says once the nodes that it simulates are Ready. */
const simulatedNodesPart = "simulated nodes";
/** A process that ends so many times right after its start will not come up. */
const attemptsMax = 3;

/** Sets up what is missing, starts the cluster in the background and returns when it is Ready. Again is no harm. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("up", args, flags);
  const dataDir = dataDirOf(options);
  const progress = createProgress();
  const existing = await loadSettings(commandWorld.disk, dataDir);
  if (existing !== undefined && findProcess(clusterPaths(dataDir).run, "supervisor") !== undefined) {
    progress.done("the cluster runs already");
    printAccess(dataDir, existing);
    return 0;
  }
  const isNew = existing === undefined;
  checkMachine(options, existing);
  if ((existing?.simulatedNodes ?? numberOption(options, "simulate", 1, 10_000) ?? 0) === 0) {
    await ensureNodePackages(commandWorld.processes, progress);
    if (wantsHistory(options, existing)) await ensureHistoryPackage(commandWorld.processes, progress);
  }
  const settings = withDialAllow(existing ?? (await makeSettings(options)), options);
  try {
    await start(dataDir, settings, progress);
  } catch (error) {
    // Nothing half-made stays: a cluster that never was ready goes away, one that had data is only stopped.
    await stopCluster(dataDir, settings, { removeData: isNew });
    throw error;
  }
  printAccess(dataDir, settings);
  return options.values["foreground"] === true ? await stayUntilInterrupted(dataDir, settings) : 0;
}

function wantsHistory(options: ParsedOptions, existing: ClusterSettings | undefined): boolean {
  const given = options.values["metrics"];
  if (given !== undefined && given !== "off")
    throw new UserError(`--metrics is "${String(given)}".`, "It takes off, or is left out.");
  return existing === undefined ? given === undefined : existing.historyPort !== undefined;
}

function checkMachine(options: ParsedOptions, existing: ClusterSettings | undefined): void {
  const isSimulated = (existing?.simulatedNodes ?? 0) > 0 || options.values["simulate"] !== undefined;
  if (!isSimulated && process.getuid?.() !== 0) {
    throw new UserError(
      "Real containers need root, and you are not root.",
      "Run sudo ./steer up, or try ./steer up --simulate 3 without containers.",
    );
  }
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  if (!isSimulated && (major < kernelLeast[0] || (major === kernelLeast[0] && minor < kernelLeast[1]))) {
    throw new UserError(
      `The kernel is ${release()}.`,
      `Steersman's nodes need Linux ${kernelLeast.join(".")} or newer.`,
    );
  }
}

/** The networks of --dial-allow, remembered for the next start; without the flag those of the last. */
function withDialAllow(settings: ClusterSettings, options: ParsedOptions): ClusterSettings {
  const text = options.values["dial-allow"];
  if (typeof text !== "string") return settings;
  const dialAllow = text.split(",").filter((network) => network !== "");
  const wrong = dialAllow.find((network) => parseCidr(network) === undefined);
  if (wrong !== undefined)
    throw new UserError(`--dial-allow names "${wrong}".`, "It takes IPv4 networks, e.g. 127.0.0.0/8.");
  return { ...settings, dialAllow };
}

async function makeSettings(options: ParsedOptions): Promise<ClusterSettings> {
  const dataDir = dataDirOf(options);
  checkSpace(dataDir);
  const simulatedNodes = numberOption(options, "simulate", 1, 10_000) ?? 0;
  const nodeCount = numberOption(options, "nodes", 1, nodesMax) ?? 1;
  if (simulatedNodes > 0 && options.values["nodes"] !== undefined) {
    throw new UserError("--nodes and --simulate exclude each other.", "Give one of them.");
  }
  const store = options.values["store"] ?? "sqlite";
  if (store !== "sqlite" && store !== "memory") {
    throw new UserError(`--store is "${String(store)}".`, "It takes sqlite or memory.");
  }
  const apiPort = await freePort("port", numberOption(options, "port", 1, 65535) ?? 6443);
  const id = Buffer.from(commandWorld.random.bytes(8)).toString("hex").slice(0, 6);
  if (simulatedNodes > 0) {
    return {
      formatVersion: 1,
      id,
      serverAddress: simulatedAddress,
      apiPort,
      httpPort: 0,
      httpsPort: 0,
      podRange: "10.244.0.0/16",
      serviceRange: "10.96.0.0/16",
      nodePorts: { first: 30000, last: 32767 },
      store,
      nodes: [],
      simulatedNodes,
    };
  }
  return await makeRealSettings(options, { id, apiPort, store, nodeCount });
}

async function makeRealSettings(
  options: ParsedOptions,
  fixed: { id: string; apiPort: number; store: "sqlite" | "memory"; nodeCount: number },
): Promise<ClusterSettings> {
  const others = await registeredClusters(commandWorld.disk);
  const ranges = chooseRanges({
    networks: [
      ...(await machineNetworks(commandWorld.processes)),
      ...others.flatMap(({ podRange, serviceRange, serverAddress }) => [podRange, serviceRange, `${serverAddress}/24`]),
    ],
    nodePorts: others.map(({ nodePorts }) => nodePorts),
  });
  if ("exhausted" in ranges) {
    throw new UserError(
      `This machine has no free place left for ${ranges.exhausted}.`,
      "Remove a cluster with ./steer reset.",
    );
  }
  const base =
    hostname()
      .toLowerCase()
      .replace(/[^a-z0-9-]/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 40) || "node";
  const nodes: NodeSettings[] = [];
  for (let index = 0; index < fixed.nodeCount; index += 1) {
    const name = fixed.nodeCount === 1 ? base : `${base}-${index + 1}`;
    nodes.push({
      name,
      address: nodeAddress(ranges.nodeNetwork, index),
      agentPort: index === 0 ? await anyFreePort(10250) : 10250,
      ...(index === 0 ? {} : { networkNamespace: namespacePath(fixed.id, name) }),
    });
  }
  return {
    formatVersion: 1,
    id: fixed.id,
    serverAddress: nodeAddress(ranges.nodeNetwork, 0),
    apiPort: fixed.apiPort,
    httpPort: await freePort("http-port", numberOption(options, "http-port", 1, 65535) ?? 80),
    httpsPort: await freePort("https-port", numberOption(options, "https-port", 1, 65535) ?? 443),
    podRange: ranges.podRange,
    serviceRange: ranges.serviceRange,
    nodePorts: ranges.nodePorts,
    store: fixed.store,
    ...(options.values["metrics"] === "off" ? {} : { historyPort: await anyFreePort(9090) }),
    nodes,
    simulatedNodes: 0,
  };
}

async function start(dataDir: string, settings: ClusterSettings, progress: Progress): Promise<void> {
  const paths = clusterPaths(dataDir);
  mkdirSync(paths.root, { recursive: true, mode: 0o700 });
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  progress.step("starting the server");
  await saveSettings(commandWorld.disk, dataDir, settings);
  const pki = await openClusterPki(commandWorld, dataDir, settings);
  const server = `https://127.0.0.1:${settings.apiPort}`;
  const kubeconfig = renderKubeconfig({ server, caCertificate: pki.caCertificate, identity: pki.admin });
  await commandWorld.disk.writeAtomically(paths.kubeconfig, kubeconfig, 0o600);
  if (settings.simulatedNodes === 0) {
    await registerCluster(commandWorld.disk, settings, dataDir);
    await createNodeNetwork(commandWorld.processes, settings);
  }
  // Processes that an earlier supervisor left behind are replaced by the new one; a stale one of ours must not stay.
  for (const known of knownProcesses(paths.run)) if (known.name === "supervisor") await endProcess(known, 5000);
  await superviseUntilReady(dataDir, settings, progress);
}

async function superviseUntilReady(dataDir: string, settings: ClusterSettings, progress: Progress): Promise<void> {
  const paths = clusterPaths(dataDir);
  const log = openSync(join(paths.logs, "supervisor.log"), "a", 0o600);
  const supervisor = fork(programPath("supervisor"), ["--data-dir", dataDir], {
    stdio: ["ignore", log, log, "ipc"],
    detached: true,
    execArgv: ["--enable-source-maps", "--disable-warning=ExperimentalWarning"],
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
        else if (ready === simulatedNodesPart) progress.done(`${settings.simulatedNodes} simulated nodes are Ready`);
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

function checkSpace(dataDir: string): void {
  let folder = dataDir;
  while (!existsSync(folder) && folder !== "/") folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < freeBytesLeast) {
    const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
    throw new UserError(
      `The disk that holds ${folder} has ${mebibytes(bavail * bsize)} free; a cluster needs ${mebibytes(freeBytesLeast)}.`,
      "Free some space, or choose another place with --data-dir.",
    );
  }
}

async function freePort(flag: string, port: number): Promise<number> {
  const problem = await tryListen(port);
  if (problem === undefined) return port;
  const holder = spawnSync("ss", ["-Hltnp", `sport = :${port}`], { encoding: "utf8" }).stdout ?? "";
  const program = /users:\(\("([^"]+)"/.exec(holder)?.[1];
  throw new UserError(
    problem === "EACCES"
      ? `Port ${port} may not be opened by this user.`
      : `Port ${port} is taken${program === undefined ? "" : ` by ${program}`}.`,
    `Choose another with --${flag}.`,
  );
}

async function anyFreePort(preferred: number): Promise<number> {
  for (let port = preferred; port < preferred + 100; port += 1) if ((await tryListen(port)) === undefined) return port;
  throw new UserError(`Ports ${preferred} to ${preferred + 99} are all taken.`, "Free one of them.");
}

function tryListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(undefined)));
  });
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
