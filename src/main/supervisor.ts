/**
 * Keeps the cluster's processes running: starts the server and an agent a node, and starts again what ends, with back-off.
 * When it ends itself, everything goes on without it; the next one takes over. Run by `steer up`:
 * supervisor.ts --data-dir DIR
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { prepareHistory } from "#cluster/history.ts";
import { clusterPaths, loadSettings } from "#cluster/settings.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
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

/**
 * A small young generation costs a little time and saves tens of megabytes. It is swept on one thread: helpers that wait for a
 * busy core made pauses of 180 ms where one thread needs 10, and all of them together need more processor time.
 */
const nodeFlags = ["--disable-warning=ExperimentalWarning", "--no-parallel-scavenge"];
const serverFlags = ["--max-semi-space-size=8"];
const agentFlags = ["--max-semi-space-size=4"];

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
  const history = await prepareHistory({ disk: realDisk, processes: realProcesses }, dataDir, settings);
  const parts: Part[] = [
    { name: "server", command: ours("server.ts", serverFlags, ["--data-dir", dataDir]) },
    ...settings.nodes.map((node) => ({
      name: `agent-${node.name}`,
      command: ours("agent.ts", agentFlags, ["--data-dir", dataDir, "--node", node.name]),
      networkNamespace: node.networkNamespace,
    })),
    ...(history === undefined ? [] : [{ name: "prometheus", command: history, isForeign: true }]),
  ];
  await Promise.all(parts.map((part) => takeOver(part)));
}

function ours(file: string, memoryFlags: readonly string[], args: readonly string[]): readonly string[] {
  return [process.execPath, ...nodeFlags, ...memoryFlags, join(import.meta.dirname, file), ...args];
}

/** Replaces what an earlier supervisor left running, so that there is one of each and it is ours. */
async function takeOver(part: Part): Promise<void> {
  const earlier = findProcess(paths.run, part.name);
  if (earlier !== undefined) await endProcess(earlier, takeOverGraceMs);
  keepRunning(part, 0);
}

const children = new Map<string, ChildProcess>();
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
    detached: true,
  });
  children.set(part.name, child);
  rememberProcess(paths.run, part.name, child.pid ?? 0);
  child.on("message", (message) => tellParent(message as PartMessage));
  child.on("exit", (code, signal) => {
    forgetProcess(paths.run, part.name);
    if (isStopping) return;
    const ranMs = performance.now() - startedAtMs;
    const times = ranMs > stableAfterMs ? 0 : failures + 1;
    const waitMs = times === 0 ? 0 : Math.min(backoffFirstMs * 2 ** (times - 1), backoffMaxMs);
    process.stdout.write(
      `${part.name} ended (code ${code}, signal ${signal}) after ${Math.round(ranMs)} ms; again in ${waitMs} ms\n`,
    );
    if (part.isForeign !== true) tellParent({ ended: part.name, times });
    setTimeout(() => {
      if (!isStopping) keepRunning(part, times);
    }, waitMs);
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
