import assert from "node:assert/strict";
import { test } from "node:test";
import { formatQuantity } from "#codec/quantity.ts";
import type { Container, Pod } from "./generated/core-v1.ts";
import { podLimits, podRequests, qosClassOf, writtenAmounts, type Amounts } from "./pod-resources.ts";

function container(
  name: string,
  requests: Record<string, string>,
  limits: Record<string, string> = {},
  sidecar = false,
): Container {
  return { name, resources: { requests, limits }, ...(sidecar && { restartPolicy: "Always" }) };
}

function pod(containers: Container[], initContainers: Container[] = [], more: Partial<Pod["spec"]> = {}): Pod {
  return { metadata: {}, spec: { containers, initContainers, ...more }, status: {} };
}

function shown(amounts: Amounts): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, formatQuantity(amount)]));
}

for (const [title, given, expected] of [
  [
    "containers add up",
    pod([container("a", { cpu: "100m" }), container("b", { cpu: "1", memory: "1Gi" })]),
    { cpu: "1100m", memory: "1Gi" },
  ],
  [
    "the largest init container counts",
    pod([container("a", { cpu: "100m" })], [container("i", { cpu: "2" }), container("j", { cpu: "1" })]),
    { cpu: "2" },
  ],
  [
    "sidecars add to the containers",
    pod([container("a", { cpu: "1" })], [container("s", { cpu: "500m" }, {}, true)]),
    { cpu: "1500m" },
  ],
  [
    "init containers run beside the sidecars before them",
    pod(
      [container("a", { cpu: "1" })],
      [container("i", { cpu: "2" }), container("s", { cpu: "500m" }, {}, true), container("j", { cpu: "2" })],
    ),
    { cpu: "2500m" },
  ],
  [
    "overhead comes on top",
    pod([container("a", { cpu: "1" })], [], { overhead: { cpu: "250m", memory: "10Mi" } }),
    { cpu: "1250m", memory: "10Mi" },
  ],
  [
    "the pod's own level wins",
    pod([container("a", { cpu: "1", memory: "1Gi" })], [], { resources: { requests: { cpu: "3" } } }),
    { cpu: "3", memory: "1Gi" },
  ],
] as const) {
  test(`requests: ${title}`, () => assert.deepEqual(shown(podRequests(given)), expected));
}

test("a resize under way holds the larger of what is asked and given; what is written is what is asked", () => {
  const resizing = pod([container("a", { cpu: "1" }, { cpu: "2" })], [], { overhead: { cpu: "1" } });
  const given = (cpu: string, allocated: string): void => {
    const status = { name: "a", state: {}, lastState: {}, ready: true, restartCount: 0, image: "", imageID: "" };
    const resources = { requests: { cpu }, limits: { cpu: `${2 * Number(cpu)}` } };
    resizing.status.containerStatuses = [{ ...status, resources, allocatedResources: { cpu: allocated } }];
  };
  const all = (): string[] =>
    [podRequests, podLimits]
      .map((reckon) => shown(reckon(resizing))["cpu"] ?? "")
      .concat((["requests", "limits"] as const).map((which) => shown(writtenAmounts(resizing, which))["cpu"] ?? ""));
  given("2", "1");
  assert.deepEqual(all(), ["3", "5", "1", "2"]);
  given("0.5", "0.5");
  assert.deepEqual(all(), ["2", "3", "1", "2"]);
  resizing.status.conditions = [{ type: "PodResizePending", status: "True", reason: "Infeasible" }];
  given("0.5", "0.75");
  assert.deepEqual(all(), ["1750m", "2", "1", "2"]);
});

test("limits: overhead only where there is a limit", () => {
  const limited = pod([container("a", {}, { cpu: "1" })], [], { overhead: { cpu: "250m", memory: "10Mi" } });
  assert.deepEqual(shown(podLimits(limited)), { cpu: "1250m" });
});

for (const [expected, given] of [
  ["BestEffort", pod([container("a", {})])],
  ["Burstable", pod([container("a", { cpu: "1" })])],
  ["Burstable", pod([container("a", { cpu: "1", memory: "1Gi" }, { cpu: "1", memory: "1Gi" }), container("b", {})])],
  ["Guaranteed", pod([container("a", { cpu: "1", memory: "1Gi" }, { cpu: "1", memory: "1Gi" })])],
  ["Burstable", pod([container("a", { cpu: "1", memory: "1Gi" }, { cpu: "2", memory: "1Gi" })])],
] as const) {
  test(`${expected}: ${JSON.stringify(given.spec.containers.map(({ resources }) => resources))}`, () => {
    assert.equal(qosClassOf(given), expected);
  });
}
