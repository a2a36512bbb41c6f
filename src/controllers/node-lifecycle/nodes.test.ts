import assert from "node:assert/strict";
import { test } from "node:test";
import { pods as podResource } from "#api/generated/resources.ts";
import { createClient } from "#client/http-client.ts";
import { createModelCluster, isReady, runPod, type ModelCluster } from "../testing/model-cluster.ts";

const only = ["node-lifecycle", "taint-eviction", "pod-collection"];

const clientOf = (cluster: ModelCluster) => createClient(cluster.api.transport, { userAgent: "test" });

function node(cluster: ModelCluster, name: string, zone = "a"): void {
  const stamp = `${new Date(cluster.time.clock.now()).toISOString().slice(0, 19)}Z`;
  const conditions = [{ type: "Ready", status: "True", lastHeartbeatTime: stamp, lastTransitionTime: stamp }];
  cluster.api.put("nodes", {
    metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
    spec: {},
    status: { conditions },
  });
}

function renew(cluster: ModelCluster, ...names: string[]): void {
  const renewTime = new Date(cluster.time.clock.now()).toISOString();
  for (const name of names)
    cluster.api.put("leases", {
      metadata: { name, namespace: "kube-node-lease" },
      spec: { holderIdentity: name, renewTime },
    });
}

function pod(cluster: ModelCluster, name: string, on: string, tolerationSeconds?: number): void {
  const tolerations =
    tolerationSeconds === undefined
      ? []
      : [{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds }];
  const made = cluster.api.put("pods", { metadata: { name, namespace: "default" }, spec: { tolerations } });
  runPod(cluster, made, true, on);
}

function ready(cluster: ModelCluster, name: string): string {
  const conditions = cluster.api.get("nodes", name)!.status!["conditions"] as { type: string; status: string }[];
  return conditions.find((condition) => condition.type === "Ready")!.status;
}

function taints(cluster: ModelCluster, name: string): string[] {
  const all = (cluster.api.get("nodes", name)!.spec!["taints"] ?? []) as { key: string; effect: string }[];
  return all.map(({ key, effect }) => `${key.slice("node.kubernetes.io/".length)}:${effect}`).sort();
}

/** Lets `seconds` pass while the leases of `alive` move. */
async function pass(cluster: ModelCluster, seconds: number, ...alive: string[]): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    if (second % 10 === 0) renew(cluster, ...alive);
    await cluster.time.advance(1000);
  }
}

test("a silent node becomes Unknown after 40 s, is tainted, and its pods are not ready any more", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2"]) node(cluster, name);
  pod(cluster, "web", "n1", 300);
  await pass(cluster, 60, "n1", "n2");
  assert.equal(ready(cluster, "n1"), "True");
  await pass(cluster, 28, "n2");
  assert.equal(ready(cluster, "n1"), "True");
  await pass(cluster, 15, "n2");
  assert.equal(ready(cluster, "n1"), "Unknown");
  assert.equal(ready(cluster, "n2"), "True");
  assert.deepEqual(taints(cluster, "n1"), ["unreachable:NoExecute", "unreachable:NoSchedule"]);
  assert.equal(isReady(cluster.api.get("pods", "default/web")!), false);
});

test("pods are evicted when their toleration ends, within a second, and not before", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2"]) node(cluster, name);
  pod(cluster, "short", "n1", 30);
  pod(cluster, "none", "n1");
  pod(cluster, "other", "n2", 30);
  await pass(cluster, 20, "n1", "n2");
  while (taints(cluster, "n1").length < 2) await pass(cluster, 1, "n2");
  const deleting = (name: string): boolean =>
    cluster.api.get("pods", `default/${name}`)?.metadata.deletionTimestamp !== undefined;
  await pass(cluster, 1, "n2");
  assert.equal(deleting("none"), true);
  await pass(cluster, 27, "n2");
  assert.equal(deleting("short"), false);
  await pass(cluster, 3, "n2");
  assert.equal(deleting("short"), true);
  assert.equal(deleting("other"), false);
});

test("a node that comes back loses its taints, and eviction stops", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2"]) node(cluster, name);
  pod(cluster, "web", "n1", 300);
  await pass(cluster, 60, "n2");
  assert.equal(taints(cluster, "n1").length, 2);
  node(cluster, "n1");
  await pass(cluster, 400, "n1", "n2");
  assert.deepEqual(taints(cluster, "n1"), []);
  assert.equal(cluster.api.get("pods", "default/web")!.metadata.deletionTimestamp, undefined);
});

test("when every node falls silent at once, nothing is evicted: the fault is ours", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2", "n3"]) node(cluster, name);
  pod(cluster, "web", "n1", 10);
  await pass(cluster, 200);
  assert.equal(ready(cluster, "n1"), "Unknown");
  for (const name of ["n1", "n2", "n3"]) assert.deepEqual(taints(cluster, name), ["unreachable:NoSchedule"]);
  assert.equal(cluster.api.get("pods", "default/web")!.metadata.deletionTimestamp, undefined);
});

const evicting = (cluster: ModelCluster, names: readonly string[]): string[] =>
  names.filter((name) => taints(cluster, name).includes("unreachable:NoExecute"));

test("when most of a zone falls silent, its evictions stop; those of another zone go on", async () => {
  const cluster = await createModelCluster({ only });
  const zoneA = ["a1", "a2", "a3", "a4", "a5"];
  const zoneB = ["b1", "b2", "b3", "b4"];
  for (const name of zoneA) node(cluster, name, "a");
  for (const name of zoneB) node(cluster, name, "b");
  pod(cluster, "in-a", "a1", 10);
  pod(cluster, "in-b", "b1", 10);
  await pass(cluster, 120, "a5", "b2", "b3", "b4");
  assert.deepEqual(evicting(cluster, [...zoneA, ...zoneB]), ["b1"]);
  assert.equal(cluster.api.get("pods", "default/in-a")!.metadata.deletionTimestamp, undefined);
  const gone = cluster.api.get("pods", "default/in-b");
  assert.ok(gone === undefined || gone.metadata.deletionTimestamp !== undefined);
  // Most of it is back: what is still silent is a node's own fault.
  for (const name of ["a2", "a3", "a4"]) node(cluster, name, "a");
  await pass(cluster, 90, "a2", "a3", "a4", "a5", "b2", "b3", "b4");
  assert.deepEqual(evicting(cluster, zoneA), ["a1"]);
});

test("of several silent nodes of a healthy zone one begins to be evicted from every ten seconds", async () => {
  const cluster = await createModelCluster({ only });
  const silent = ["n1", "n2", "n3"];
  const others = Array.from({ length: 9 }, (_, index) => `m${index}`);
  for (const name of [...silent, ...others]) node(cluster, name);
  let before = 0;
  const beganMs: number[] = [];
  for (let second = 0; second < 120; second += 1) {
    await pass(cluster, 1, ...others);
    const now = evicting(cluster, silent).length;
    assert.ok(now - before <= 1, "two nodes at once");
    if (now > before) beganMs.push(second);
    before = now;
  }
  assert.equal(beganMs.length, 3);
  for (const [index, second] of beganMs.entries())
    if (index > 0) assert.ok(second - beganMs[index - 1]! >= 9, beganMs.join());
});

test("pods of a node that was deleted go after the quarantine; cordoned nodes are tainted", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2"]) node(cluster, name);
  pod(cluster, "web", "n1", 300);
  await pass(cluster, 5, "n1", "n2");
  cluster.api.put("nodes", { metadata: cluster.api.get("nodes", "n2")!.metadata, spec: { unschedulable: true } });
  cluster.api.remove("nodes", "n1");
  await pass(cluster, 30, "n2");
  assert.notEqual(cluster.api.get("pods", "default/web"), undefined);
  await pass(cluster, 15, "n2");
  assert.equal(cluster.api.get("pods", "default/web"), undefined);
  assert.deepEqual(taints(cluster, "n2"), ["unschedulable:NoSchedule"]);
});

test("a standing cluster writes nothing", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2"]) node(cluster, name);
  await pass(cluster, 20, "n1", "n2");
  const before = cluster.api.writes.length;
  await pass(cluster, 300, "n1", "n2");
  assert.equal(cluster.api.writes.length, before);
});

test("a pod that never had a node has failed when it is deleted, so that its Job lets it go", async () => {
  const cluster = await createModelCluster({ only });
  const finalizers = ["batch.kubernetes.io/job-tracking"];
  cluster.api.put("pods", { metadata: { name: "held", namespace: "default", finalizers }, spec: {} });
  await clientOf(cluster).delete(podResource, { namespace: "default", name: "held" });
  await cluster.time.advance(1000);
  const held = cluster.api.get("pods", "default/held");
  assert.equal(held?.status?.["phase"], "Failed");
});

test("pods that end on a silent node go at once when somebody says that it is out of service", async () => {
  const cluster = await createModelCluster({ only });
  for (const name of ["n1", "n2"]) node(cluster, name);
  for (const on of ["n1", "n2"]) pod(cluster, `ending-${on}`, on, 10_000);
  pod(cluster, "staying", "n1", 10_000);
  await pass(cluster, 60, "n2");
  for (const name of ["ending-n1", "ending-n2"])
    await clientOf(cluster).delete(podResource, { namespace: "default", name });
  const there = (name: string): boolean => cluster.api.get("pods", `default/${name}`) !== undefined;
  await pass(cluster, 30, "n2");
  assert.ok(there("ending-n1"), "nobody knows whether it runs");
  for (const name of ["n1", "n2"]) {
    const known = cluster.api.get("nodes", name)!;
    const taints = [
      ...((known.spec!["taints"] ?? []) as object[]),
      { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" },
    ];
    cluster.api.put("nodes", { ...known, spec: { ...known.spec, taints } });
  }
  await pass(cluster, 5, "n2");
  assert.deepEqual([there("ending-n1"), there("ending-n2")], [false, true], "the other node is well, and ends its own");
});
