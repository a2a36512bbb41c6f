import assert from "node:assert/strict";
import { test } from "node:test";
import { FailedPods, untilReplacedMs } from "./failed-pods.ts";
import { createModelCluster, type ModelCluster } from "./testing/model-cluster.ts";
import { endPod, isEnded } from "./testing/story.ts";
import type { PodView } from "./views/pod.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Creations of pods in `minutes` minutes on nodes that refuse each pod at once. */
async function creationsIn(minutes: number, kind: string, spec: Record<string, unknown>): Promise<number> {
  const plural = `${kind.toLowerCase()}s`;
  const cluster: ModelCluster = await createModelCluster({ only: [kind.toLowerCase()] });
  cluster.api.put("nodes", { metadata: { name: "n1" }, spec: {} });
  const template = { metadata: { labels: { app: "hot" } }, spec: { containers: [{ name: "main", image: "hot" }] } };
  cluster.api.put(plural, {
    metadata: { name: "hot", namespace: "default" },
    spec: { selector: { matchLabels: { app: "hot" } }, template, ...spec },
  });
  for (let passed = 0; passed < minutes * 120; passed++) {
    for (const pod of cluster.api.list("pods")) {
      if (pod.metadata.deletionTimestamp !== undefined)
        cluster.api.remove("pods", `${pod.metadata.namespace}/${pod.metadata.name}`);
      else if (!isEnded(pod)) endPod(cluster, pod, "Failed");
    }
    await cluster.time.advance(500);
  }
  assert.deepEqual(cluster.problems, []);
  return cluster.api.writes.filter(
    ({ method, path, status }) => method === "POST" && path.endsWith("/pods") && status === 201,
  ).length;
}

for (const [kind, spec] of [
  ["ReplicaSet", { replicas: 1 }],
  ["StatefulSet", { replicas: 1, serviceName: "hot", updateStrategy: { type: "RollingUpdate" } }],
  ["DaemonSet", { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } } }],
] as const)
  test(`pods of a ${kind} that nodes refuse come ever more slowly, and go on coming`, async () => {
    const inTen = await creationsIn(10, kind, spec);
    assert.ok(inTen >= 8 && inTen <= 14, `${inTen} pods in ten minutes`);
  });

const pod = (uid: string, createdMs: number): PodView => ({ uid, createdMs }) as PodView;

test("pods that failed long after they were made, and a lost node's worth of them, are replaced at once", () => {
  const now = 100 * hourMs;
  const check = (failed: readonly PodView[], wanted: number, expectedMs: number): void =>
    assert.equal(untilReplacedMs(failed, wanted, now), expectedMs);
  check([], 3, 0);
  check([pod("a", now - hourMs), pod("b", now - 2 * hourMs)], 1, 0);
  check([pod("a", now), pod("b", now), pod("c", now)], 3, 0);
  check([pod("a", now), pod("b", now), pod("c", now), pod("d", now)], 3, 1000);
  check([pod("a", now - 500), pod("b", now)], 1, 1000);
});

test("each place has its own pace, which is forgotten after a while", () => {
  const failures = new FailedPods();
  const check = (place: string, uid: string, now: number, expectedMs: number): void =>
    assert.equal(failures.untilReplacedMs(place, pod(uid, now), now), expectedMs);
  check("n1", "a", 0, 0);
  check("n1", "a", 100, 0);
  check("n1", "b", 100, 900);
  check("n2", "c", 100, 0);
  check("n1", "b", 600, 400);
  check("n1", "d", 1200, 1800);
  check("n1", "e", hourMs, 0);
  check("n1", "f", hourMs, 1000);
});
