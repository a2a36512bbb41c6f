// What metrics cost and how fast autoscaling reacts, on a real node with 100 pods: one cluster with its history, one without.
// Prints one JSON line per figure; the floor of a latency is kubectl asking for the version. Needs root.
//   node benches/metrics.ts [pods]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeImages } from "#tools/make-images.ts";
import { eventually, startRealCluster, type TestCluster } from "../tests/cluster/harness.ts";
import { autoscaled } from "../tests/observability/manifests.ts";
import { report } from "./report.ts";

const podCount = Number(process.argv[2] ?? 100);
const measureSeconds = 60;
const runs = 9;

function print(figure: string, value: number, unit: string, more: { floor?: number; target?: number } = {}): void {
  report({ bench: "metrics", figure, value, unit, ...more });
}

function pidsOf(cluster: TestCluster, names: RegExp): number[] {
  const processes = cluster.run("ls", [join(cluster.dataDir, "run")]).stdout.split("\n");
  return processes
    .filter((file) => names.test(file))
    .map((file) => Number(readFileSync(join(cluster.dataDir, "run", file), "utf8").split(" ")[0]));
}

/** Seconds of CPU that these processes have used. */
function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

/** PSS in megabytes. */
function pss(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    return sum + Number(/^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) / 1000;
  }, 0);
}

async function fill(cluster: TestCluster, archives: readonly string[]): Promise<void> {
  cluster.steer("image", "load", ...archives);
  const image = "localhost/steersman-busybox:1";
  cluster.kubectl("create", "deployment", "many", `--image=${image}`, `--replicas=${podCount}`, "--", "sleep", "36000");
  await eventually("all pods run", () => readyOf(cluster, "many") === podCount, 300_000);
}

function readyOf(cluster: TestCluster, name: string): number {
  return Number(cluster.tryKubectl(["get", "deploy", name, "-o", "jsonpath={.status.readyReplicas}"]).stdout);
}

async function idleShare(cluster: TestCluster): Promise<number> {
  const pids = pidsOf(cluster, /^(server|agent-.*)\.pid$/);
  await sleep(10_000);
  const before = cpuSeconds(pids);
  await sleep(measureSeconds * 1000);
  return ((cpuSeconds(pids) - before) / measureSeconds) * 100;
}

function median(task: () => void): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    task();
    return performance.now() - start;
  });
  return times.sort((left, right) => left - right)[Math.floor(runs / 2)] ?? 0;
}

async function reaction(cluster: TestCluster): Promise<void> {
  cluster.tryKubectl(["apply", "-f", "-"], { input: autoscaled });
  await eventually("the autoscaler has a number", () =>
    /ValidMetricFound/.test(cluster.kubectl("describe", "hpa", "load")),
  );
  const start = performance.now();
  cluster.kubectl("exec", "deploy/load", "--", "touch", "/tmp/go");
  await eventually("a new pod is ready", () => readyOf(cluster, "load") > 1, 60_000);
  print("load step until the first new pod is ready", (performance.now() - start) / 1000, "s", { target: 5 });
  cluster.kubectl("delete", "hpa,deploy", "load");
}

const archives = await makeImages();
const bare = startRealCluster("--metrics=off");
let bareShare: number;
let barePss: number;
try {
  await fill(bare, archives);
  bareShare = await idleShare(bare);
  barePss = pss(pidsOf(bare, /^(server|agent-.*)\.pid$/));
} finally {
  bare.remove();
}
const cluster = startRealCluster();
try {
  await fill(cluster, archives);
  const share = await idleShare(cluster);
  print(
    `CPU of agent and server, ${podCount} pods, scraped every 15 s, beyond the same without`,
    share - bareShare,
    "% of a core",
    {
      floor: bareShare,
      target: 2,
    },
  );
  const ours = pss(pidsOf(cluster, /^(server|agent-.*)\.pid$/));
  const prometheus = pss(pidsOf(cluster, /^prometheus\.pid$/));
  print("memory that the history adds to agent and server (PSS)", ours - barePss, "MB", { floor: barePss });
  print("memory that the history adds in all (PSS)", ours - barePss + prometheus, "MB", {
    floor: barePss,
    target: 120,
  });
  cluster.kubectl("top", "pods");
  const floor = median(() => cluster.kubectl("get", "--raw", "/version"));
  const all = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
  print(
    `usage of ${podCount} pods, by kubectl`,
    median(() => cluster.kubectl("get", "--raw", all)),
    "ms",
    { floor, target: 100 },
  );
  print(
    `kubectl top pods with ${podCount} pods`,
    median(() => cluster.kubectl("top", "pods")),
    "ms",
    { floor },
  );
  await reaction(cluster);
} finally {
  cluster.remove();
}
