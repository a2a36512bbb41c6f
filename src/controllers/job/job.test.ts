import assert from "node:assert/strict";
import { test } from "node:test";
import { pods } from "#api/generated/resources.ts";
import { createClient } from "#client/http-client.ts";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";
import { conditionsOf, endPod, isEnded, live, podNames } from "../testing/story.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";

const only = ["job", "ttl-after-finished", "garbage-collection"];

function job(spec: Record<string, unknown>): Record<string, unknown> {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "sum", namespace: "default" },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: "NonIndexed",
      selector: { matchLabels: { "batch.kubernetes.io/job-name": "sum" } },
      template: {
        metadata: { labels: {} },
        spec: { restartPolicy: "Never", containers: [{ name: "main", image: "sum" }] },
      },
      ...spec,
    },
  };
}

function endAll(cluster: ModelCluster, phase: "Succeeded" | "Failed", exitCode?: number): void {
  for (const pod of cluster.api.list("pods")) if (!isEnded(pod)) endPod(cluster, pod, phase, exitCode);
}

function status(cluster: ModelCluster): Record<string, unknown> {
  return cluster.api.get("jobs", "default/sum")!.status!;
}

function heldPods(cluster: ModelCluster): number {
  return cluster.api.list("pods").filter((pod) => (pod.metadata.finalizers ?? []).length > 0).length;
}

test("a Job of one pod runs, is counted once and completes", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({}));
  await live(cluster, 2);
  assert.equal(status(cluster)["active"], 1);
  endAll(cluster, "Succeeded");
  await live(cluster, 2);
  assert.equal(status(cluster)["succeeded"], 1);
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), [
    "Complete=True CompletionsReached",
    "SuccessCriteriaMet=True CompletionsReached",
  ]);
  assert.equal(heldPods(cluster), 0);
  await cluster.quiesce();
  assert.deepEqual(cluster.problems, []);
});

test("what ends a Job is counted in the write of its end, and a young Job is not written just to say what runs", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({}));
  await cluster.time.advance(200);
  assert.equal(podNames(cluster).length, 1);
  assert.equal(status(cluster)?.["active"], undefined);
  endAll(cluster, "Succeeded");
  await live(cluster, 1);
  const writes = cluster.api.writes.filter(({ path }) => path.includes("/jobs/sum/status"));
  assert.equal(writes.length, 1);
  assert.deepEqual(status(cluster)["uncountedTerminatedPods"], {});
  assert.equal(status(cluster)["succeeded"], 1);
  assert.equal(heldPods(cluster), 0);
});

test("a Job of ten pods, three at a time, never runs more and ends with ten", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.onWrite = () => {
    const active = cluster.api.list("pods").filter((pod) => !isEnded(pod)).length;
    assert.ok(active <= 3, `${active} active`);
  };
  cluster.api.put("jobs", job({ completions: 10, parallelism: 3 }));
  for (let round = 0; round < 8; round++) {
    await live(cluster, 1);
    endAll(cluster, "Succeeded");
  }
  await live(cluster, 2);
  assert.equal(status(cluster)["succeeded"], 10);
  assert.equal(podNames(cluster).length, 10);
});

test("an Indexed Job gives each index its pod, and a restart of the controller counts nothing twice", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({ completions: 4, parallelism: 4, completionMode: "Indexed" }));
  await live(cluster, 1);
  const indexes = cluster.api
    .list("pods")
    .map((pod) => pod.metadata.annotations!["batch.kubernetes.io/job-completion-index"]);
  assert.deepEqual(indexes.sort(), ["0", "1", "2", "3"]);
  endAll(cluster, "Succeeded");
  await cluster.time.advance(5);
  await cluster.restart();
  await live(cluster, 3);
  assert.equal(status(cluster)["completedIndexes"], "0-3");
  assert.equal(status(cluster)["succeeded"], 4);
  assert.equal(podNames(cluster).length, 4);
});

test("failures are retried with growing pauses up to the limit, then the Job has failed", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({ backoffLimit: 2 }));
  for (let failures = 1; failures <= 3; failures++) {
    await live(cluster, 1);
    endAll(cluster, "Failed");
    await live(cluster, 5);
    assert.equal(podNames(cluster).length, failures, "no retry within 5 s");
    await live(cluster, 10 * 2 ** (failures - 1));
  }
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), [
    "Failed=True BackoffLimitExceeded",
    "FailureTarget=True BackoffLimitExceeded",
  ]);
  assert.equal(status(cluster)["failed"], 3);
  assert.equal(heldPods(cluster), 0);
});

test("a failure policy ends the Job on the exit code it names and ignores what it is told to", async () => {
  const cluster = await createModelCluster({ only });
  const rules = [
    { action: "Ignore", onExitCodes: { operator: "In", values: [3] } },
    { action: "FailJob", onExitCodes: { operator: "In", values: [42] } },
  ];
  cluster.api.put("jobs", job({ backoffLimit: 0, podFailurePolicy: { rules } }));
  await live(cluster, 1);
  endAll(cluster, "Failed", 3);
  await live(cluster, 15);
  assert.equal(podNames(cluster).length, 2, "the ignored failure is replaced");
  endAll(cluster, "Failed", 42);
  await live(cluster, 3);
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), [
    "Failed=True PodFailurePolicy",
    "FailureTarget=True PodFailurePolicy",
  ]);
});

test("a suspended Job runs nothing until it is resumed, and what it stopped is no failure", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({ parallelism: 2, completions: 2 }));
  await live(cluster, 1);
  const suspend = (value: boolean): void => {
    const current = cluster.api.get("jobs", "default/sum")!;
    cluster.api.put("jobs", { metadata: current.metadata, spec: { ...current.spec, suspend: value } });
  };
  suspend(true);
  await live(cluster, 3);
  assert.deepEqual(podNames(cluster), []);
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), ["Suspended=True JobSuspended"]);
  assert.equal(status(cluster)["failed"], undefined);
  suspend(false);
  await live(cluster, 3);
  assert.equal(podNames(cluster).length, 2);
});

test("deadline and time to live end what lasts too long", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({ activeDeadlineSeconds: 20, ttlSecondsAfterFinished: 30 }));
  await live(cluster, 15);
  assert.equal(podNames(cluster).length, 1);
  await live(cluster, 10);
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), [
    "Failed=True DeadlineExceeded",
    "FailureTarget=True DeadlineExceeded",
  ]);
  await live(cluster, 40);
  assert.equal(cluster.api.get("jobs", "default/sum"), undefined);
});

test("a Job that somebody else manages is left alone", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({ managedBy: "example.com/queue" }));
  await live(cluster, 3);
  assert.deepEqual(podNames(cluster), []);
  assert.equal(cluster.api.writes.length, 0);
});

test("with replacement policy Failed a pod that is going is replaced only when it has ended", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("jobs", job({ podReplacementPolicy: "Failed" }));
  await live(cluster, 2);
  const [first = ""] = podNames(cluster);
  const { metadata, ...rest } = cluster.api.get("pods", `default/${first}`)!;
  const going = { ...metadata, deletionTimestamp: new Date(cluster.time.clock.now()).toISOString() };
  cluster.api.put("pods", { ...rest, metadata: going });
  await cluster.time.advance(30_000);
  assert.deepEqual(podNames(cluster), [first]);
  assert.equal(status(cluster)["terminating"], 1);
  endPod(cluster, cluster.api.get("pods", `default/${first}`)!, "Failed");
  await live(cluster, 30);
  assert.equal(podNames(cluster).filter((name) => name !== first).length, 1);
});

test("each index has its own limit of failures, and the others go on", async () => {
  const cluster = await createModelCluster({ only });
  const indexed = { completionMode: "Indexed", completions: 3, parallelism: 3, backoffLimitPerIndex: 1 };
  cluster.api.put("jobs", job(indexed));
  for (let round = 0; round < 20; round += 1) {
    await live(cluster, 15);
    for (const pod of cluster.api.list("pods")) {
      const index = pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"];
      if (!isEnded(pod)) endPod(cluster, pod, index === "1" ? "Failed" : "Succeeded");
    }
  }
  assert.equal(status(cluster)["completedIndexes"], "0,2");
  assert.equal(status(cluster)["failedIndexes"], "1");
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), [
    "Failed=True FailedIndexes",
    "FailureTarget=True FailedIndexes",
  ]);
  await cluster.quiesce();
});

test("an index keeps count of its failures when somebody deletes its failed pod, and ignored ones do not count", async () => {
  const cluster = await createModelCluster({ only });
  const rules = [{ action: "Ignore", onExitCodes: { operator: "In", values: [9] } }];
  const indexed = { completionMode: "Indexed", completions: 1, backoffLimitPerIndex: 1, podFailurePolicy: { rules } };
  cluster.api.put("jobs", job(indexed));
  const client = createClient(cluster.api.transport, { userAgent: "test" });
  const made = new Set<string>();
  for (const exitCode of [9, 9, 1, 1]) {
    await live(cluster, 700);
    const running = cluster.api.list("pods").filter((pod) => !isEnded(pod));
    assert.equal(running.length, 1, `after ${made.size} pods`);
    made.add(running[0]!.metadata.name);
    endPod(cluster, running[0]!, "Failed", exitCode);
    await live(cluster, 2);
    await client.delete(pods, { namespace: "default", name: running[0]!.metadata.name });
  }
  await live(cluster, 700);
  assert.equal(status(cluster)["failedIndexes"], "0");
  assert.equal(made.size, 4);
  assert.equal(heldPods(cluster), 0);
  assert.equal(status(cluster)["failed"], 2);
});

test("a success policy ends the Job early, and what still runs goes", async () => {
  const cluster = await createModelCluster({ only });
  const successPolicy = { rules: [{ succeededIndexes: "0" }] };
  cluster.api.put("jobs", job({ completionMode: "Indexed", completions: 3, parallelism: 3, successPolicy }));
  await live(cluster, 2);
  for (const pod of cluster.api.list("pods"))
    if (pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"] === "0")
      endPod(cluster, pod, "Succeeded");
  await live(cluster, 5);
  assert.deepEqual(conditionsOf(cluster, "jobs", "default/sum"), [
    "Complete=True SuccessPolicy",
    "SuccessCriteriaMet=True SuccessPolicy",
  ]);
  assert.equal(status(cluster)["active"] ?? 0, 0);
});

test("indexes are written in Kubernetes' form", () => {
  assert.equal(formatIndexes([0, 1, 2, 5, 7, 8]), "0-2,5,7,8");
  assert.deepEqual(parseIndexes("0-2,5,7,8", 8), [0, 1, 2, 5, 7]);
});
