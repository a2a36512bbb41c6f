import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pod } from "./api/objects.ts";
import { benchNamespace, Client, startCluster } from "./api/stage.ts";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";

/**
 * What a stored pod costs a whole server, all its loops running: a fresh cluster, pods created over HTTPS, then rest. What the
 * process holds (PSS) so long after the last work, and what its heap and buffers hold after a collection, each beyond the same
 * server before its pods.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    pods: { type: "string", default: "10000,20000" },
    /** Seconds of rest before the process' memory is read. */
    rest: { type: "string", default: "30" },
  },
});
const bench = "memory";
const place = mkdtempSync(join(flags.folder, "bench-memory-"));
const file = join(place, "live");

/** Runs in the cluster's server: at SIGUSR2 it collects the garbage and writes what is left, in bytes, to the bench's file. */
function tellLiveBytes(path: string): void {
  const fs = process.getBuiltinModule("node:fs");
  const v8 = process.getBuiltinModule("node:v8");
  const vm = process.getBuiltinModule("node:vm");
  const threads = process.getBuiltinModule("node:worker_threads");
  if (!threads.isMainThread || !/\bserver\.\w+$/.test(process.argv[1] ?? "")) return;
  process.on("SIGUSR2", () => {
    v8.setFlagsFromString("--expose-gc");
    const collect = vm.runInNewContext("gc") as () => void;
    // Twice: what is finalized by the first goes with the second.
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();
    fs.writeFileSync(path, String(heapUsed + external));
  });
}

// Inherited by the cluster's server. A file of ours would bring the reader of TypeScript into what is measured.
const told = encodeURIComponent(`(${tellLiveBytes.toString()})(${JSON.stringify(file)})`);
process.env["NODE_OPTIONS"] = `--import=data:text/javascript,${told}`;

/** Waits until the process has done nothing worth a word for so many seconds. */
async function rested(pid: number, seconds: number): Promise<void> {
  let quiet = 0;
  for (let waited = 0; quiet < seconds && waited < 6 * seconds; waited += 1) {
    const before = running.processorMs(pid);
    await sleep(1_000);
    quiet = running.processorMs(pid) - before < 100 ? quiet + 1 : 0;
  }
}

/** Bytes of the heap and of buffers after a collection. */
async function liveBytes(pid: number): Promise<number> {
  rmSync(file, { force: true });
  process.kill(pid, "SIGUSR2");
  for (let i = 0; i < 600; i += 1) {
    await sleep(100);
    try {
      return Number(readFileSync(file, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("The server did not say what it holds");
}

async function measure(count: number): Promise<void> {
  const rest = Number(flags.rest);
  const cluster = await startCluster({ folder: flags.folder });
  const client = new Client();
  try {
    const { target, api } = cluster;
    const pid = cluster.pid!;
    await rested(pid, 5);
    const emptyMegabytes = running.proportionalMegabytes(pid);
    const emptyLive = await liveBytes(pid);
    const path = `/api/v1/namespaces/${benchNamespace}/pods`;
    const order = { target, path, protocol: "HTTP/1.1", shape: "create", width: 64, prefix: "p" } as const;
    const body = JSON.stringify(pod("NAME"));
    const made = await client.load({ ...order, body, durationMs: 300_000, countMax: count });
    if (made.failures > 0 || made.count !== count) throw new Error(`${made.failures} of ${made.count} creates failed`);
    const after = running.proportionalMegabytes(pid);
    const stored = (await api.call("GET", `${path}/p1`)).text.length;
    await rested(pid, rest);
    const atRest = running.proportionalMegabytes(pid);
    const live = await liveBytes(pid);
    const figure = `a pod of ${stored} B among ${count}`;
    const kilobytes = (megabytes: number): number => ((megabytes - emptyMegabytes) * 1_024) / count;
    const unit = "KB";
    report({ bench, figure: `${figure}: held at rest (PSS)`, value: kilobytes(atRest), unit, target: 12 });
    report({
      bench,
      figure: `${figure}: live`,
      value: (live - emptyLive) / 1_024 / count,
      unit,
      floor: stored / 1_024,
    });
    report({ bench, figure: `${figure}: held right after the last create`, value: kilobytes(after), unit });
    report({ bench, figure: "the server without pods (PSS)", value: emptyMegabytes, unit: "MB" });
  } finally {
    await client.close();
    cluster.close();
  }
}

try {
  for (const count of flags.pods.split(",")) await measure(Number(count));
} finally {
  rmSync(place, { recursive: true, force: true });
}
