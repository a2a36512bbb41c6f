import { parseArgs } from "node:util";
import { Cluster } from "../src/scheduler/cluster.ts";
import { nodeView } from "../src/scheduler/node-view.ts";
import { Placer } from "../src/scheduler/placement.ts";
import { podView } from "../src/scheduler/pod-view.ts";
import { makeNode, makePod } from "../src/scheduler/testing/objects.ts";
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

let firstMs: number | undefined;
let firstAmongJobsMs: number | undefined;
let firstPlacementMs: number | undefined;
for (const pods of sizes) {
  const { ms, writes } = await controllersAt(pods);
  const placementMs = placementAt(pods);
  firstMs ??= ms;
  firstPlacementMs ??= placementMs;
  const among = `among ${pods} pods`;
  say(`all controllers: processor time of a pod's change of readiness ${among}`, ms, "ms", firstMs);
  say(`all controllers: writes of it ${among}`, writes, "1");
  say(
    `scheduler: processor time of placing one more pod on ${flags.nodes} nodes ${among}`,
    placementMs,
    "ms",
    firstPlacementMs,
  );
  const amongJobsMs = placementAmongJobs(pods);
  firstAmongJobsMs ??= amongJobsMs;
  const figure = `scheduler: processor time of placing the pod of one more Job among ${pods} Jobs`;
  say(figure, amongJobsMs, "ms", firstAmongJobsMs);
}
