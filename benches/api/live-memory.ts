import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as running from "../cluster/running-cluster.ts";

/** Asks servers what their heaps and buffers hold after a collection. */
export interface LiveMemory {
  /** In bytes, of a server that was started after this was opened. */
  of(pid: number): Promise<number>;
  close(): void;
}

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

/** Every server that is started from now on can be asked. */
export function openLiveMemory(folder: string): LiveMemory {
  const place = mkdtempSync(join(folder, "bench-memory-"));
  const file = join(place, "live");
  // Inherited by the cluster's server. A file of ours would bring the reader of TypeScript into what is measured.
  const told = encodeURIComponent(`(${tellLiveBytes.toString()})(${JSON.stringify(file)})`);
  process.env["NODE_OPTIONS"] = `--import=data:text/javascript,${told}`;
  const close = (): void => rmSync(place, { recursive: true, force: true });
  // Also of a bench whose time is over.
  process.once("exit", close);
  return {
    async of(pid) {
      rmSync(file, { force: true });
      process.kill(pid, "SIGUSR2");
      for (let i = 0; i < 600; i += 1) {
        await sleep(100);
        try {
          const text = readFileSync(file, "utf8");
          if (text !== "") return Number(text);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        }
      }
      throw new Error("The server did not say what it holds");
    },
    close,
  };
}

/** Waits until a process has done nothing worth a word for so many seconds; six times as long at most. */
export async function rested(pid: number, seconds: number): Promise<void> {
  let quiet = 0;
  for (let waited = 0; quiet < seconds && waited < 6 * seconds; waited += 1) {
    const before = running.processorMs(pid);
    await sleep(1_000);
    quiet = running.processorMs(pid) - before < 100 ? quiet + 1 : 0;
  }
}
