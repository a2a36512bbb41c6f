// What metrics cost and how fast autoscaling reacts, on a real node with 100 pods. Memory: a cluster without history, before and after
// somebody looks at every page, and one with it. Processor time: with the history scraping, and with it stopped, in the same cluster.
// kubectl top: beside it what kubectl alone takes, and what each of its requests takes, as kubectl itself tells. One JSON line per
// figure. Needs root.
//   node benches/metrics.ts [pods]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeImages } from "#tools/make-images.ts";
import { startRealCluster, type TestCluster } from "../tests/cluster/harness.ts";
import { autoscaled } from "../tests/observability/manifests.ts";
import { report } from "./report.ts";
import { eventually } from "../tests/eventually.ts";

const podCount = Number(process.argv[2] ?? 100);
const quietSeconds = 30;
/** Three scrapes of every page. */
const scrapedSeconds = 45;
const runs = 9;
const reactions = 3;

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

async function share(pids: readonly number[], seconds: number): Promise<number> {
  const before = cpuSeconds(pids);
  await sleep(seconds * 1000);
  return ((cpuSeconds(pids) - before) / seconds) * 100;
}

const ours = /^(server|agent-.*)\.pid$/;

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
  await eventually("its pods are gone", () => !cluster.kubectl("get", "pods", "-o", "name").includes("/load-"));
}

/** Milliseconds that each request of a command took, as kubectl tells them. */
function requestTimes(cluster: TestCluster, args: readonly string[]): number[] {
  const { stderr } = cluster.tryKubectl([...args, "-v=6"]);
  return [...stderr.matchAll(/(?:in |milliseconds=)(\d+)(?: milliseconds)?/g)].map(([, time]) => Number(time));
}

/** What somebody who looks at everything asks for. */
function lookAtAll(cluster: TestCluster): void {
  const node = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}");
  const agent = ["/metrics", "/metrics/cadvisor", "/metrics/resource", "/stats/summary"];
  const pages = ["/metrics", "/metrics/kube-state", ...agent.map((path) => `/api/v1/nodes/${node}/proxy${path}`)];
  for (const page of pages) cluster.kubectl("get", "--raw", page);
  cluster.tryKubectl(["top", "nodes"]);
  cluster.tryKubectl(["top", "pods", "-A"]);
}

/** PSS of a cluster without pods, without history. */
async function measureMemory(): Promise<number> {
  const cluster = startRealCluster("--metrics=off");
  try {
    // Somebody who asks for something else, as often: what a look costs is not what a request costs.
    for (let look = 0; look < 5; look++) for (let page = 0; page < 9; page++) cluster.kubectl("get", "pods", "-A");
    await sleep(15_000);
    const before = pss(pidsOf(cluster, ours));
    for (let look = 0; look < 5; look++) lookAtAll(cluster);
    await sleep(15_000);
    print("idle memory that metrics add without the history (PSS)", pss(pidsOf(cluster, ours)) - before, "MB", {
      floor: before,
      target: 10,
    });
    return before;
  } finally {
    cluster.remove();
  }
}

async function measureLoad(cluster: TestCluster): Promise<void> {
  const pids = pidsOf(cluster, ours);
  const [prometheus = 0] = pidsOf(cluster, /^prometheus\.pid$/);
  process.kill(prometheus, "SIGSTOP");
  await sleep(10_000);
  const quiet = await share(pids, quietSeconds);
  process.kill(prometheus, "SIGCONT");
  await sleep(20_000);
  const scraped = await share(pids, scrapedSeconds);
  const figure = `CPU of agent and server for metrics of ${podCount} pods, scraped every 15 s`;
  print(figure, scraped - quiet, "% of a core", { floor: quiet, target: 2 });
}

function measureTop(cluster: TestCluster): void {
  cluster.kubectl("top", "pods");
  print(
    `kubectl top pods with ${podCount} pods`,
    median(() => cluster.kubectl("top", "pods")),
    "ms",
    { floor: median(() => cluster.kubectl("version", "--client")), target: 100 },
  );
  const asked = Array.from({ length: runs }, () => requestTimes(cluster, ["top", "pods"]));
  const last = asked.map((times) => times.at(-1) ?? 0).toSorted((left, right) => left - right);
  const all = asked.map((times) => times.reduce((sum, time) => sum + time, 0)).toSorted((left, right) => left - right);
  print(`of it the request for the usage of ${podCount} pods, as kubectl tells`, last[runs >> 1] ?? 0, "ms");
  print("of it all requests, discovery and the first connection among them", all[runs >> 1] ?? 0, "ms");
}

const archives = await makeImages();
const bare = await measureMemory();
const cluster = startRealCluster();
try {
  await eventually("the history runs", () => pidsOf(cluster, /^prometheus\.pid$/).length > 0);
  await sleep(45_000);
  const history = pss(pidsOf(cluster, /^prometheus\.pid$/));
  const added = pss(pidsOf(cluster, ours)) + history - bare;
  print("idle memory that metrics add with the history (PSS)", added, "MB", { floor: bare, target: 120 });
  print("of it Prometheus (PSS)", history, "MB");
  await fill(cluster, archives);
  await measureLoad(cluster);
  measureTop(cluster);
  for (let count = 0; count < reactions; count++) await reaction(cluster);
} finally {
  cluster.remove();
}
