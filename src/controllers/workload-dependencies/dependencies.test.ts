import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";
import { live } from "../testing/story.ts";
import { cycleFrom } from "./plan.ts";

const only = ["deployment", "replicaset", "statefulset", "job", "workload-dependencies"];
const kinds = { deployments: "Deployment", statefulsets: "StatefulSet", jobs: "Job" } as const;

function put(cluster: ModelCluster, resource: keyof typeof kinds, name: string, dependsOn?: string): void {
  const annotations = dependsOn === undefined ? {} : { "steersman.dev/depends-on": dependsOn };
  const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "web:1" }] } };
  const job = { completions: 1, parallelism: 1, backoffLimit: 6 };
  const other = { replicas: 1, updateStrategy: { type: "RollingUpdate" }, strategy: { type: "RollingUpdate" } };
  cluster.api.put(resource, {
    apiVersion: resource === "jobs" ? "batch/v1" : "apps/v1",
    kind: kinds[resource],
    metadata: { name, namespace: "default", annotations },
    spec: { selector: { matchLabels: { app: name } }, template, ...(resource === "jobs" ? job : other) },
  });
}

interface Gated {
  readonly schedulingGates?: readonly { readonly name: string }[];
}

/** `web: waits` or `web: free` for each pod, by its workload. */
function podsOf(cluster: ModelCluster): string[] {
  return cluster.api
    .list("pods")
    .map(({ metadata, spec }) => {
      const gates = (spec as Gated).schedulingGates ?? [];
      return `${metadata.labels?.["app"]}: ${gates.length > 0 ? "waits" : "free"}`;
    })
    .sort();
}

/** Agents take only pods without gates. */
async function pass(cluster: ModelCluster, seconds = 4): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    const waiting = cluster.api.list("pods").filter(({ spec }) => ((spec as Gated).schedulingGates ?? []).length > 0);
    if (waiting.length === 0) await live(cluster, 1);
    else await cluster.time.advance(1000);
  }
}

function condition(cluster: ModelCluster, resource: string, name: string): string {
  const conditions = (cluster.api.get(resource, `default/${name}`)?.status?.["conditions"] ?? []) as Record<
    string,
    string
  >[];
  const found = conditions.find(({ type }) => type === "DependenciesMet");
  return found === undefined ? "none" : `${found["status"]} ${found["reason"]}: ${found["message"]}`;
}

test("a workload waits for those that it depends on, once", async () => {
  const cluster = await createModelCluster({ only });
  put(cluster, "deployments", "web", "statefulset/db");
  await pass(cluster);
  assert.deepEqual(podsOf(cluster), ["web: waits"]);
  assert.equal(
    condition(cluster, "deployments", "web"),
    "False WaitingForDependencies: waits for statefulset/db (does not exist)",
  );
  put(cluster, "statefulsets", "db");
  await cluster.time.advance(2000);
  assert.match(condition(cluster, "deployments", "web"), /waits for statefulset\/db \(0 of 1 pods are available\)$/);
  const db = cluster.api.list("pods").find(({ metadata }) => metadata.name === "db-0")!;
  const stamp = new Date(cluster.time.clock.now()).toISOString();
  const ready = { type: "Ready", status: "True", lastTransitionTime: stamp };
  cluster.api.put("pods", { ...db, status: { phase: "Running", conditions: [ready] } });
  await pass(cluster, 6);
  assert.deepEqual(podsOf(cluster), ["db: free", "web: free"]);
  assert.equal(condition(cluster, "deployments", "web"), "True DependenciesMet: statefulset/db were there");
  await cluster.quiesce();
  // It has started once: a dependency that goes away later keeps none of its new pods back.
  cluster.api.remove("statefulsets", "default/db");
  cluster.api.remove(
    "pods",
    `default/${cluster.api.list("pods").find(({ metadata }) => metadata.labels?.["app"] === "web")!.metadata.name}`,
  );
  await pass(cluster);
  assert.ok(podsOf(cluster).includes("web: free"), podsOf(cluster).join());
  await cluster.quiesce();
  assert.deepEqual(cluster.problems, []);
});

test("a workload that finds all that it depends on there says so too: whoever waits for that sees it", async () => {
  const cluster = await createModelCluster({ only });
  put(cluster, "jobs", "migrate");
  await pass(cluster);
  const [pod] = cluster.api.list("pods");
  cluster.api.put("pods", { ...pod!, status: { phase: "Succeeded" } });
  await pass(cluster);
  put(cluster, "deployments", "web", "job/migrate");
  await pass(cluster);
  assert.ok(podsOf(cluster).includes("web: free"), podsOf(cluster).join());
  assert.equal(condition(cluster, "deployments", "web"), "True DependenciesMet: job/migrate were there");
  await cluster.quiesce();
  assert.deepEqual(cluster.problems, []);
});

test("a cycle is said in a condition and an event, and nothing is written for ever", async () => {
  const cluster = await createModelCluster({ only });
  put(cluster, "deployments", "a", "statefulset/b");
  put(cluster, "statefulsets", "b", "job/c");
  put(cluster, "jobs", "c", "deployment/a");
  await pass(cluster);
  assert.equal(
    condition(cluster, "deployments", "a"),
    "False DependencyCycle: it waits for itself: deployment/a -> statefulset/b -> job/c -> deployment/a",
  );
  assert.match(condition(cluster, "jobs", "c"), /^False DependencyCycle/);
  assert.equal(cluster.api.list("events").filter((event) => event["reason"] === "DependencyCycle").length, 3);
  await cluster.quiesce();
  const { metadata, ...rest } = cluster.api.get("jobs", "default/c")!;
  cluster.api.put("jobs", { ...rest, metadata: { ...metadata, annotations: {} } });
  await cluster.time.advance(2000);
  assert.match(condition(cluster, "statefulsets", "b"), /waits for job\/c/);
  assert.equal(
    podsOf(cluster).find((text) => text.startsWith("c:")),
    "c: free",
  );
});

test("a word that names no workload is said", async () => {
  const cluster = await createModelCluster({ only });
  put(cluster, "deployments", "web", "service/db");
  await pass(cluster);
  assert.match(condition(cluster, "deployments", "web"), /^False InvalidDependency: .* names service\/db/);
  await cluster.quiesce();
});

const graphs: readonly { graph: Record<string, string>; expected: string | undefined }[] = [
  { graph: { "job/a": "job/a" }, expected: "job/a job/a" },
  { graph: { "job/a": "job/b,job/c", "job/b": "job/d", "job/c": "job/d" }, expected: undefined },
  { graph: { "job/a": "job/b", "job/b": "job/c", "job/c": "job/b" }, expected: undefined },
  { graph: { "job/a": "job/b,job/c", "job/c": "job/a" }, expected: "job/a job/c job/a" },
];

for (const { graph, expected } of graphs)
  test(`the way back of ${JSON.stringify(graph)}`, () =>
    assert.equal(cycleFrom("job/a", (id) => graph[id])?.join(" "), expected));
