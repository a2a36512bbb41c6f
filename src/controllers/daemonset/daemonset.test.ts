import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, isReady, type ModelCluster } from "../testing/model-cluster.ts";
import { live, makeAnew, podUids } from "../testing/story.ts";

const only = ["daemonset"];

function set(image: string, updateStrategy: Record<string, unknown>): Record<string, unknown> {
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "log", namespace: "default" },
    spec: {
      updateStrategy,
      selector: { matchLabels: { app: "log" } },
      template: {
        metadata: { labels: { app: "log" } },
        spec: { nodeSelector: { os: "linux" }, containers: [{ name: "main", image }] },
      },
    },
  };
}

async function start(updateStrategy: Record<string, unknown>): Promise<ModelCluster> {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2", "n3"])
    cluster.api.put("nodes", { metadata: { name, labels: { os: "linux" } }, spec: {} });
  cluster.api.put("nodes", { metadata: { name: "other", labels: { os: "plan9" } }, spec: {} });
  cluster.api.put("nodes", {
    metadata: { name: "cordoned", labels: { os: "linux" } },
    spec: { taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] },
  });
  cluster.api.put("nodes", {
    metadata: { name: "tainted", labels: { os: "linux" } },
    spec: { taints: [{ key: "gpu", effect: "NoSchedule" }] },
  });
  cluster.api.put("daemonsets", set("log:1", updateStrategy));
  await live(cluster, 3);
  return cluster;
}

function nodesOf(cluster: ModelCluster): string[] {
  return cluster.api
    .list("pods")
    .map((pod) => String(pod.spec!["nodeName"]))
    .sort();
}

function roll(cluster: ModelCluster): void {
  const current = cluster.api.get("daemonsets", "default/log")!;
  const next = set("log:2", {}) as { spec: { template: unknown } };
  cluster.api.put("daemonsets", {
    metadata: current.metadata,
    spec: { ...current.spec, template: next.spec.template },
  });
}

test("each fitting node gets one pod; taints that daemons tolerate do not keep them away", async () => {
  const cluster = await start({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
  assert.deepEqual(nodesOf(cluster), ["cordoned", "n1", "n2", "n3"]);
  const { status } = cluster.api.get("daemonsets", "default/log")!;
  assert.deepEqual(status, {
    currentNumberScheduled: 4,
    numberMisscheduled: 0,
    desiredNumberScheduled: 4,
    numberReady: 4,
    observedGeneration: 1,
    updatedNumberScheduled: 4,
    numberAvailable: 4,
  });
  cluster.api.put("nodes", { metadata: { name: "n4", labels: { os: "linux" } }, spec: {} });
  await live(cluster, 2);
  assert.deepEqual(nodesOf(cluster), ["cordoned", "n1", "n2", "n3", "n4"]);
  await cluster.quiesce();
  assert.deepEqual(cluster.problems, []);
});

test("a rolling update takes at most maxUnavailable nodes at a time", async () => {
  const cluster = await start({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
  cluster.api.onWrite = () => {
    const ready = cluster.api
      .list("pods")
      .filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined).length;
    assert.ok(ready >= 3, `${ready} of 4 ready`);
  };
  roll(cluster);
  await live(cluster, 15);
  const images = cluster.api.list("pods").map((pod) => (pod.spec!["containers"] as { image: string }[])[0]!.image);
  assert.deepEqual(images, ["log:2", "log:2", "log:2", "log:2"]);
});

test("with surge the new pod is ready before the old one goes", async () => {
  const cluster = await start({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
  cluster.api.onWrite = () => {
    const served = new Set(
      cluster.api
        .list("pods")
        .filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined)
        .map((pod) => pod.spec!["nodeName"]),
    );
    assert.equal(served.size, 4);
  };
  roll(cluster);
  await live(cluster, 15);
  const images = cluster.api.list("pods").map((pod) => (pod.spec!["containers"] as { image: string }[])[0]!.image);
  assert.deepEqual(images, ["log:2", "log:2", "log:2", "log:2"]);
});

test("a set that is made anew takes over the pods and the template that were left, and restarts none", async () => {
  const cluster = await start({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
  const before = await makeAnew(cluster, "daemonsets", "default/log");
  assert.deepEqual(podUids(cluster), before);
  const { metadata, status } = cluster.api.get("daemonsets", "default/log")!;
  assert.equal(status?.["collisionCount"] ?? 0, 0);
  const owners = cluster.api.list("controllerrevisions").map((one) => one.metadata.ownerReferences);
  assert.deepEqual(
    owners.map((references) => (references as { uid: string }[]).map(({ uid }) => uid)),
    [[metadata.uid]],
  );
});
