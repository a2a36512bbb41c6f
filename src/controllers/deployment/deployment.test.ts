import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ModelObject } from "#client/testing/model-api.ts";
import { createModelCluster, isReady, runPod, type ModelCluster } from "../testing/model-cluster.ts";

const only = ["deployment", "replicaset"];

function deployment(image: string, spec: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 2,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } },
      ...spec,
    },
  };
}

function change(cluster: ModelCluster, spec: Record<string, unknown>): void {
  const current = cluster.api.get("deployments", "default/web")!;
  cluster.api.put("deployments", { metadata: current.metadata, spec: { ...current.spec, ...spec } });
}

function template(image: string): Record<string, unknown> {
  return { template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } } };
}

/** One look of all node agents: pods run and become ready, terminating ones go. */
function agentsWork(cluster: ModelCluster, readyChance = 1): void {
  for (const pod of cluster.api.list("pods")) {
    if (pod.metadata.deletionTimestamp !== undefined) cluster.api.remove("pods", `default/${pod.metadata.name}`);
    else if (!isReady(pod) && cluster.float() < readyChance) runPod(cluster, pod, true);
  }
}

async function rollOut(cluster: ModelCluster, readyChance = 1): Promise<void> {
  for (let round = 0; round < 200; round++) {
    await cluster.time.advance(500);
    agentsWork(cluster, readyChance);
    if (round > 4 && isDone(cluster)) break;
  }
  await cluster.quiesce();
}

function isDone(cluster: ModelCluster): boolean {
  const current = cluster.api.get("deployments", "default/web")!;
  const status = (current.status ?? {}) as Record<string, number>;
  const replicas = current.spec?.["replicas"] as number;
  const terminating = cluster.api.list("pods").some((pod) => pod.metadata.deletionTimestamp !== undefined);
  return (
    !terminating &&
    (status["observedGeneration"] ?? 0) >= current.metadata.generation &&
    (status["updatedReplicas"] ?? 0) === replicas &&
    (status["replicas"] ?? 0) === replicas &&
    (status["availableReplicas"] ?? 0) === replicas
  );
}

function imagesOf(cluster: ModelCluster): string[] {
  return cluster.api.list("pods").map(imageOf).sort();
}

function imageOf(pod: ModelObject): string {
  return (pod.spec!["containers"] as { image: string }[])[0]!.image;
}

test("a Deployment becomes a ReplicaSet and its pods, and says so in its status and events", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1"));
  await rollOut(cluster);
  const [set] = cluster.api.list("replicasets");
  assert.match(set!.metadata.name, /^web-[bcdfghjklmnpqrstvwxz2456789]{4,10}$/);
  assert.equal(set!.metadata.annotations!["deployment.kubernetes.io/revision"], "1");
  assert.deepEqual(imagesOf(cluster), ["web:1", "web:1"]);
  const { status, metadata } = cluster.api.get("deployments", "default/web")!;
  assert.equal(metadata.annotations!["deployment.kubernetes.io/revision"], "1");
  const { conditions, ...counts } = status as {
    conditions: { type: string; status: string; reason: string; message: string }[];
  };
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
    terminatingReplicas: 0,
  });
  assert.deepEqual(conditions.map((c) => `${c.type}=${c.status} ${c.reason}: ${c.message}`).sort(), [
    "Available=True MinimumReplicasAvailable: Deployment has minimum availability.",
    `Progressing=True NewReplicaSetAvailable: ReplicaSet "${set!.metadata.name}" has successfully progressed.`,
  ]);
  const events = cluster.api.list("events").map((event) => `${event["reason"]}: ${event["message"]}`);
  assert.ok(
    events.includes(`ScalingReplicaSet: Scaled up replica set ${set!.metadata.name} from 0 to 2`),
    events.join("\n"),
  );
  assert.equal(events.filter((event) => event.startsWith("SuccessfulCreate: Created pod: web-")).length, 2);
  assert.deepEqual(cluster.problems, []);
});

test("scaling down amid a rollout that is stuck takes no available pod that must stay", async () => {
  const cluster = await createModelCluster({ only });
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: "67%" } };
  cluster.api.put("deployments", deployment("web:1", { replicas: 6, strategy }));
  await rollOut(cluster);
  change(cluster, template("web:2"));
  const ready = (): number => cluster.api.list("pods").filter(isReady).length;
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 5; round++) {
      await cluster.time.advance(500);
      agentsWork(cluster, 0);
    }
  };
  await settle();
  assert.equal(ready(), 2, "67 % of six may be missing, and web:2 never becomes ready");
  change(cluster, { replicas: 4 });
  await settle();
  assert.deepEqual([ready(), imagesOf(cluster)], [2, ["web:1", "web:1", "web:2", "web:2"]]);
});

test("every automatic write says who, why and because of what", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1"));
  await rollOut(cluster);
  const writes = cluster.api.writes.filter((write) => !write.path.includes("/events"));
  for (const { headers, path } of writes) {
    assert.match(headers["steersman-actor"]!, /^controllers%2F(deployment|replicaset)$/, path);
    assert.ok(headers["steersman-rule"]!.length > 10, path);
    assert.match(
      decodeURIComponent(headers["steersman-because"]!),
      /^apps\/(deployments|replicasets)\/default\/web.*@1\d{12}$/,
      path,
    );
  }
});

test("a rollout of 20 pods stays within 8 writes a pod", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1", { replicas: 20 }));
  await rollOut(cluster);
  cluster.api.writes.length = 0;
  change(cluster, template("web:2"));
  await rollOut(cluster, 0.5);
  assert.deepEqual(new Set(imagesOf(cluster)), new Set(["web:2"]));
  assert.ok(cluster.api.writes.length <= 8 * 20, `${cluster.api.writes.length} writes`);
  assert.deepEqual(cluster.problems, []);
});

test("going back to an old template uses its ReplicaSet again, with the next revision", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1"));
  await rollOut(cluster);
  const first = cluster.api.list("replicasets")[0]!.metadata.name;
  change(cluster, template("web:2"));
  await rollOut(cluster);
  change(cluster, template("web:1"));
  await rollOut(cluster);
  const sets = cluster.api.list("replicasets");
  assert.equal(sets.length, 2);
  const back = sets.find((set) => set.metadata.name === first)!;
  assert.equal(back.metadata.annotations!["deployment.kubernetes.io/revision"], "3");
  assert.equal(back.metadata.annotations!["deployment.kubernetes.io/revision-history"], "1");
  assert.deepEqual(imagesOf(cluster), ["web:1", "web:1"]);
});

test("a paused Deployment makes no new ReplicaSet, but follows its size", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1"));
  await rollOut(cluster);
  change(cluster, { paused: true, replicas: 3, ...template("web:2") });
  await cluster.time.advance(3000);
  agentsWork(cluster);
  await cluster.quiesce();
  assert.deepEqual(imagesOf(cluster), ["web:1", "web:1", "web:1"]);
  change(cluster, { paused: false });
  await rollOut(cluster);
  assert.deepEqual(imagesOf(cluster), ["web:2", "web:2", "web:2"]);
});

test("old ReplicaSets beyond the history limit go", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1", { revisionHistoryLimit: 1 }));
  await rollOut(cluster);
  for (const image of ["web:2", "web:3", "web:4"]) {
    change(cluster, template(image));
    await rollOut(cluster);
  }
  const revisions = cluster.api
    .list("replicasets")
    .map((set) => set.metadata.annotations!["deployment.kubernetes.io/revision"]);
  assert.deepEqual(revisions.sort(), ["3", "4"]);
});

test("pods that never get ready pass the progress deadline, and the next template has one of its own", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1", { progressDeadlineSeconds: 30 }));
  await cluster.time.advance(25_000);
  const overdue = (): string | undefined => {
    const conditions = cluster.api.get("deployments", "default/web")!.status!["conditions"] as
      | { reason: string; message: string }[]
      | undefined;
    return conditions?.find(({ reason }) => reason === "ProgressDeadlineExceeded")?.message;
  };
  assert.equal(overdue(), undefined);
  await cluster.time.advance(10_000);
  const first = overdue();
  assert.match(first ?? "", /^ReplicaSet "web-.*" has timed out progressing/);
  await cluster.quiesce();
  const said = new Set<string | undefined>();
  cluster.api.onWrite = () => said.add(overdue());
  change(cluster, template("web:2"));
  await cluster.time.advance(25_000);
  assert.deepEqual(
    [...said].filter((message) => message !== undefined && message !== first),
    [],
  );
  assert.equal(overdue(), undefined);
  await cluster.time.advance(20_000);
  assert.notEqual(overdue(), undefined);
  await cluster.quiesce();
});

test("a quota that refuses pods shows as ReplicaFailure and an event, and heals", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.refuse = (method, path) =>
    method === "POST" && path.endsWith("/pods")
      ? { code: 403, reason: "Forbidden", message: 'pods "x" is forbidden: exceeded quota' }
      : undefined;
  cluster.api.put("deployments", deployment("web:1"));
  await cluster.time.advance(5000);
  const failure = (): unknown =>
    (cluster.api.get("deployments", "default/web")!.status!["conditions"] as { type: string }[]).find(
      (c) => c.type === "ReplicaFailure",
    );
  assert.notEqual(failure(), undefined);
  const texts = cluster.api.list("events").map((event) => event["message"] as string);
  assert.ok(texts.includes('Error creating: pods "x" is forbidden: exceeded quota'));
  const attempts = cluster.api.writes.filter((write) => write.path.endsWith("/pods")).length;
  assert.ok(attempts < 20, `${attempts} attempts in 5 s`);
  cluster.api.refuse = undefined;
  await cluster.time.advance(60_000);
  await rollOut(cluster);
  assert.equal(failure(), undefined);
  assert.equal(cluster.api.list("pods").length, 2);
});

test("a pod whose labels leave the selector is released and replaced; one that fits is adopted", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1"));
  await rollOut(cluster);
  const [pod] = cluster.api.list("pods");
  cluster.api.put("pods", { metadata: { ...pod!.metadata, labels: { app: "debug" } } });
  await rollOut(cluster);
  const freed = cluster.api.get("pods", `default/${pod!.metadata.name}`)!;
  assert.deepEqual(freed.metadata.ownerReferences ?? [], []);
  assert.equal(cluster.api.list("pods").length, 3);
  cluster.api.put("pods", { metadata: { ...freed.metadata, labels: pod!.metadata.labels } });
  await rollOut(cluster);
  assert.equal(cluster.api.list("pods").length, 2);
});

test("Recreate makes no new pod while an old one is left", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("deployments", deployment("web:1", { strategy: { type: "Recreate" } }));
  await rollOut(cluster);
  cluster.api.onWrite = () => {
    const images = new Set(imagesOf(cluster));
    assert.ok(images.size <= 1, `old and new at once: ${[...images].join(", ")}`);
  };
  change(cluster, template("web:2"));
  await rollOut(cluster);
  assert.deepEqual(imagesOf(cluster), ["web:2", "web:2"]);
});

test("Recreate makes no new pod while an old one is left, also when it is scaled or paused meanwhile", async () => {
  for (const meanwhile of [{ replicas: 3 }, { paused: true, replicas: 3 }]) {
    const cluster = await createModelCluster({ only });
    cluster.api.put("deployments", deployment("web:1", { strategy: { type: "Recreate" } }));
    await rollOut(cluster);
    cluster.api.onWrite = () => {
      const images = new Set(imagesOf(cluster));
      assert.ok(images.size <= 1, `old and new at once: ${[...images].join(", ")}`);
    };
    change(cluster, template("web:2"));
    await rollOut(cluster);
    // Back again: the set of the new template is there already. The old pods are ending, and no agent lets them go yet.
    change(cluster, template("web:1"));
    await cluster.time.advance(1000);
    assert.ok(cluster.api.list("pods").every((pod) => pod.metadata.deletionTimestamp !== undefined));
    change(cluster, meanwhile);
    await cluster.time.advance(2000);
    assert.deepEqual(imagesOf(cluster), ["web:2", "web:2"]);
    change(cluster, { paused: false });
    await rollOut(cluster);
    assert.deepEqual(imagesOf(cluster), ["web:1", "web:1", "web:1"]);
  }
});

/** Invariants 34 and 35, looked at after every write while nothing but the controllers changes readiness. */
function watchBounds(cluster: ModelCluster): { violations: string[]; reset: () => void } {
  const violations: string[] = [];
  let lowest = 0;
  const bounds = (): { replicas: number; surge: number; unavailable: number } => {
    const spec = cluster.api.get("deployments", "default/web")!.spec as {
      replicas: number;
      strategy: { rollingUpdate: { maxSurge: number; maxUnavailable: number } };
    };
    const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate;
    return {
      replicas: spec.replicas,
      surge: maxSurge,
      unavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable,
    };
  };
  cluster.api.onWrite = () => {
    const { replicas, surge, unavailable } = bounds();
    const alive = cluster.api.list("pods").filter((pod) => pod.metadata.deletionTimestamp === undefined);
    if (alive.length > replicas + surge) violations.push(`${alive.length} pods > ${replicas}+${surge}`);
    const available = alive.filter(isReady).length;
    const needed = replicas - unavailable;
    if (available < needed && available < lowest) violations.push(`${available} available < ${needed}`);
    lowest = Math.min(available, needed);
  };
  return {
    violations,
    reset: () => {
      lowest = 0;
    },
  };
}

test("while old pods cannot be deleted, the new template does not grow beyond the surge", async () => {
  const unwell = { code: 503, reason: "ServiceUnavailable", message: "down" };
  const forbidding = { code: 403, reason: "Forbidden", message: "a webhook says no" };
  for (const refusal of [unwell, forbidding]) {
    const cluster = await createModelCluster({ only });
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 2 } };
    cluster.api.put("deployments", deployment("web:0", { replicas: 6, strategy }));
    await rollOut(cluster);
    const { violations } = watchBounds(cluster);
    let isDown = true;
    cluster.api.refuse = (method, path) =>
      isDown && method === "DELETE" && path.includes("/pods") ? refusal : undefined;
    for (const image of ["web:1", "web:2", "web:0"]) {
      change(cluster, template(image));
      await cluster.time.advance(1500);
      agentsWork(cluster);
    }
    isDown = false;
    await rollOut(cluster);
    assert.deepEqual(violations, []);
    assert.deepEqual(new Set(imagesOf(cluster)), new Set(["web:0"]));
  }
});

test("property: a rollout stays within surge and availability under any readiness, and ends exact and still", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer({ min: 1, max: 1_000_000 }),
        replicas: fc.integer({ min: 1, max: 12 }),
        maxSurge: fc.integer({ min: 0, max: 4 }),
        maxUnavailable: fc.integer({ min: 0, max: 4 }),
        readyChance: fc.constantFrom(0.2, 0.5, 1),
        restartAt: fc.integer({ min: 0, max: 20 }),
        changes: fc.array(fc.constantFrom("web:1", "web:2", "web:3"), { minLength: 1, maxLength: 3 }),
      }),
      async ({ seed, replicas, maxSurge, maxUnavailable, readyChance, restartAt, changes }) => {
        const cluster = await createModelCluster({ only, seed });
        const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } };
        cluster.api.put("deployments", deployment("web:0", { replicas, strategy }));
        await rollOut(cluster);
        const watched = watchBounds(cluster);
        for (const image of changes) {
          change(cluster, template(image));
          for (let round = 0; round < 6; round++) {
            await cluster.time.advance(Math.floor(cluster.float() * 400));
            agentsWork(cluster, readyChance);
            if (round === restartAt) await cluster.restart();
          }
        }
        for (let round = 0; round < 300 && !isDone(cluster); round++) {
          await cluster.time.advance(300);
          agentsWork(cluster, readyChance);
        }
        await cluster.quiesce();
        assert.deepEqual(watched.violations, []);
        assert.deepEqual(
          imagesOf(cluster),
          Array.from({ length: replicas }, () => changes.at(-1)),
        );
        assert.deepEqual(cluster.problems, []);
        await cluster.stop();
      },
    ),
    { numRuns: 15 },
  );
});
