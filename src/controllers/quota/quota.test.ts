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

test("a claim that grows, a pod that is resized and a Service of another type are counted anew", async () => {
  const cluster = await createModelCluster({ only: ["quota"] });
  const claim = (storage: string): void =>
    void cluster.api.put("persistentvolumeclaims", {
      metadata: {
        ...cluster.api.get("persistentvolumeclaims", "default/c")?.metadata,
        name: "c",
        namespace: "default",
      },
      spec: { resources: { requests: { storage } } },
    });
  const service = (type: string): void =>
    void cluster.api.put("services", {
      metadata: { ...cluster.api.get("services", "default/s")?.metadata, name: "s", namespace: "default" },
      spec: { type, ports: [{ port: 1 }] },
    });
  pod(cluster, "p", "1");
  claim("1Gi");
  service("ClusterIP");
  const hard = { "requests.cpu": "8", "requests.storage": "8Gi", "services.nodeports": "2" };
  cluster.api.put("resourcequotas", { metadata: { name: "team", namespace: "default" }, spec: { hard } });
  await cluster.quiesce();
  assert.deepEqual(used(cluster), { "requests.cpu": "1", "requests.storage": "1Gi", "services.nodeports": "0" });
  pod(cluster, "p", "2");
  claim("3Gi");
  service("NodePort");
  await cluster.time.advance(3000);
  assert.deepEqual(used(cluster), { "requests.cpu": "2", "requests.storage": "3Gi", "services.nodeports": "1" });
});

test("claims count by their class of attributes, claims of devices by how many of each class they may get", async () => {
  const cluster = await createModelCluster({ only: ["quota"] });
  const claim = (name: string, volumeAttributesClassName: string): void =>
    void cluster.api.put("persistentvolumeclaims", {
      metadata: { name, namespace: "default" },
      spec: { volumeAttributesClassName, resources: { requests: { storage: "1Gi" } } },
    });
  claim("a", "gold");
  claim("b", "silver");
  claim("c", "");
  const gold = { scopeName: "VolumeAttributesClass", operator: "In", values: ["gold"] };
  cluster.api.put("resourcequotas", {
    metadata: { name: "team", namespace: "default" },
    spec: {
      hard: { persistentvolumeclaims: "9", "requests.storage": "9Gi" },
      scopeSelector: { matchExpressions: [gold] },
    },
  });
  await cluster.quiesce();
  assert.deepEqual(used(cluster), { persistentvolumeclaims: "1", "requests.storage": "1Gi" });
  const requests = [
    { name: "one", exactly: { deviceClassName: "gpu", count: 2 } },
    {
      name: "two",
      firstAvailable: [
        { deviceClassName: "gpu", count: 4 },
        { deviceClassName: "fpga", allocationMode: "All" },
      ],
    },
  ];
  cluster.api.put("resourceclaims", { metadata: { name: "d", namespace: "default" }, spec: { devices: { requests } } });
  const [gpu, fpga] = ["gpu", "fpga"].map((name) => `${name}.deviceclass.resource.k8s.io/devices`) as [string, string];
  cluster.api.put("resourcequotas", {
    metadata: { name: "team", namespace: "default" },
    spec: { hard: { [gpu]: "9", [fpga]: "99", "count/resourceclaims.resource.k8s.io": "3" } },
  });
  await cluster.quiesce();
  assert.deepEqual(used(cluster), { [gpu]: "6", [fpga]: "32", "count/resourceclaims.resource.k8s.io": "1" });
});
