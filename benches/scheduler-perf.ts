import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect, inParallel, type ApiConnection } from "./cluster/connection.ts";
import { misplaced, type PlacedNode, type PlacedPod } from "./cluster/placement-check.ts";
import * as running from "./cluster/running-cluster.ts";
import { readWorkload, type Manifest, type Operation } from "./cluster/workload-file.ts";
import { report } from "./report.ts";
import { freePort } from "../tests/free-port.ts";

/**
 * The workloads that upstream publishes for its scheduler's benchmark, through the API of a whole server with the durable store:
 * `--workloads` is the folder with their files. In the end each placement is judged by a checker that knows nothing of the scheduler.
 */
const { values: flags } = parseArgs({
  options: {
    workloads: { type: "string" },
    /** FOLDER/TEST/WORKLOAD, separated by commas. */
    only: { type: "string", default: "misc/SchedulingBasic/5000Nodes_10000Pods" },
    folder: { type: "string", default: "/var/tmp" },
    kubeconfig: { type: "string" },
    /** Requests under way at the same time. */
    width: { type: "string", default: "64" },
  },
});
const width = Number(flags.width);
const limitMs = 240_000;

interface Stage {
  readonly api: ApiConnection;
  readonly processors: () => { readonly allMs: number; readonly firstThreadMs: number };
}

/** Nodes of the bench have no agent: after a while they are marked as lost, which is not what is measured. */
const lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map((key) => ({
  key,
  operator: "Exists",
}));

function podOf(manifest: Manifest): Record<string, unknown> {
  const spec = manifest["spec"] as { readonly tolerations?: readonly object[] };
  return { ...manifest, spec: { ...spec, tolerations: [...(spec.tolerations ?? []), ...lost] } };
}

async function listAll<T>({ api }: Stage, path: string): Promise<T[]> {
  const items: T[] = [];
  let next = "";
  do {
    const { text } = await api.call("GET", `${path}?limit=2000${next === "" ? "" : `&continue=${next}`}`);
    const page = JSON.parse(text) as { items: T[]; metadata: { continue?: string } };
    items.push(...page.items);
    next = encodeURIComponent(page.metadata.continue ?? "");
  } while (next !== "");
  return items;
}

/** Pods with a node, counted by a watch; whoever was given another node later is told as well. */
class Bound {
  readonly moved: string[] = [];
  readonly #nodes = new Map<string, string>();
  #wanted = Number.POSITIVE_INFINITY;
  #reached: () => void = () => undefined;

  see(line: string): void {
    if (line === "") return;
    const { object } = JSON.parse(line) as { object: PlacedPod };
    const { nodeName = "" } = object.spec;
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const before = this.#nodes.get(key);
    if (before !== undefined && before !== nodeName) this.moved.push(`${key} went from ${before} to ${nodeName}`);
    this.#nodes.set(key, nodeName);
    if (this.#nodes.size >= this.#wanted) this.#reached();
  }

  async reach(count: number): Promise<void> {
    if (this.#nodes.size >= count) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wanted = count;
    this.#reached = resolve;
    const timer = setTimeout(() => reject(new Error(`${this.#nodes.size} of ${count} pods are bound`)), limitMs);
    await promise.finally(() => clearTimeout(timer));
  }
}

async function play(stage: Stage, path: string): Promise<void> {
  const [folder = "", test = "", name = ""] = path.split("/");
  const workload = readWorkload(join(flags.workloads ?? "", folder, "performance-config.yaml"), `${test}/${name}`);
  const bound = new Bound();
  const { text } = await stage.api.call("GET", "/api/v1/pods?limit=1");
  const { resourceVersion } = (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata;
  const watch = await stage.api.watch(
    `/api/v1/pods?watch=1&fieldSelector=spec.nodeName!%3D&resourceVersion=${resourceVersion}`,
    (line) => bound.see(line),
  );
  let pods = 0;
  for (const operation of workload.operations) {
    const cpu = stage.processors();
    const start = performance.now();
    await begin(stage, operation);
    if (operation.do !== "pods") continue;
    pods += operation.pods.length;
    await bound.reach(pods);
    if (!operation.isMeasured) continue;
    const elapsedMs = performance.now() - start;
    const used = stage.processors();
    const count = operation.pods.length;
    const say = (figure: string, value: number, unit: string, more = {}): void =>
      report({ bench: "scheduler-perf", figure: `${path}: ${figure}`, value, unit, ...more });
    if (workload.threshold > 0) say("below this upstream's own run counts as failed", workload.threshold, "1/s");
    say("pods created and bound", (count * 1_000) / elapsedMs, "1/s", { target: 2_000 });
    say("processor time of the server a bind, the creation among it", (used.allMs - cpu.allMs) / count, "ms");
    say("of it the first thread", (used.firstThreadMs - cpu.firstThreadMs) / count, "ms");
  }
  watch.close();
  await judge(stage, path, pods, bound.moved);
}

async function begin({ api }: Stage, operation: Operation): Promise<void> {
  switch (operation.do) {
    case "namespaces":
      for (const name of operation.names) await api.call("POST", "/api/v1/namespaces", { metadata: { name } });
      return;
    case "nodes":
      return inParallel(operation.nodes.length, width, (at) => api.call("POST", "/api/v1/nodes", operation.nodes[at]));
    case "pods": {
      const path = `/api/v1/namespaces/${operation.namespace}/pods`;
      const manifests = operation.pods.map(podOf);
      return inParallel(manifests.length, width, (at) => api.call("POST", path, manifests[at]));
    }
  }
}

async function judge(stage: Stage, path: string, expected: number, moved: readonly string[]): Promise<void> {
  const [nodes, pods] = [
    await listAll<PlacedNode>(stage, "/api/v1/nodes"),
    await listAll<PlacedPod>(stage, "/api/v1/pods"),
  ];
  const wrong = [...moved, ...misplaced(nodes, pods)];
  if (pods.length !== expected) wrong.push(`there are ${pods.length} pods, ${expected} were made`);
  if (wrong.length > 0)
    throw new Error(`${path}: ${wrong.length} placements are wrong: ${wrong.slice(0, 5).join("; ")}`);
  report({ bench: "scheduler-perf", figure: `${path}: placements checked, none wrong`, value: pods.length, unit: "1" });
}

function processorsOf(dataDir: string): Stage["processors"] {
  const server = running.processOf(dataDir, "server");
  return () => ({ allMs: running.processorMs(server), firstThreadMs: running.firstThreadMs(server) });
}

if (flags.workloads === undefined) throw new Error("--workloads FOLDER: where the published workload files are");
for (const path of flags.only.split(",")) {
  const load = Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
  report({ bench: "scheduler-perf", figure: `load average before ${path}`, value: load, unit: "1" });
  if (flags.kubeconfig !== undefined) {
    const api = connect(flags.kubeconfig);
    await play({ api, processors: () => ({ allMs: Number.NaN, firstThreadMs: Number.NaN }) }, path);
    api.close();
    continue;
  }
  const place = running.newPlace(flags.folder, freePort());
  try {
    // The one node with an agent is kept out: its pods would run.
    const { api } = await running.up(place, "--simulate", "1");
    const { text } = await api.call("GET", "/api/v1/nodes");
    for (const { metadata } of (JSON.parse(text) as { items: PlacedNode[] }).items)
      await api.call("PATCH", `/api/v1/nodes/${metadata.name}`, { spec: { unschedulable: true } });
    await play({ api, processors: processorsOf(place.dataDir) }, path);
    api.close();
  } finally {
    running.remove(place);
  }
}
