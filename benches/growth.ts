import { parseArgs } from "node:util";
import type { Pod } from "../src/api/generated/core-v1.ts";
import { Cluster } from "../src/scheduler/cluster.ts";
import { nodeView } from "../src/scheduler/node-view.ts";
import { Placer } from "../src/scheduler/placement.ts";
import { podView } from "../src/scheduler/pod-view.ts";
import { makeNode, makePod } from "../src/scheduler/testing/objects.ts";
import { hints, SchedulingQueue } from "../src/scheduler/queue.ts";
import { verdict } from "../src/scheduler/verdict.ts";
import { createModelCluster, type ModelCluster } from "../src/controllers/testing/model-cluster.ts";
import { report } from "./report.ts";

/**
 * Whether a loop's work grows with what changed or with what exists: the processor time of one change among 1,000, 10,000 and
 * 100,000 pods. The controllers run over a model of the API in virtual time, so that only they are measured.
 */
const { values: flags } = parseArgs({
  options: {
    sizes: { type: "string", default: "1000,10000,100000" },
    changes: { type: "string", default: "200" },
    nodes: { type: "string", default: "1000" },
    loops: { type: "string", default: "controllers,scheduler" },
  },
});
const changes = Number(flags.changes);
const sizes = flags.sizes.split(",").map(Number);
const podsPerSet = 100;
/** Virtual time between two changes: longer than every loop's pause, and all of them within the time a node may be silent. */
const settleMs = 150;

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function say(figure: string, value: number, unit: string, floor?: number): void {
  report({ bench: "growth", figure, value, unit, ...(floor === undefined ? {} : { floor }) });
}

/** ReplicaSets of 100 ready pods behind a Service each, all as they should be. */
function fill({ api }: ModelCluster, pods: number): void {
  for (let set = 0; set * podsPerSet < pods; set += 1) {
    const name = `web-${set}`;
    const labels = { app: name };
    const template = { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } };
    const { metadata } = api.put("replicasets", {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name, namespace: "default" },
      spec: { replicas: podsPerSet, selector: { matchLabels: labels }, template },
      status: {
        replicas: podsPerSet,
        fullyLabeledReplicas: podsPerSet,
        readyReplicas: podsPerSet,
        availableReplicas: podsPerSet,
        observedGeneration: 1,
      },
    });
    api.put("services", {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { selector: labels, clusterIP: "10.96.0.9", clusterIPs: ["10.96.0.9"], ports: [{ port: 80 }] },
    });
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name, uid: metadata.uid, controller: true };
    for (let at = 0; at < podsPerSet; at += 1) putPod(api, `${name}-${at}`, labels, owner);
  }
}

function putPod(api: ModelCluster["api"], name: string, labels: Record<string, string>, owner: object): void {
  api.put("pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels, ownerReferences: [owner] },
    spec: { nodeName: "n1", containers: [{ name: "web", image: "web:1" }] },
    status: statusOf(true),
  });
}

function statusOf(isReady: boolean): Record<string, unknown> {
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  return {
    phase: "Running",
    podIP: "10.244.0.2",
    podIPs: [{ ip: "10.244.0.2" }],
    conditions: [{ type: "Ready", status: isReady ? "True" : "False", lastTransitionTime }],
  };
}

/** A pod becomes unready or ready again: its ReplicaSet counts, its Service's slices change. */
async function controllersAt(pods: number): Promise<{ ms: number; writes: number }> {
  const cluster = await createModelCluster();
  await cluster.stop();
  fill(cluster, pods);
  await cluster.restart();
  await cluster.quiesce();
  const names = Array.from({ length: changes }, (_, at) => {
    const pod = (at * 7_919) % pods;
    return `default/web-${Math.floor(pod / podsPerSet)}-${pod % podsPerSet}`;
  });
  const isReady = new Map<string, boolean>();
  const { writes } = cluster.api;
  const writesBefore = writes.length;
  const cpu = processorMs();
  for (const name of names) {
    const next = isReady.get(name) === false;
    isReady.set(name, next);
    cluster.api.put("pods", { ...cluster.api.get("pods", name), status: statusOf(next) });
    await cluster.time.advance(settleMs);
  }
  const ms = (processorMs() - cpu) / changes;
  const made = (writes.length - writesBefore) / changes;
  if (cluster.api.list("pods").length !== pods)
    throw new Error("pods came or went: this is not what was to be measured");
  await cluster.stop();
  return { ms, writes: made };
}

/** One more pod finds its node while so many are placed already. */
function placementAt(pods: number): number {
  const nodes = Number(flags.nodes);
  const cluster = new Cluster();
  for (let i = 0; i < nodes; i += 1)
    cluster.setNode(nodeView(makeNode(`node-${i}`, { cpu: "64", pods: "500", zone: `zone-${i % 3}` })));
  const viewOf = (i: number): ReturnType<typeof podView> => podView(makePod(`pod-${i}`, { requests: { cpu: "10m" } }));
  for (let i = 0; i < pods; i += 1) cluster.placePod(viewOf(i), `node-${i % nodes}`);
  const placer = new Placer(cluster);
  const rounds = changes * 10;
  const views = Array.from({ length: rounds }, (_, i) => viewOf(pods + i));
  const cpu = processorMs();
  for (const [turn, view] of views.entries()) {
    const placement = placer.place(view, turn);
    if (placement.kind !== "placed") throw new Error(`${view.key} found no node among ${nodes}`);
    cluster.placePod(view, placement.node);
  }
  return (processorMs() - cpu) / rounds;
}

/** The first pod of one more Job finds its node while each of so many pods has a Job of its own. */
function placementAmongJobs(jobs: number): number {
  const cluster = new Cluster();
  for (let i = 0; i < 100; i += 1) cluster.setNode(nodeView(makeNode(`node-${i}`, { cpu: "640", pods: "5000" })));
  const placer = new Placer(cluster);
  const place = (i: number): void => {
    const view = podView(makePod(`pod-${i}`, { requests: { cpu: "10m" }, owner: `job-${i}` }));
    const placement = placer.place(view, i);
    if (placement.kind !== "placed") throw new Error(`${view.key} found no node`);
    cluster.placePod(view, placement.node);
  };
  for (let i = 0; i < jobs; i += 1) place(i);
  const cpu = processorMs();
  for (let i = 0; i < changes; i += 1) place(jobs + i);
  return (processorMs() - cpu) / changes;
}

type Rules = Partial<Pod["spec"]>;
type RulesOf = (term: { topologyKey: string; labelSelector: { matchLabels: Record<string, string> } }) => Rules;
const podsPerRule = 10;

/** One more pod finds its node among so many, ten of each kind with a rule of their own about one another. */
function placementAmongRules(pods: number, rulesOf: RulesOf): number {
  const cluster = new Cluster();
  const nodes = Number(flags.nodes);
  for (let i = 0; i < nodes; i += 1) cluster.setNode(nodeView(makeNode(`node-${i}`, { cpu: "64", pods: "500" })));
  const viewOf = (i: number): ReturnType<typeof podView> => {
    const labels = { app: `set-${Math.floor(i / podsPerRule)}` };
    const spec = rulesOf({ topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: labels } });
    return podView(makePod(`pod-${i}`, { requests: { cpu: "10m" }, labels, spec }));
  };
  for (let i = 0; i < pods; i += 1) cluster.placePod(viewOf(i), `node-${i % nodes}`);
  const placer = new Placer(cluster);
  const cpu = processorMs();
  for (let i = 0; i < changes; i += 1) {
    const view = viewOf(pods + i);
    const placement = placer.place(view, i);
    if (placement.kind !== "placed") throw new Error(`${view.key} found no node among ${nodes}`);
    cluster.placePod(view, placement.node);
  }
  return (processorMs() - cpu) / changes;
}

/** A pod comes to a node and the next one is taken, while so many wait for other things: half for their turn, half for room. */
function queueAmong(pods: number): number {
  const queue = new SchedulingQueue();
  for (let i = 0; i < pods / 2; i += 1) queue.add(`large-${i}`, 0);
  for (let key = queue.take(0); key !== undefined; key = queue.take(0))
    queue.unschedulable(key, 1 << verdict.resources, 0);
  for (let i = 0; i < pods / 2; i += 1) queue.add(`pod-${i}`, 0);
  const cpu = processorMs();
  for (let i = 0; i < changes; i += 1) {
    queue.happened(hints.podCame, i);
    queue.remove(queue.take(i)!);
  }
  return (processorMs() - cpu) / changes;
}

const firsts = new Map<string, number>();

/** Beside each figure what it was among the fewest. */
function grows(what: string, among: string, pods: number, ms: number): void {
  if (!firsts.has(what)) firsts.set(what, ms);
  say(`${what} among ${pods} ${among}`, ms, "ms", firsts.get(what));
}

for (const pods of sizes) {
  if (flags.loops.includes("controllers")) {
    const { ms, writes } = await controllersAt(pods);
    grows("all controllers: processor time of a pod's change of readiness", "pods", pods, ms);
    say(`all controllers: writes of it among ${pods} pods`, writes, "1");
  }
  if (!flags.loops.includes("scheduler")) continue;
  const one = "scheduler: processor time of placing one more pod";
  grows(`${one} on ${flags.nodes} nodes`, "pods", pods, placementAt(pods));
  grows("scheduler: processor time of placing the pod of one more Job", "Jobs", pods, placementAmongJobs(pods));
  const apart = placementAmongRules(pods, (term) => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
  }));
  grows(`${one} that keeps away from its like`, "pods", pods, apart);
  const even = placementAmongRules(pods, (term) => ({
    topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" }],
  }));
  grows(`${one} that is spread with its like`, "pods", pods, even);
  grows("scheduler: processor time of hearing of a pod and taking the next", "pods that wait", pods, queueAmong(pods));
}
