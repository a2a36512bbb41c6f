import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelObject } from "#client/testing/model-api.ts";
import { createModelCluster, runPod, type ModelCluster } from "../testing/model-cluster.ts";

/** A workload of one image; the kind's own fields come on top. */
function workload(kind: string, image: string): Record<string, unknown> {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } },
    },
  };
}

async function settle(cluster: ModelCluster): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await cluster.time.advance(1000);
    for (const pod of cluster.api.list("pods")) runPod(cluster, pod, true);
  }
}

/** The same template under another owner: whoever that is, it is not this workload. */
const foreign = { apiVersion: "apps/v1", kind: "Other", name: "other", uid: "other", controller: true };
const nameOf = ({ metadata }: ModelObject): string => metadata.name;
const statusOf = (cluster: ModelCluster, resource: string): Record<string, unknown> =>
  cluster.api.get(resource, "default/web")!.status ?? {};

test("a Deployment whose ReplicaSet's name is taken counts the collision and finds another name, once", async () => {
  const only = ["deployment", "replicaset"];
  const first = await createModelCluster({ only });
  first.api.put("deployments", workload("Deployment", "a"));
  await settle(first);
  const [taken] = first.api.list("replicasets").map(nameOf) as [string];
  const cluster = await createModelCluster({ only });
  cluster.api.put("replicasets", {
    ...workload("ReplicaSet", "a"),
    metadata: { name: taken, namespace: "default", ownerReferences: [foreign] },
    spec: { ...(workload("ReplicaSet", "b")["spec"] as object), replicas: 0, selector: { matchLabels: { app: "x" } } },
  });
  cluster.api.put("deployments", workload("Deployment", "a"));
  await settle(cluster);
  assert.equal(statusOf(cluster, "deployments")["collisionCount"], 1);
  assert.equal(statusOf(cluster, "deployments")["availableReplicas"], 1);
  const own = cluster.api
    .list("replicasets")
    .map(nameOf)
    .filter((name) => name !== taken);
  assert.equal(own.length, 1);
  assert.deepEqual(cluster.api.get("replicasets", `default/${taken}`)!.metadata.ownerReferences, [foreign]);
  const before = cluster.api.writes.length;
  await cluster.time.advance(60_000);
  assert.equal(cluster.api.writes.length, before, "it is still");
});

test("a StatefulSet whose revision's name is taken counts the collision and finds another name, once", async () => {
  const only = ["statefulset"];
  const first = await createModelCluster({ only });
  first.api.put("statefulsets", workload("StatefulSet", "a"));
  await settle(first);
  const [taken] = first.api.list("controllerrevisions").map(nameOf) as [string];
  const cluster = await createModelCluster({ only });
  cluster.api.put("controllerrevisions", {
    metadata: { name: taken, namespace: "default", ownerReferences: [foreign] },
    data: { spec: "another" },
    revision: 1,
  });
  cluster.api.put("statefulsets", workload("StatefulSet", "a"));
  await settle(cluster);
  assert.equal(statusOf(cluster, "statefulsets")["collisionCount"], 1);
  assert.equal(statusOf(cluster, "statefulsets")["readyReplicas"], 1);
  assert.equal(cluster.api.list("controllerrevisions").length, 2);
});
