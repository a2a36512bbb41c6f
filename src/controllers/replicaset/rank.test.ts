import assert from "node:assert/strict";
import { test } from "node:test";
import { projectPod, type PodView } from "../views/pod.ts";
import { inDeletionOrder } from "./rank.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const before = (minutes: number): string => new Date(noon - minutes * 60_000).toISOString();

interface Traits {
  readonly node?: string;
  readonly phase?: string;
  readonly isReady?: boolean;
  readonly cost?: string;
  readonly readyMinutes?: number;
  readonly restarts?: number;
  readonly ageMinutes?: number;
}

function pod(name: string, traits: Traits): PodView {
  const {
    node = name,
    phase = "Running",
    isReady = true,
    cost,
    readyMinutes = 60,
    restarts = 0,
    ageMinutes = 60,
  } = traits;
  const annotations: Record<string, string> =
    cost === undefined ? {} : { "controller.kubernetes.io/pod-deletion-cost": cost };
  const condition = { type: "Ready", status: isReady ? "True" : "False", lastTransitionTime: before(readyMinutes) };
  const status = {
    name: "c",
    ready: isReady,
    restartCount: restarts,
    image: "i",
    imageID: "",
    state: {},
    lastState: {},
  };
  return projectPod({
    metadata: {
      name,
      namespace: "default",
      uid: name,
      resourceVersion: "1",
      annotations,
      creationTimestamp: before(ageMinutes),
    },
    spec: { containers: [], ...(node === "" ? {} : { nodeName: node }) },
    status: { phase, conditions: [condition], containerStatuses: [status] },
  });
}

/** Who goes first, and why: the one named `first`, whatever else speaks for the other. */
const rules: readonly { rule: string; first: Traits; other: Traits }[] = [
  { rule: "without a node", first: { node: "", cost: "9" }, other: { phase: "Pending", isReady: false } },
  { rule: "not running", first: { phase: "Pending", cost: "9" }, other: { isReady: false } },
  { rule: "not ready", first: { isReady: false, cost: "9" }, other: { cost: "-9" } },
  { rule: "cheap", first: { cost: "-1", readyMinutes: 600 }, other: { readyMinutes: 1, restarts: 9 } },
  { rule: "a cost that is none counts as 0", first: { cost: "much" }, other: { cost: "1", readyMinutes: 1 } },
  { rule: "ready for less long", first: { readyMinutes: 5 }, other: { readyMinutes: 60, restarts: 9 } },
  { rule: "often restarted", first: { restarts: 3, ageMinutes: 600 }, other: { ageMinutes: 1 } },
  { rule: "young", first: { ageMinutes: 5 }, other: { ageMinutes: 60 } },
];

for (const { rule, first, other } of rules) {
  test(`of two pods the one goes first that is: ${rule}`, () => {
    const pods = [pod("other", other), pod("first", first)];
    assert.deepEqual(
      inDeletionOrder(pods, pods, noon).map(({ name }) => name),
      ["first", "other"],
    );
  });
}

test("of equal pods the one on the fuller node goes first", () => {
  const pods = [pod("lone", {}), pod("a", { node: "full", readyMinutes: 600 })];
  const related = [...pods, pod("b", { node: "full" })];
  assert.deepEqual(
    inDeletionOrder(pods, related, noon).map(({ name }) => name),
    ["a", "lone"],
  );
});
