import assert from "node:assert/strict";
import { test } from "node:test";
import { misplaced, type PlacedNode, type PlacedPod } from "../../benches/cluster/placement-check.ts";

/** The checker that judges the scheduler's benches: it must see every kind of wrong placement, and no other. */
const zoneKey = "topology.kubernetes.io/zone";

function node(name: string, zone: string, spec: PlacedNode["spec"] = {}): PlacedNode {
  const labels = { [zoneKey]: zone, "kubernetes.io/hostname": name };
  return { metadata: { name, labels }, spec, status: { allocatable: { cpu: "1", memory: "1Gi", pods: "3" } } };
}

const nodes = [node("a1", "a"), node("a2", "a"), node("b1", "b"), node("t1", "b", { taints: [taint()] })];

function taint(): { key: string; effect: string } {
  return { key: "special", effect: "NoSchedule" };
}

type Spec = PlacedPod["spec"];

function pod(name: string, nodeName: string, spec: Partial<Spec> = {}, version?: string): PlacedPod {
  const containers = [{ resources: { requests: { cpu: "300m", memory: "100Mi" } } }];
  const labels = { app: "web", ...(version === undefined ? {} : { version }) };
  return { metadata: { name, namespace: "default", labels }, spec: { nodeName, containers, ...spec } };
}

function onEach(nodeNames: readonly string[]): PlacedPod[] {
  return nodeNames.map((name, index) => pod(`on-${index}`, name));
}

const term = { topologyKey: zoneKey, labelSelector: { matchLabels: { app: "web" } } };
const seeks = { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
const avoids = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
const spreadBy = (more: object, spec: Partial<Spec> = {}): Partial<Spec> => {
  return { ...spec, topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...more }] };
};
const spread = spreadBy({});
const inA = { nodeSelector: { [zoneKey]: "a" } };
const oneVersion = spreadBy({ matchLabelKeys: ["version"] });
const perNode = { topologyKey: "kubernetes.io/hostname" };
const wantsB = {
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: zoneKey, operator: "In", values: ["b"] }] }],
      },
    },
  },
};
const big = { containers: [{ resources: { requests: { cpu: "800m" } } }] };

test("right placements are right", () => {
  const right: readonly (readonly PlacedPod[])[] = [
    [pod("p1", "a1"), pod("p2", "a1"), pod("p3", "a1")],
    [pod("p1", "t1", { tolerations: [{ key: "special", operator: "Exists" }] })],
    [pod("p1", "b1", wantsB), pod("p2", "a1", { nodeSelector: { [zoneKey]: "a" } })],
    [pod("p1", "a1", seeks)],
    [pod("p1", "a1", seeks), pod("p2", "a2", seeks)],
    [pod("p1", "a1", avoids), pod("p2", "b1", avoids)],
    [pod("p1", "a1", spread), pod("p2", "b1", spread), pod("p3", "a2", spread)],
    [pod("p1", "a1", spreadBy({}, inA)), pod("p2", "a2", spreadBy({}, inA))],
    [pod("p1", "a1", spreadBy({ ...perNode, nodeTaintsPolicy: "Honor" })), ...onEach(["a2", "b1", "a1"])],
    [pod("p1", "a1", oneVersion, "1"), pod("p2", "a2", oneVersion, "2")],
    [pod("p1", "a1", spreadBy({ minDomains: 3 })), pod("p2", "b1", spreadBy({ minDomains: 3 }))],
  ];
  for (const pods of right) assert.deepEqual(misplaced(nodes, pods), []);
});

test("wrong placements are named", () => {
  const wrong: readonly (readonly [readonly PlacedPod[], RegExp])[] = [
    [[pod("p1", "gone")], /p1 is on no node/],
    [[pod("p1", "")], /p1 is on no node/],
    [[pod("p1", "a1", big), pod("p2", "a1")], /a1 has 1 cpu, its pods take 1.1/],
    [["p1", "p2", "p3", "p4"].map((name) => pod(name, "a1", { containers: [{}] })), /a1 has 3 pods/],
    [[pod("p1", "t1")], /p1 does not tolerate special of t1/],
    [[pod("p1", "t1", { tolerations: [{ key: "other", operator: "Exists" }] })], /does not tolerate/],
    [[pod("p1", "a1", wantsB)], /p1 does not want a1/],
    [[pod("p1", "b1", { nodeSelector: { [zoneKey]: "a" } })], /p1 does not want b1/],
    [[pod("p1", "a1", seeks), pod("p2", "b1", seeks)], /p1 is not beside any pod that it seeks/],
    [[pod("p1", "a1", avoids), pod("p2", "a2")], /p1 is beside p2/],
    [[pod("p1", "a1", spread), pod("p2", "a2", spread)], /pods differ by 2/],
    [["a1", "a2"].map((name) => pod(name, name, spreadBy({ nodeAffinityPolicy: "Ignore" }, inA))), /pods differ by 2/],
    [[pod("p1", "a1", spreadBy(perNode)), ...onEach(["a2", "b1", "a1"])], /pods differ by 2/],
    [[pod("p1", "a1", oneVersion, "1"), pod("p2", "a2", oneVersion, "1")], /pods differ by 2/],
    [["a1", "a2", "b1"].map((name) => pod(name, name, spreadBy({ minDomains: 3 }))), /pods differ by 2/],
  ];
  for (const [pods, words] of wrong) assert.match(misplaced(nodes, pods).join("; "), words);
});

test("what the checker does not know it refuses to judge", () => {
  const odd = pod("p1", "a1", { containers: [{ resources: { requests: { cpu: "1e3" } } }] });
  assert.throws(() => misplaced(nodes, [odd]), /Cannot read the quantity 1e3/);
});
