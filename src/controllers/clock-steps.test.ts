import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, isReady, type ModelCluster } from "./testing/model-cluster.ts";
import { live } from "./testing/story.ts";

const minute = 60_000;
const hour = 60 * minute;

function jobNames(cluster: ModelCluster): string[] {
  return cluster.api
    .list("jobs")
    .map(({ metadata }) => metadata.name)
    .sort();
}

test("when the clock steps back, no instant of a CronJob comes twice, and the next ones come in their time", async () => {
  const cluster = await createModelCluster({ only: ["cronjob"] });
  const template = { metadata: {}, spec: { containers: [{ name: "main", image: "tick" }] } };
  cluster.api.put("cronjobs", {
    metadata: { name: "tick", namespace: "default" },
    spec: {
      schedule: "*/5 * * * *",
      concurrencyPolicy: "Allow",
      successfulJobsHistoryLimit: 100,
      failedJobsHistoryLimit: 100,
      jobTemplate: { spec: { template } },
    },
  });
  await cluster.time.advance(21 * minute);
  const before = jobNames(cluster);
  assert.ok(before.length >= 4, before.join());
  cluster.stepClock(-12 * minute);
  await cluster.time.advance(11 * minute);
  assert.deepEqual(jobNames(cluster), before, "the same instants again");
  const told = cluster.api.list("events").map(({ reason, message }) => `${String(reason)}: ${String(message)}`);
  const said = told.filter((one) => /^ClockSetBack: .* s from now: the clock has been set back/.test(one));
  assert.ok(said.length >= 1 && said.length <= 3, told.join("\n"));
  await cluster.time.advance(12 * minute);
  assert.ok(jobNames(cluster).length > before.length, "time went on and nothing came any more");
  assert.equal(new Set(jobNames(cluster)).size, jobNames(cluster).length);
  assert.deepEqual(cluster.problems, []);
});

function renew(cluster: ModelCluster, name: string): void {
  const now = new Date(cluster.time.clock.now()).toISOString();
  cluster.api.put("leases", {
    metadata: { name, namespace: "kube-node-lease" },
    spec: { holderIdentity: name, renewTime: now },
  });
}

function readyOf(cluster: ModelCluster, name: string): string | undefined {
  const conditions = cluster.api.get("nodes", name)!.status!["conditions"] as { type: string; status: string }[];
  return conditions.find(({ type }) => type === "Ready")?.status;
}

for (const [what, stepMs] of [
  ["back", -hour],
  ["on", hour],
] as const) {
  test(`when the clock steps ${what}, nodes that report stay Ready, and one that does not is noticed`, async () => {
    const cluster = await createModelCluster({ only: ["node-lifecycle", "taint-eviction"] });
    for (const name of ["n1", "n2", "n3"]) {
      const stamp = new Date(cluster.time.clock.now()).toISOString();
      const ready = { type: "Ready", status: "True", lastHeartbeatTime: stamp, lastTransitionTime: stamp };
      cluster.api.put("nodes", { metadata: { name }, spec: {}, status: { conditions: [ready] } });
    }
    const pass = async (seconds: number, names: readonly string[]): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += 5) {
        for (const name of names) renew(cluster, name);
        await cluster.time.advance(5_000);
      }
    };
    await pass(60, ["n1", "n2", "n3"]);
    cluster.stepClock(stepMs);
    await cluster.time.advance(2_000);
    assert.deepEqual(
      ["n1", "n2", "n3"].map((name) => readyOf(cluster, name)),
      ["True", "True", "True"],
    );
    await pass(30, ["n1", "n2", "n3"]);
    assert.equal(readyOf(cluster, "n3"), "True");
    await pass(60, ["n1", "n2"]);
    assert.deepEqual(
      ["n1", "n2", "n3"].map((name) => readyOf(cluster, name)),
      ["True", "True", "Unknown"],
    );
    assert.deepEqual(cluster.problems, []);
  });
}

for (const stepMs of [-hour, hour]) {
  test(`a Deployment and a Job go on when the clock steps by ${stepMs / hour} h, and no pod is lost`, async () => {
    const cluster = await createModelCluster({ only: ["deployment", "replicaset", "job", "ttl-after-finished"] });
    const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web" }] } };
    cluster.api.put("deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
      spec: {
        replicas: 3,
        minReadySeconds: 5,
        progressDeadlineSeconds: 600,
        selector: { matchLabels: { app: "web" } },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template,
      },
    });
    await live(cluster, 20);
    const names = cluster.api.list("pods").map(({ metadata }) => metadata.name);
    cluster.stepClock(stepMs);
    await live(cluster, 20);
    assert.deepEqual(
      cluster.api.list("pods").map(({ metadata }) => metadata.name),
      names,
    );
    const { metadata, spec } = cluster.api.get("deployments", "default/web")!;
    const next = { ...template, spec: { containers: [{ name: "main", image: "web:2" }] } };
    cluster.api.put("deployments", { metadata, spec: { ...spec, template: next } });
    await live(cluster, 60);
    const pods = cluster.api.list("pods");
    assert.equal(pods.length, 3);
    assert.ok(pods.every(isReady));
    assert.ok(pods.every(({ metadata: { name } }) => !names.includes(name)));
    await cluster.quiesce();
    assert.deepEqual(cluster.problems, []);
  });
}
