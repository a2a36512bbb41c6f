import { parseArgs } from "node:util";
import type { Pod } from "#api/generated/core-v1.ts";
import { Cluster } from "../src/scheduler/cluster.ts";
import { nodeView } from "../src/scheduler/node-view.ts";
import { Placer } from "../src/scheduler/placement.ts";
import { podView } from "../src/scheduler/pod-view.ts";
import { makeNode, makePod, type PodWords } from "../src/scheduler/testing/objects.ts";
import { report } from "./report.ts";

/** The pure core of the scheduler: every node judged and scored for every pod. The floor is one pass over as many numbers. */
const { values: flags } = parseArgs({
  options: { nodes: { type: "string", default: "5000" }, pods: { type: "string", default: "10000" } },
});
const nodeCount = Number(flags.nodes);
const podCount = Number(flags.pods);

function clusterOf(): Cluster {
  const cluster = new Cluster();
  for (let i = 0; i < nodeCount; i += 1)
    cluster.setNode(nodeView(makeNode(`node-${i}`, { memory: "32Gi", zone: `zone-${i % 3}` })));
  return cluster;
}

/** How fast one pass over an array with a number for each node is on this machine. */
function barePasses(): number {
  const numbers = new Float64Array(nodeCount).map((_, i) => i % 97);
  const start = performance.now();
  let passes = 0;
  let best = 0;
  while (performance.now() - start < 500) {
    for (let i = 0; i < nodeCount; i += 1) if (numbers[i]! > best) best = numbers[i]!;
    passes += 1;
  }
  const elapsedMs = performance.now() - start;
  // `best` is looked at, so that the passes are not optimised away.
  return best < 0 ? 0 : (passes * 1_000) / elapsedMs;
}

function run(figure: string, podAt: (i: number) => Pod, target?: number): void {
  const cluster = clusterOf();
  const placer = new Placer(cluster);
  const views = Array.from({ length: podCount }, (_, i) => podView(podAt(i)));
  const cpu = process.cpuUsage();
  const start = performance.now();
  let placed = 0;
  let longestMs = 0;
  for (const [turn, view] of views.entries()) {
    const before = performance.now();
    const placement = placer.place(view, turn);
    if (placement.kind === "placed") {
      cluster.placePod(view, placement.node);
      placed += 1;
    }
    longestMs = Math.max(longestMs, performance.now() - before);
  }
  const elapsedMs = performance.now() - start;
  const used = process.cpuUsage(cpu);
  const name = `${figure}, ${nodeCount} nodes`;
  if (placed < podCount) throw new Error(`${figure}: only ${placed} of ${podCount} pods were placed`);
  const floor = barePasses();
  report({
    bench: "scheduler",
    figure: name,
    value: (podCount * 1_000) / elapsedMs,
    unit: "pods/s",
    floor,
    ...(target === undefined ? {} : { target }),
  });
  report({
    bench: "scheduler",
    figure: `${name}: processor time a pod`,
    value: (used.user + used.system) / podCount,
    unit: "us",
  });
  report({ bench: "scheduler", figure: `${name}: longest pod`, value: longestMs, unit: "ms" });
}

const requests = { cpu: "100m", memory: "500Mi" };
const labels = { app: "web" };
const selector = { matchLabels: labels };
const words = (i: number, more: PodWords = {}): Pod => makePod(`pod-${i}`, { requests, ...more });

run("pods without constraints", (i) => words(i), 2_000);
run(
  "100 Deployments, spread by default",
  (i) => words(i, { owner: `rs-${i % 100}`, labels: { app: `app-${i % 100}` } }),
  2_000,
);
run("zone spread, hard", (i) =>
  words(i, {
    labels,
    spec: {
      topologySpreadConstraints: [
        {
          maxSkew: 5,
          topologyKey: "topology.kubernetes.io/zone",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: selector,
        },
      ],
    },
  }),
);
run("anti-affinity by host, 500 groups", (i) =>
  words(i, {
    labels: { app: `app-${i % 500}` },
    spec: {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: { app: `app-${i % 500}` } }, topologyKey: "kubernetes.io/hostname" },
          ],
        },
      },
    },
  }),
);
