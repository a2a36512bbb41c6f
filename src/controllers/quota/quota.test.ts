import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";

function pod(cluster: ModelCluster, name: string, cpu: string, phase = "Running"): void {
  const containers = [{ name: "main", resources: { requests: { cpu }, limits: { memory: "1Gi" } } }];
  cluster.api.put("pods", { metadata: { name, namespace: "default" }, spec: { containers }, status: { phase } });
}

function used(cluster: ModelCluster): unknown {
  return cluster.api.get("resourcequotas", "default/team")!.status?.["used"];
}

test("a quota's status is recounted from what exists, and not rewritten when nothing changed", async () => {
  const cluster = await createModelCluster({ only: ["quota"] });
  pod(cluster, "a", "500m");
  pod(cluster, "b", "1500m");
  pod(cluster, "ended", "4", "Succeeded");
  cluster.api.put("configmaps", { metadata: { name: "c", namespace: "default" } });
  cluster.api.put("services", {
    metadata: { name: "s", namespace: "default" },
    spec: { type: "NodePort", ports: [{ port: 1 }, { port: 2 }] },
  });
  const hard = {
    pods: "10",
    cpu: "8",
    "limits.memory": "8Gi",
    configmaps: "5",
    "services.nodeports": "4",
    "count/deployments.apps": "3",
  };
  cluster.api.put("resourcequotas", { metadata: { name: "team", namespace: "default" }, spec: { hard } });
  await cluster.quiesce();
  assert.deepEqual(used(cluster), {
    pods: "2",
    cpu: "2",
    "limits.memory": "2Gi",
    configmaps: "1",
    "services.nodeports": "2",
    "count/deployments.apps": "0",
  });
  cluster.api.writes.length = 0;
  cluster.api.remove("pods", "default/ended");
  await cluster.quiesce();
  assert.equal(cluster.api.writes.length, 0);
  cluster.api.remove("pods", "default/b");
  cluster.api.remove("configmaps", "default/c");
  await cluster.time.advance(3000);
  assert.equal(cluster.api.writes.length, 1);
  const { pods, cpu, configmaps } = used(cluster) as Record<string, string>;
  assert.deepEqual([pods, cpu, configmaps], ["1", "500m", "0"]);
  assert.deepEqual(cluster.problems, []);
});

test("scopes choose the pods that count", async () => {
  const cluster = await createModelCluster({ only: ["quota"] });
  pod(cluster, "a", "500m");
  const spec = { hard: { pods: "10" }, scopes: ["BestEffort"] };
  cluster.api.put("resourcequotas", { metadata: { name: "team", namespace: "default" }, spec });
  await cluster.quiesce();
  assert.deepEqual(used(cluster), { pods: "0" });
});
