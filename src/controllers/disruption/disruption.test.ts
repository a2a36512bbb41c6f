import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, isReady, runPod, type ModelCluster } from "../testing/model-cluster.ts";

async function start(spec: Record<string, unknown>): Promise<ModelCluster> {
  const cluster = await createModelCluster({ only: ["disruption"] });
  const set = cluster.api.put("replicasets", {
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 4, selector: { matchLabels: { app: "web" } } },
  });
  for (let number = 0; number < 4; number++) {
    const ownerReferences = [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: set.metadata.uid, controller: true },
    ];
    const pod = cluster.api.put("pods", {
      metadata: { name: `web-${number}`, namespace: "default", labels: { app: "web" }, ownerReferences },
      spec: {},
    });
    runPod(cluster, pod, number > 0);
  }
  cluster.api.put("poddisruptionbudgets", {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { matchLabels: { app: "web" } }, ...spec },
  });
  await cluster.quiesce();
  return cluster;
}

function numbers(cluster: ModelCluster): unknown[] {
  const status = cluster.api.get("poddisruptionbudgets", "default/web")!.status!;
  return [status["expectedPods"], status["desiredHealthy"], status["currentHealthy"], status["disruptionsAllowed"]];
}

test("what may be disrupted follows from the budget's form: expected, desired, healthy, allowed", async () => {
  const check = async (spec: Record<string, unknown>, expected: number[]): Promise<void> =>
    assert.deepEqual(numbers(await start(spec)), expected, JSON.stringify(spec));
  await check({ minAvailable: 2 }, [4, 2, 3, 1]);
  await check({ minAvailable: "50%" }, [4, 2, 3, 1]);
  await check({ minAvailable: "100%" }, [4, 4, 3, 0]);
  await check({ maxUnavailable: 1 }, [4, 3, 3, 0]);
  await check({ maxUnavailable: "50%" }, [4, 2, 3, 1]);
  await check({ minAvailable: 10 }, [4, 10, 3, 0]);
});

test("a granted eviction counts until its pod goes, and lapses when it never does", async () => {
  const cluster = await start({ minAvailable: 1 });
  assert.deepEqual(numbers(cluster), [4, 1, 3, 2]);
  const budget = cluster.api.get("poddisruptionbudgets", "default/web")!;
  const now = new Date(cluster.time.clock.now()).toISOString();
  cluster.api.put("poddisruptionbudgets", {
    metadata: budget.metadata,
    status: { ...budget.status, disruptionsAllowed: 1, disruptedPods: { "web-1": now } },
  });
  await cluster.time.advance(1000);
  assert.deepEqual(numbers(cluster), [4, 1, 2, 1]);
  await cluster.time.advance(121_000);
  assert.deepEqual(numbers(cluster), [4, 1, 3, 2]);
  assert.equal(cluster.api.list("pods").filter(isReady).length, 3);
  assert.deepEqual(cluster.problems, []);
});

test("a disruption that was announced and never came is taken back after two minutes", async () => {
  const cluster = await start({ minAvailable: 2 });
  const announced = (name: string, deletionTimestamp?: string): void => {
    const pod = cluster.api.get("pods", `default/${name}`)!;
    const lastTransitionTime = `${new Date(cluster.time.clock.now()).toISOString().slice(0, 19)}Z`;
    const others = (pod.status!["conditions"] ?? []) as object[];
    const target = { type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", lastTransitionTime };
    const metadata = { ...pod.metadata, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
    cluster.api.put("pods", { ...pod, metadata, status: { ...pod.status, conditions: [...others, target] } });
  };
  const target = (name: string): string | undefined => {
    const pod = cluster.api.get("pods", `default/${name}`);
    const conditions = (pod?.status!["conditions"] ?? []) as { type: string; status: string }[];
    return conditions.find(({ type }) => type === "DisruptionTarget")?.status;
  };
  announced("web-1");
  announced("web-2", "2026-01-01T00:00:00Z");
  await cluster.time.advance(110_000);
  assert.deepEqual([target("web-1"), target("web-2")], ["True", "True"]);
  await cluster.time.advance(20_000);
  assert.deepEqual([target("web-1"), target("web-2")], ["False", "True"]);
  await cluster.quiesce();
});
