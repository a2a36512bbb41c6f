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

const noPast = { measured: new Map<string, Percentiles>(), workloads: new Map<string, string>() };

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
  const result = advise(scene, { measured, workloads: new Map() }, "1d");
  assert.deepEqual(result.workloads[0]?.advised, { cpu: 0.46, memory: 240 * mebi });
  assert.equal(result.nodesNow, 2);
  assert.deepEqual([result.nodesAdvised, result.nodesSaved], [1, 1]);
  // 3 of 4 cores and of 16 GiB, three times less one and a half tenths each.
  assert.equal(result.workloads[0]?.nodesSaved?.toFixed(3), "1.155");
});

test("what the pods used that a rollout replaced counts; what others of the name used does not", () => {
  const scene = { nodes: nodes(1), pods: [pod("web-new", "n0", 2)] };
  const measured = new Map([
    ["default/web-new/main", used(0.1, 0.1, 0.1, 100 * mebi)],
    ["default/web-old/main", used(0.2, 1, 1, 300 * mebi)],
    ["default/web-old/sidecar", used(3, 3, 3, 3 * gibi)],
    ["other/web-old/main", used(3, 3, 3, 3 * gibi)],
    ["default/stranger/main", used(3, 3, 3, 3 * gibi)],
  ]);
  const workloads = new Map([
    ["default/web-old", "deployment/web"],
    ["other/web-old", "deployment/web"],
  ]);
  const [web] = advise(scene, { measured, workloads }, "1d").workloads;
  assert.deepEqual([web?.advised, web?.pods], [{ cpu: 1.15, memory: 360 * mebi }, 1]);
});

test("whoever asked for too little costs nodes", () => {
  const measured = new Map([["default/web-a/main", used(2, 2, 2, gibi)]]);
  const [web] = advise(
    { nodes: nodes(1), pods: [pod("web-a", "n0", 1)] },
    { measured, workloads: new Map() },
    "1d",
  ).workloads;
  assert.equal(web?.nodesSaved?.toFixed(3), "-0.325");
});

test("a workload that was never measured keeps what it asked for", () => {
  const result = advise({ nodes: nodes(1), pods: [pod("web-a", "n0", 3)] }, noPast, "1d");
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
  const result = advise({ nodes: [], pods: [] }, noPast, "1d");
  assert.deepEqual([result.nodesNow, result.nodesAdvised, result.worstLoss], [0, 0, undefined]);
});
