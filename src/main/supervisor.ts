/**
 * Keeps the cluster's processes running: starts the server and an agent a node, and starts again what ends, with back-off.
 * When it ends itself, everything goes on without it; the next one takes over. Run by `steer up`:
 * supervisor.ts --data-dir DIR
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { clusterPaths, loadSettings, nodePath, type ClusterSettings } from "#cluster/settings.ts";
import { realDisk } from "#world/node/disk.ts";
import { agentFlags, engineFlags, serverFlags } from "./engine-flags.ts";
import { rotateLog } from "./log-files.ts";
import { programPath } from "./places.ts";
import { endProcess, findProcess, forgetProcess, rememberProcess } from "./process-file.ts";

/** What children tell the supervisor, and the supervisor tells `steer up`. */
export type PartMessage =
  | { readonly ready: string }
  /** It ended so many times in a row without having run for a while. */
  | { readonly ended: string; readonly times: number };

const backoffFirstMs = 200;
const backoffMaxMs = 10_000;
/** A process that ran this long starts again at once when it ends. */
const stableAfterMs = 30_000;
const takeOverGraceMs = 10_000;
const logCheckMs = 60_000;

/** The C library gives each thread a heap of its own, and none of them back: two serve as well and save tens of megabytes. */
const memoryEnvironment = { MALLOC_ARENA_MAX: "2" };

interface Part {
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly networkNamespace?: string | undefined;
  /** Another's program: the cluster is ready without it. */
  readonly isForeign?: boolean;
}

const dataDir = process.argv[process.argv.indexOf("--data-dir") + 1] ?? "";
const paths = clusterPaths(dataDir);

async function main(): Promise<void> {
  const settings = await loadSettings(realDisk, dataDir);
  if (settings === undefined) throw new Error(`Cannot supervise ${dataDir}: no cluster was made there`);
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  rememberProcess(paths.run, "supervisor", process.pid);
  const parts: Part[] = [
    { name: "server", command: ours("server", serverFlags, ["--data-dir", dataDir]) },
    ...settings.nodes.map((node) => ({
      name: `agent-${node.name}`,
      command: ours("agent", agentFlags, ["--data-dir", dataDir, "--node", node.name]),
      networkNamespace: node.networkNamespace,
    })),
  ];
  keepLogsShort(settings);
  await Promise.all(parts.map((part) => takeOver(part)));
  await serverAnswers.promise;
  await startHistory(settings);
}

/** Of all that write here without end. */
function keepLogsShort(settings: ClusterSettings): void {
  const processes = ["supervisor", "server", "prometheus", ...settings.nodes.map(({ name }) => `agent-${name}`)];
  const logs = [
    ...processes.map((name) => join(paths.logs, `${name}.log`)),
    ...settings.nodes.map(({ name }) => join(nodePath(dataDir, name), "containerd.log")),
  ];
  setInterval(() => {
    for (const log of logs) {
      try {
        rotateLog(log);
      } catch (error) {
        // A full disk must not end the supervisor; where its own log cannot be written either, nobody is told.
        process.stdout.write(`cannot shorten ${log}: ${(error as Error).message}\n`);
      }
    }
  }, logCheckMs).unref();
}

/** Once the server answers: nobody waits for it, and to look which Prometheus this is takes longer than to start a server. */
async function startHistory(settings: ClusterSettings): Promise<void> {
  const [{ prepareHistory }, { realProcesses }] = await Promise.all([
    import("#cluster/history.ts"),
    import("#world/node/processes.ts"),
  ]);
  try {
    const command = await prepareHistory({ disk: realDisk, processes: realProcesses }, dataDir, settings);
    if (command !== undefined) await takeOver({ name: "prometheus", command, isForeign: true });
  } catch (error) {
    process.stdout.write(`the cluster keeps no history of metrics: ${(error as Error).message}\n`);
  }
}

function ours(program: "server" | "agent", memoryFlags: readonly string[], args: readonly string[]): readonly string[] {
  return [process.execPath, ...engineFlags, ...memoryFlags, programPath(program), ...args];
}

/** Replaces what an earlier supervisor left running, so that there is one of each and it is ours. */
async function takeOver(part: Part): Promise<void> {
  const earlier = findProcess(paths.run, part.name);
  if (earlier !== undefined) await endProcess(earlier, takeOverGraceMs);
  keepRunning(part, 0);
}

const serverAnswers = Promise.withResolvers<void>();
let isStopping = false;

/** `failures`: how many times in a row it ended soon after its start. */
function keepRunning(part: Part, failures: number): void {
  const log = openSync(join(paths.logs, `${part.name}.log`), "a", 0o600);
  const startedAtMs = performance.now();
  // Only the network is entered: `ip netns exec` would hide the cgroup mounts.
  const enter = part.networkNamespace === undefined ? [] : ["nsenter", `--net=${part.networkNamespace}`];
  const [program = "", ...args] = [...enter, ...part.command];
  const child = spawn(program, args, {
    stdio: part.isForeign === true ? ["ignore", log, log] : ["ignore", log, log, "ipc"],
    env: part.isForeign === true ? process.env : { ...process.env, ...memoryEnvironment },
    detached: true,
  });
  closeSync(log);
  const ended = (how: string): void => {
    forgetProcess(paths.run, part.name);
    if (isStopping) return;
    const ranMs = performance.now() - startedAtMs;
    const times = ranMs > stableAfterMs ? 0 : failures + 1;
    const waitMs = times === 0 ? 0 : Math.min(backoffFirstMs * 2 ** (times - 1), backoffMaxMs);
    process.stdout.write(`${part.name} ended (${how}) after ${Math.round(ranMs)} ms; again in ${waitMs} ms\n`);
    if (part.isForeign !== true) tellParent({ ended: part.name, times });
    setTimeout(() => {
      if (!isStopping) keepRunning(part, times);
    }, waitMs);
  };
  if (child.pid !== undefined) rememberProcess(paths.run, part.name, child.pid);
  child.on("message", (message) => {
    const told = message as PartMessage;
    if ("ready" in told && told.ready === "server") serverAnswers.resolve();
    tellParent(told);
  });
  child.on("exit", (code, signal) => ended(`code ${code}, signal ${signal}`));
  // It could not be started at all; what cannot be sent to it shows when it ends.
  child.on("error", (error) => {
    if (child.pid === undefined) ended(error.message);
  });
}

/** `steer up` listens until the cluster is ready, then it is gone. */
function tellParent(message: PartMessage): void {
  if (process.connected) process.send?.(message);
}

process.on("disconnect", () => {
  // The command that started us has ended; we go on.
});
process.on("SIGTERM", () => {
  isStopping = true;
  forgetProcess(paths.run, "supervisor");
  process.exit(0);
});

await main();
