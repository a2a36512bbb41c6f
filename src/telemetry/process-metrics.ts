import type { OwnProcess } from "#world/own-process.ts";
import type { Family } from "./metrics.ts";

/** The series that every Prometheus client library has of its process. */
export function processFamilies(self: OwnProcess): readonly Family[] {
  const { cpuSeconds, residentBytes, virtualBytes, openFiles, openFilesMax, startedAtSeconds, heapUsedBytes } =
    self.measure();
  const one = (name: string, type: Family["type"], help: string, value: number): Family => {
    return { name, type, help, samples: [{ labels: {}, value }] };
  };
  return [
    one("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", cpuSeconds),
    one("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", residentBytes),
    one("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", virtualBytes),
    one("process_open_fds", "gauge", "Number of open file descriptors.", openFiles),
    one("process_max_fds", "gauge", "Maximum number of open file descriptors.", openFilesMax),
    one(
      "process_start_time_seconds",
      "gauge",
      "Start time of the process since unix epoch in seconds.",
      startedAtSeconds,
    ),
    one("nodejs_heap_size_used_bytes", "gauge", "Process heap size used from Node.js in bytes.", heapUsedBytes),
  ];
}

/** `kubernetes_build_info`, which dashboards read versions from. */
export function buildInfo(gitVersion: string): Family {
  const labels = { major: "1", minor: "36", git_version: gitVersion, git_tree_state: "clean", platform: "linux/amd64" };
  const help = "A metric with a constant '1' value labeled by major, minor, git version.";
  return { name: "kubernetes_build_info", type: "gauge", help, samples: [{ labels, value: 1 }] };
}
