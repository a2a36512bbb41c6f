import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  cronjobs,
  daemonsets,
  jobs,
  persistentvolumeclaims,
  poddisruptionbudgets,
  pods,
  replicationcontrollers,
  resourcequotas,
  statefulsets,
} from "#api/generated/resources.ts";
import { startCluster, type RunningCluster } from "./running-cluster.ts";

let cluster: RunningCluster;
before(async () => {
  cluster = await startCluster();
});
after(() => cluster.stop());

const namespace = "default";

function template(app: string, more: object = {}): object {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: "main", image: `${app}:1` }], ...more } };
}

async function podsOf(app: string): Promise<string[]> {
  const { items } = await cluster.client.list(pods, { namespace, labelSelector: `app=${app}` });
  return items.filter((pod) => pod.metadata.deletionTimestamp === undefined).map((pod) => pod.metadata.name ?? "");
}

test("a StatefulSet has its pods in order, each with its claim, and rolls from the highest", async () => {
  const claim = {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const spec = {
    replicas: 3,
    serviceName: "db",
    selector: { matchLabels: { app: "db" } },
    template: template("db"),
    volumeClaimTemplates: [claim],
  };
  await cluster.client.create(statefulsets, { namespace }, { metadata: { name: "db" }, spec } as never);
  const ready = async (revision?: string): Promise<boolean> => {
    const { status } = await cluster.client.get(statefulsets, { namespace, name: "db" });
    return (
      status.readyReplicas === 3 &&
      status.updatedReplicas === 3 &&
      status.currentRevision === status.updateRevision &&
      status.updateRevision !== revision
    );
  };
  await cluster.until("three ready pods", () => ready());
  assert.deepEqual(await podsOf("db"), ["db-0", "db-1", "db-2"]);
  const claims = await cluster.client.list(persistentvolumeclaims, { namespace });
  assert.deepEqual(
    claims.items.map((item) => item.metadata.name),
    ["data-db-0", "data-db-1", "data-db-2"],
  );
  const { status } = await cluster.client.get(statefulsets, { namespace, name: "db" });
  const patch = { spec: { template: { spec: { containers: [{ name: "main", image: "db:2" }] } } } };
  await cluster.client.patch(statefulsets, { namespace, name: "db" }, patch, { type: "strategic" });
  await cluster.until("rolled", () => ready(status.updateRevision));
  const { items } = await cluster.client.list(pods, { namespace, labelSelector: "app=db" });
  assert.deepEqual(new Set(items.map((pod) => pod.spec.containers[0]!.image)), new Set(["db:2"]));
});

test("a DaemonSet has a pod on the node", async () => {
  const spec = { selector: { matchLabels: { app: "log" } }, template: template("log") };
  await cluster.client.create(daemonsets, { namespace }, { metadata: { name: "log" }, spec } as never);
  await cluster.until(
    "ready",
    async () => (await cluster.client.get(daemonsets, { namespace, name: "log" })).status.numberReady === 1,
  );
});

test("a ReplicationController keeps its number", async () => {
  const spec = { replicas: 2, selector: { app: "old" }, template: template("old") };
  await cluster.client.create(replicationcontrollers, { namespace }, { metadata: { name: "old" }, spec } as never);
  await cluster.until(
    "ready",
    async () =>
      (await cluster.client.get(replicationcontrollers, { namespace, name: "old" })).status.readyReplicas === 2,
  );
});

test("an Indexed Job completes and every pod is counted", async () => {
  const spec = {
    completions: 3,
    parallelism: 3,
    completionMode: "Indexed",
    template: template("sum", { restartPolicy: "Never" }),
  };
  await cluster.client.create(jobs, { namespace }, { metadata: { name: "sum" }, spec } as never);
  await cluster.until("three running", async () => (await podsOf("sum")).length === 3);
  for (const name of await podsOf("sum")) {
    await cluster.until(
      "running",
      async () => (await cluster.client.get(pods, { namespace, name })).status.phase === "Running",
    );
    await cluster.client.patch(
      pods,
      { namespace, name },
      { status: { phase: "Succeeded" } },
      { type: "strategic", subresource: "status" },
    );
  }
  const { status } = await cluster.until("complete", async () => {
    const job = await cluster.client.get(jobs, { namespace, name: "sum" });
    return job.status.conditions?.some((condition) => condition.type === "Complete") === true && job;
  });
  assert.deepEqual([status.succeeded, status.completedIndexes], [3, "0-2"]);
});

test("a CronJob that is due makes its Job", async () => {
  const jobTemplate = { spec: { template: template("tick", { restartPolicy: "Never" }) } };
  const { items } = await cluster.client.list(cronjobs, { namespace });
  assert.equal(items.length, 0);
  await cluster.client.create(cronjobs, { namespace }, {
    metadata: { name: "tick" },
    spec: { schedule: "@every 1s", jobTemplate },
  } as never);
  const job = await cluster.until("a job", async () => {
    const all = await cluster.client.list(jobs, { namespace });
    return all.items.find((item) => item.metadata.name?.startsWith("tick-"));
  });
  assert.equal(job.metadata.ownerReferences?.[0]?.kind, "CronJob");
  await cluster.client.delete(cronjobs, { namespace, name: "tick" });
});

test("budgets and quotas say what stands", async () => {
  const selector = { matchLabels: { app: "db" } };
  await cluster.client.create(poddisruptionbudgets, { namespace }, {
    metadata: { name: "db" },
    spec: { maxUnavailable: 1, selector },
  } as never);
  await cluster.until("one may go", async () => {
    const { status } = await cluster.client.get(poddisruptionbudgets, { namespace, name: "db" });
    return status.disruptionsAllowed === 1 && status.expectedPods === 3;
  });
  const hard = { pods: "50", "count/statefulsets.apps": "2" };
  await cluster.client.create(resourcequotas, { namespace }, { metadata: { name: "all" }, spec: { hard } } as never);
  await cluster.until("counted", async () => {
    const { status } = await cluster.client.get(resourcequotas, { namespace, name: "all" });
    return status.used?.["count/statefulsets.apps"] === "1";
  });
  assert.deepEqual(cluster.problems, []);
});
