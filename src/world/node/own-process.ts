import { readFileSync, readdirSync } from "node:fs";
import type { OwnProcess } from "../own-process.ts";

/** This process, by its own counters and /proc. */
export const ownProcess: OwnProcess = {
  measure: () => {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: rss,
      heapUsedBytes: heapUsed,
      virtualBytes: Number(/^VmSize:\s+(\d+) kB$/m.exec(text("/proc/self/status"))?.[1] ?? 0) * 1024,
      openFiles: files(),
      openFilesMax: Number(/^Max open files\s+(\d+)/m.exec(text("/proc/self/limits"))?.[1] ?? 0),
      startedAtSeconds: Date.now() / 1000 - process.uptime(),
    };
  },
};

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function files(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
