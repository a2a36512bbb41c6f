import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { whenCutOff } from "../../tests/cluster/cut-off.ts";
import { connect, type ApiConnection } from "./connection.ts";

/** Clusters that the benches start as a user does, in a data dir of their own, and what their processes use. */
export const projectRoot = join(import.meta.dirname, "../..");
const clockTicksPerSecond = 100;

export interface RunningCluster {
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly api: ApiConnection;
  /** From the start of the command. */
  readonly answeredAfterMs: number;
  readonly readyAfterMs: number;
}

export interface Place {
  readonly dataDir: string;
  readonly port: number;
}

const takeBacks = new WeakMap<Place, () => void>();

/** A data dir for a cluster, which goes away with the cluster also when the bench is ended before it is done. */
export function newPlace(folder: string, port: number): Place {
  const place = { dataDir: mkdtempSync(join(folder, "bench-cluster-")), port };
  takeBacks.set(
    place,
    whenCutOff(() => clear(place)),
  );
  return place;
}

/** Runs `./steer COMMAND` to its end. Throws with its words when it fails. */
export function steer(place: Place, ...args: string[]): void {
  const result = spawnSync(join(projectRoot, "steer"), [...args, "--data-dir", place.dataDir], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`./steer ${args.join(" ")}: ${result.stderr}`);
}

/** `./steer up`; asks all the time whether the API answers to somebody who may read. */
export async function up(place: Place, ...flags: string[]): Promise<RunningCluster> {
  const start = performance.now();
  const command = spawn(
    join(projectRoot, "steer"),
    ["up", "--data-dir", place.dataDir, "--port", String(place.port), ...flags],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let words = "";
  command.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  const ended = new Promise<number>((resolve) => command.on("exit", (code) => resolve(code ?? -1)));
  const kubeconfig = join(place.dataDir, "kubeconfig");
  let answeredAfterMs = 0;
  let isOver = false;
  const ready = ended.then((code) => {
    isOver = true;
    if (code !== 0) throw new Error(`./steer up: ${words}`);
    return performance.now() - start;
  });
  const [readyAfterMs, api] = await Promise.all([
    ready,
    (async () => {
      for (;;) {
        try {
          const api = connect(kubeconfig);
          const { status } = await api.send("GET", "/api/v1/namespaces/kube-system");
          if (status === 200) {
            answeredAfterMs = performance.now() - start;
            return api;
          }
          api.close();
        } catch {
          if (isOver) throw new Error("./steer up ended and nothing answers");
        }
        await sleep(5);
      }
    })(),
  ]);
  return { dataDir: place.dataDir, kubeconfig, api, answeredAfterMs, readyAfterMs };
}

/** Stops the cluster and removes every trace. */
export function remove(place: Place): void {
  takeBacks.get(place)?.();
  clear(place);
}

function clear(place: Place): void {
  spawnSync(join(projectRoot, "steer"), ["reset", "--yes", "--data-dir", place.dataDir]);
  rmSync(place.dataDir, { recursive: true, force: true });
}

/** The process of a part, as the supervisor knows it. */
export function processOf(dataDir: string, part: string): number {
  const text = readFileSync(join(dataDir, "run", `${part}.pid`), "utf8").trim();
  const pid = Number(/\d+/.exec(text)?.[0]);
  if (!(pid > 0)) throw new Error(`No process of ${part}: ${text}`);
  return pid;
}

export function proportionalMegabytes(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
  return Number(kilobytes) / 1_024;
}

const pageBytes = 4_096;

/**
 * Watches what a process holds while something is done to it. Resident, not proportional: that walks all its pages, which takes half a
 * core for a server of a gigabyte and keeps it from mapping memory meanwhile. `end` tells the most that it held, in megabytes; NaN
 * without a process.
 */
export function watchMemory(pid: number | undefined, everyMs: number): { readonly before: number; end(): number } {
  if (pid === undefined) return { before: Number.NaN, end: () => Number.NaN };
  const resident = (): number =>
    (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * pageBytes) / 1_048_576;
  const before = resident();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, resident())), everyMs);
  const end = (): number => {
    clearInterval(timer);
    return most;
  };
  return { before, end };
}

/** Processor time used so far, in milliseconds. */
export function processorMs(pid: number): number {
  return processorMsIn(`/proc/${pid}/stat`);
}

/** That of the process' first thread alone: it serves, while simulated nodes, commits and collections have others. */
export function firstThreadMs(pid: number): number {
  return processorMsIn(`/proc/${pid}/task/${pid}/stat`);
}

function processorMsIn(path: string): number {
  const fields = readFileSync(path, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / clockTicksPerSecond;
}

/** The machine is shared: a figure without its load says little. */
export function loadAverage(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
}

export function medianOf(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

export function percentileOf(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
