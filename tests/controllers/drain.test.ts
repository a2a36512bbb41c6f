/** Evictions and `kubectl drain` against a running cluster: budgets hold whoever asks, and however many ask at once. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { clientBinary } from "#main/client-binaries.ts";
import { isReady, isTerminating, objectAt, podsOf, podsReady, workload } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, type Answer, type Json, type Scene } from "../conformance/cluster.ts";

const suite = startSuite();
after(() => suite.stop());

async function guarded(scene: Scene, replicas: number, spec: Json): Promise<Json[]> {
  const { api, at } = scene;
  await api.create(at("apps/v1", "deployments"), workload("Deployment", "web", { replicas }));
  const selector = { matchLabels: { app: "web" } };
  await api.create(at("policy/v1", "poddisruptionbudgets"), {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "web" },
    spec: { selector, ...spec },
  });
  const pods = await podsReady(scene, "web", replicas);
  const isSettled = (object: Json): boolean => pick(object, "status.currentHealthy") === replicas;
  await objectAt(scene, "the budget counts them", at("policy/v1", "poddisruptionbudgets", "web"), isSettled);
  return pods;
}

function evict({ api, core }: Scene, pod: string, dryRun = false): Promise<Answer> {
  const body = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: pod },
    ...(dryRun && { deleteOptions: { dryRun: ["All"] } }),
  };
  return api.request("POST", `${core("pods", pod)}/eviction`, body);
}

test("of evictions at the same time exactly as many go through as the budget allows", () =>
  suite.play(async (scene) => {
    const pods = await guarded(scene, 10, { minAvailable: 7 });
    assert.equal((await evict(scene, nameOf(pods[0]), true)).status, 201, "a dry run costs nothing");
    const answers = await Promise.all(pods.map((pod) => evict(scene, nameOf(pod))));
    const statuses = answers.map(({ status }) => status);
    assert.deepEqual(
      [statuses.filter((status) => status === 201).length, statuses.filter((status) => status === 429).length],
      [3, 7],
    );
    const refused = answers.find(({ status }) => status === 429)!;
    assert.equal(pick(refused.body, "details.causes.0.reason"), "DisruptionBudget");
    assert.match(refused.text, /Cannot evict pod as it would violate the pod's disruption budget/);
    assert.equal(refused.headers["retry-after"], undefined, "a client that is told when tries again without a word");
    await podsReady(scene, "web", 10);
  }));

test("a drain says what it waits for, and goes on when the budget lets it", () =>
  suite.play(async (scene) => {
    const { api, at, cluster, cleanUp } = scene;
    const [pod] = await guarded(scene, 1, { minAvailable: 1 });
    const node = String(pick(pod, "spec.nodeName"));
    cleanUp(() => api.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable: null } }));
    const drain = cluster.start(kubectl(), ["drain", node, "--ignore-daemonsets", "--force", "--timeout=600s"]);
    cleanUp(() => drain.kill());
    const ended = new Promise<number | null>((resolve) => drain.on("exit", resolve));
    const said = new Promise<string>((resolve) => {
      let text = "";
      drain.stderr?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (/will retry after 5s/.test(text)) resolve(text);
      });
      void ended.then(() => resolve(text));
    });
    assert.match(await said, /Cannot evict pod as it would violate the pod's disruption budget/);
    await api.patch(at("policy/v1", "poddisruptionbudgets", "web"), { spec: { minAvailable: 0 } });
    assert.equal(await ended, 0);
  }));

test("a drain waits for the budget and ends with an empty node", () =>
  suite.play(async (scene) => {
    const { api, cluster, cleanUp } = scene;
    await guarded(scene, 6, { maxUnavailable: 1 });
    const counts = new Map<string, number>();
    for (const pod of await podsOf(scene, "web"))
      counts.set(String(pick(pod, "spec.nodeName")), (counts.get(String(pick(pod, "spec.nodeName"))) ?? 0) + 1);
    const [node] = [...counts].sort(([, a], [, b]) => b - a)[0]!;
    cleanUp(() => api.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable: null } }));
    let least = 6;
    const watch = setInterval(() => {
      void podsOf(scene, "web").then(
        (pods) => (least = Math.min(least, pods.filter((pod) => isReady(pod) && !isTerminating(pod)).length)),
      );
    }, 50);
    const drain = cluster.start("sh", ["-c", `exec "$0" drain ${node} --ignore-daemonsets --timeout=300s`, kubectl()]);
    const code = await new Promise<number | null>((resolve) => drain.on("exit", resolve));
    clearInterval(watch);
    assert.equal(code, 0);
    assert.ok(least >= 5, `once only ${least} of 6 were available`);
    const left = arrayAt(await api.get(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`)).filter(
      (pod) => pick(pod, "metadata.namespace") === scene.namespace,
    );
    assert.deepEqual(left.map(nameOf), []);
    await podsReady(scene, "web", 6);
  }));

test("a pod that is not ready may go when its policy says so, and a pod without a budget always", () =>
  suite.play(async (scene) => {
    const { api, at, core } = scene;
    const selector = { matchLabels: { app: "sick" } };
    const spec = { selector, minAvailable: 2, unhealthyPodEvictionPolicy: "AlwaysAllow" };
    await api.create(at("policy/v1", "poddisruptionbudgets"), {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "sick" },
      spec,
    });
    await api.create(at("apps/v1", "replicasets"), workload("ReplicaSet", "sick", { replicas: 2 }, { gated: true }));
    const pod = await objectAt(
      scene,
      "two run",
      core("pods"),
      (list) => arrayAt(list).length === 2 && arrayAt(list).every((one) => pick(one, "status.phase") === "Running"),
    );
    assert.equal((await evict(scene, nameOf(arrayAt(pod)[0]))).status, 201);
    await api.create(at("apps/v1", "replicasets"), workload("ReplicaSet", "free", { replicas: 1 }));
    const [free] = await podsReady(scene, "free", 1);
    assert.equal((await evict(scene, nameOf(free))).status, 201);
  }));

function kubectl(): string {
  return clientBinary("kubectl");
}
