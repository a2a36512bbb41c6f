import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, isReady, type ModelCluster } from "../testing/model-cluster.ts";
import { live, makeAnew, podUids, podNames } from "../testing/story.ts";

const only = ["statefulset"];

function set(spec: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db", namespace: "default" },
    spec: {
      replicas: 3,
      serviceName: "db",
      podManagementPolicy: "OrderedReady",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      selector: { matchLabels: { app: "db" } },
      template: template("db:1"),
      volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } }],
      ...spec,
    },
  };
}

function template(image: string): Record<string, unknown> {
  return { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "main", image }] } };
}

function change(cluster: ModelCluster, spec: Record<string, unknown>): void {
  const current = cluster.api.get("statefulsets", "default/db")!;
  cluster.api.put("statefulsets", { metadata: current.metadata, spec: { ...current.spec, ...spec } });
}

function images(cluster: ModelCluster): string[] {
  const byName = [...cluster.api.list("pods")].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return byName.map((pod) => (pod.spec!["containers"] as { image: string }[])[0]!.image);
}

/** Invariant 41: a pod is made only when all before it are ready, and the highest goes first. */
function watchOrder(cluster: ModelCluster): void {
  let before = new Set<string>();
  cluster.api.onWrite = () => {
    const pods = new Map(cluster.api.list("pods").map((pod) => [pod.metadata.name, pod]));
    for (const name of pods.keys()) {
      if (before.has(name)) continue;
      for (let ordinal = 0; ordinal < Number(name.slice(3)); ordinal++) {
        const earlier = pods.get(`db-${ordinal}`);
        assert.ok(earlier !== undefined && isReady(earlier), `${name} was made before db-${ordinal} was ready`);
      }
    }
    before = new Set(pods.keys());
  };
}

test("pods come in order, each with its claim, and go from the highest", async () => {
  const cluster = await createModelCluster({ only });
  watchOrder(cluster);
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  assert.deepEqual(podNames(cluster), ["db-0", "db-1", "db-2"]);
  const claims = cluster.api.list("persistentvolumeclaims").map((claim) => claim.metadata.name);
  assert.deepEqual(claims.sort(), ["data-db-0", "data-db-1", "data-db-2"]);
  change(cluster, { replicas: 1 });
  await live(cluster, 6);
  assert.deepEqual(podNames(cluster), ["db-0"]);
  assert.equal(cluster.api.list("persistentvolumeclaims").length, 3, "claims stay");
  await cluster.quiesce();
  assert.deepEqual(cluster.problems, []);
});

test("a failed pod among those that are to go does not stop the others from going", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  const { status, ...failing } = cluster.api.get("pods", "default/db-1")!;
  cluster.api.put("pods", { ...failing, status: { ...status, phase: "Failed", conditions: [] } });
  change(cluster, { replicas: 1 });
  await live(cluster, 6);
  assert.deepEqual(podNames(cluster), ["db-0"]);
  await cluster.quiesce();
});

test("a parallel set makes all pods at once", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set({ podManagementPolicy: "Parallel", replicas: 5 }));
  await cluster.time.advance(400);
  assert.equal(podNames(cluster).length, 5);
});

test("a new template goes from the highest ordinal down to the partition, one unavailable at a time", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  cluster.api.onWrite = () => {
    const ready = cluster.api
      .list("pods")
      .filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined).length;
    assert.ok(ready >= 2, `${ready} ready`);
  };
  change(cluster, {
    template: template("db:2"),
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } },
  });
  await live(cluster, 6);
  assert.deepEqual(images(cluster), ["db:1", "db:1", "db:2"]);
  const status = cluster.api.get("statefulsets", "default/db")!.status as Record<string, unknown>;
  assert.notEqual(status["currentRevision"], status["updateRevision"]);
  change(cluster, { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } } });
  await live(cluster, 10);
  assert.deepEqual(images(cluster), ["db:2", "db:2", "db:2"]);
  const done = cluster.api.get("statefulsets", "default/db")!.status as Record<string, unknown>;
  assert.equal(done["currentRevision"], done["updateRevision"]);
  await cluster.quiesce();
});

test("ordinals begin where the set says", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set({ ordinals: { start: 5 } }));
  await live(cluster, 6);
  assert.deepEqual(podNames(cluster), ["db-5", "db-6", "db-7"]);
  change(cluster, { replicas: 1 });
  await live(cluster, 6);
  assert.deepEqual(podNames(cluster), ["db-5"]);
  await cluster.quiesce();
});

test("with maxUnavailable 2 a new template replaces two pods at a time, never more", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set({ replicas: 5, podManagementPolicy: "Parallel" }));
  await live(cluster, 6);
  let fewest = 5;
  cluster.api.onWrite = () => {
    const pods = cluster.api.list("pods");
    fewest = Math.min(
      fewest,
      pods.filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined).length,
    );
  };
  const updateStrategy = { type: "RollingUpdate", rollingUpdate: { partition: 0, maxUnavailable: 2 } };
  change(cluster, { template: template("db:2"), updateStrategy });
  await live(cluster, 20);
  assert.deepEqual([...new Set(images(cluster))], ["db:2"]);
  assert.equal(fewest, 3);
  await cluster.quiesce();
});

test("claims go with pods that are scaled away where their retention says so, and only those", async () => {
  const cluster = await createModelCluster({ only: ["statefulset", "garbage-collection"] });
  const retention = { whenScaled: "Delete", whenDeleted: "Retain" };
  cluster.api.put("statefulsets", set({ persistentVolumeClaimRetentionPolicy: retention }));
  await live(cluster, 6);
  change(cluster, { replicas: 1 });
  await live(cluster, 10);
  await cluster.quiesce();
  assert.deepEqual(
    cluster.api.list("persistentvolumeclaims").map((claim) => claim.metadata.name),
    ["data-db-0"],
  );
});

test("a set that changes its mind about its claims changes their owners, and leaves those of others alone", async () => {
  const cluster = await createModelCluster({ only: ["statefulset", "garbage-collection"] });
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  const owners = (): unknown[] =>
    cluster.api
      .list("persistentvolumeclaims")
      .map(({ metadata }) => (metadata.ownerReferences ?? []).map((owner) => (owner as { kind?: string }).kind));
  assert.deepEqual(owners(), [[], [], []]);
  const claim = cluster.api.get("persistentvolumeclaims", "default/data-db-2")!;
  cluster.api.put("configmaps", { metadata: { name: "other", namespace: "default" } });
  const uid = cluster.api.get("configmaps", "default/other")!.metadata.uid;
  const other = { apiVersion: "v1", kind: "ConfigMap", name: "other", uid, controller: true };
  cluster.api.put("persistentvolumeclaims", { ...claim, metadata: { ...claim.metadata, ownerReferences: [other] } });
  change(cluster, { persistentVolumeClaimRetentionPolicy: { whenScaled: "Retain", whenDeleted: "Delete" } });
  await live(cluster, 6);
  assert.deepEqual(owners(), [["StatefulSet"], ["StatefulSet"], ["ConfigMap"]]);
  change(cluster, { persistentVolumeClaimRetentionPolicy: { whenScaled: "Retain", whenDeleted: "Retain" } });
  await live(cluster, 6);
  assert.deepEqual(owners(), [[], [], ["ConfigMap"]]);
  await cluster.quiesce();
});

test("below the partition a lost pod comes back with its old template", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  change(cluster, {
    template: template("db:2"),
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } },
  });
  await live(cluster, 6);
  cluster.api.remove("pods", "default/db-0");
  await live(cluster, 4);
  assert.deepEqual(images(cluster), ["db:1", "db:1", "db:2"]);
});

test("a pod that waits for a claim which somebody removed gets a new one", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set());
  await cluster.time.advance(1000);
  const [waiting] = cluster.api.list("pods");
  cluster.api.put("pods", { ...waiting, status: { phase: "Pending" } });
  const uid = cluster.api.get("persistentvolumeclaims", "default/data-db-0")!.metadata.uid;
  cluster.api.remove("persistentvolumeclaims", "default/data-db-0");
  cluster.api.put("pods", { ...cluster.api.get("pods", "default/db-0"), status: { phase: "Pending", reason: "told" } });
  await cluster.time.advance(1000);
  const claim = cluster.api.get("persistentvolumeclaims", "default/data-db-0");
  assert.ok(claim !== undefined && claim.metadata.uid !== uid);
});

test("a pod that failed is made anew, and it is said so; one that is too many just goes", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  const fail = (name: string): void => {
    const { status, ...failing } = cluster.api.get("pods", `default/${name}`)!;
    cluster.api.put("pods", { ...failing, status: { ...status, phase: "Failed", conditions: [] } });
  };
  const recreated = (): string[] =>
    cluster.api
      .list("events")
      .flatMap(({ reason, message }) => (reason === "RecreatingFailedPod" ? [String(message)] : []));
  fail("db-0");
  await live(cluster, 4);
  assert.deepEqual(recreated(), ["StatefulSet default/db is recreating failed Pod db-0"]);
  assert.deepEqual(podNames(cluster), ["db-0", "db-1", "db-2"]);
  fail("db-2");
  change(cluster, { replicas: 2 });
  await live(cluster, 4);
  assert.deepEqual(podNames(cluster), ["db-0", "db-1"]);
  assert.equal(recreated().length, 1);
});

test("a set that is made anew takes over the pods and the template that were left, and restarts none", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("statefulsets", set());
  await live(cluster, 6);
  const before = await makeAnew(cluster, "statefulsets", "default/db");
  assert.deepEqual(podUids(cluster), before);
  const { metadata, status } = cluster.api.get("statefulsets", "default/db")!;
  assert.equal(status?.["collisionCount"] ?? 0, 0);
  const owners = cluster.api.list("controllerrevisions").map((one) => one.metadata.ownerReferences);
  assert.deepEqual(
    owners.map((references) => (references as { uid: string }[]).map(({ uid }) => uid)),
    [[metadata.uid]],
  );
});
