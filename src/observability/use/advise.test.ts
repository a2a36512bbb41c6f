import assert from "node:assert/strict";
import { test } from "node:test";
import { advise, worstLoss, type Percentiles } from "./advise.ts";
import type { Amount, Scene, SeenPod } from "./scene.ts";

const gibi = 1024 ** 3;
const mebi = 1024 ** 2;

function pod(name: string, node: string, cpu: number, more: Partial<SeenPod> = {}): SeenPod {
  return {
    namespace: "default",
    name,
    workload: `deployment/${name.split("-")[0] ?? name}`,
    node,
    priority: 0,
    isDaemon: false,
    containers: [{ name: "main", requests: { cpu, memory: gibi }, used: undefined }],
    ...more,
  };
}

function nodes(count: number): Scene["nodes"] {
  return Array.from({ length: count }, (_, index) => ({
    name: `n${index}`,
    allocatable: { cpu: 4, memory: 16 * gibi },
    used: undefined,
  }));
}

function used(half: number, most95: number, most: number, memory: number): Percentiles {
  const at = (cpu: number): Amount => ({ cpu, memory });
  return { half: at(half), most95: at(most95), most: at(most) };
}

test("advice follows the pod that used most: the busiest twentieth of CPU, the most of memory", () => {
  const scene = { nodes: nodes(3), pods: [pod("web-a", "n0", 2), pod("web-b", "n1", 2), pod("web-c", "n2", 2)] };
  const measured = new Map([
    ["default/web-a/main", used(0.1, 0.2, 0.9, 100 * mebi)],
    ["default/web-b/main", used(0.1, 0.4, 0.5, 200 * mebi)],
  ]);
  const result = advise(scene, measured, "1d");
  assert.deepEqual(result.workloads[0]?.advised, { cpu: 0.46, memory: 240 * mebi });
  assert.equal(result.nodesNow, 2);
  assert.equal(result.nodesAdvised, 1);
});

test("a workload that was never measured keeps what it asked for", () => {
  const result = advise({ nodes: nodes(1), pods: [pod("web-a", "n0", 3)] }, new Map(), "1d");
  assert.equal(result.workloads[0]?.advised, undefined);
  assert.equal(result.nodesAdvised, 1);
});

test("the worst loss is the node whose pods find no place; the important ones are placed first", () => {
  const pods = [
    pod("important-a", "n0", 3, { priority: 1000 }),
    pod("cheap-a", "n0", 1),
    pod("agent-a", "n0", 1, { isDaemon: true }),
    pod("web-b", "n1", 1),
  ];
  assert.deepEqual(worstLoss({ nodes: nodes(2), pods }), { node: "n0", homeless: ["default/cheap-a"] });
});

test("a cluster without nodes or pods needs no advice", () => {
  const result = advise({ nodes: [], pods: [] }, new Map(), "1d");
  assert.deepEqual([result.nodesNow, result.nodesAdvised, result.worstLoss], [0, 0, undefined]);
});
