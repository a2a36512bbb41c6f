/** Objects that are valid each and make no sense together: somebody says so, nothing loops, nothing is taken from others. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { condition, never, objectAt, podsOf, podsReady, templateOf, workload } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, type Json, type Scene } from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const apps = "apps/v1";

/** Waits for an Event of this reason about an object; answers its message. */
function told({ api, core }: Scene, name: string, reason: string): Promise<string> {
  return eventually(`${reason} is told about ${name}`, async () => {
    const events = arrayAt(await api.get(core("events")));
    const found = events.find((event) => event["reason"] === reason && pick(event, "involvedObject.name") === name);
    return found !== undefined && String(found["message"]);
  });
}

/** Nothing of these objects is written any more: no loop. */
async function standsStill({ api }: Scene, paths: readonly string[]): Promise<void> {
  const revisions = async (): Promise<string> =>
    (await Promise.all(paths.map((path) => api.get(path)))).map((one) => pick(one, "metadata.resourceVersion")).join();
  const settled = await eventually("it stands still", async () => {
    const first = await revisions();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return (await revisions()) === first && first;
  });
  await never("it is not written again", async () => (await revisions()) !== settled, 500);
}

test("a selector that matches another workload's pods takes none of them", () =>
  suite.play(async (scene) => {
    const { api, at, core } = scene;
    await api.create(at(apps, "deployments"), workload("Deployment", "web", { replicas: 2 }));
    const before = (await podsReady(scene, "web", 2)).map(nameOf).sort();
    const greedy = workload("StatefulSet", "greedy", { replicas: 1 });
    Object.assign(greedy.spec as Json, templateOfApp("web"));
    await api.create(at(apps, "statefulsets"), greedy);
    const message = await told(scene, "greedy", "SelectorOverlap");
    assert.match(await told(scene, "web", "SelectorOverlap"), /statefulset\/greedy match the same pods/);
    assert.match(message, /deployment\/web match the same pods: each keeps its own/);
    await eventually("both have what they want", async () => (await podsOf(scene, "web")).length === 3);
    const names = (await podsOf(scene, "web")).map(nameOf).sort();
    assert.deepEqual(names, [...before, "greedy-0"].sort());
    await standsStill(scene, [at(apps, "deployments", "web"), at(apps, "statefulsets", "greedy")]);
    await api.expect("DELETE", at(apps, "statefulsets", "greedy"));
    await eventually("its pod goes", async () => (await podsOf(scene, "web")).length === 2);
    assert.deepEqual((await podsOf(scene, "web")).map(nameOf).sort(), before);
    await api.create(core("pods"), pod("stray", {}, { labels: { app: "web" } }));
    await never(
      "a foreign pod without the hash is left alone",
      async () => (await podsOf(scene, "web")).length < 3,
      500,
    );
  }));

test("sets of the same selector keep their own pods, and both say so", () =>
  suite.play(async (scene) => {
    const { api, at, core } = scene;
    const spec = { replicas: 2, ...templateOfApp("same") };
    await api.create(at(apps, "replicasets"), { ...workload("ReplicaSet", "one"), spec });
    await podsReady(scene, "same", 2);
    const rest = { ...spec, selector: { app: "same" } };
    const metadata = { name: "two" };
    await api.create(core("replicationcontrollers"), {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata,
      spec: rest,
    });
    assert.match(await told(scene, "one", "SelectorOverlap"), /replicationcontroller\/two match the same pods/);
    assert.match(await told(scene, "two", "SelectorOverlap"), /replicaset\/one match the same pods/);
    await podsReady(scene, "same", 4);
    await standsStill(scene, [at(apps, "replicasets", "one"), core("replicationcontrollers", "two")]);
  }));

/** Selector and template of one label `app`. */
function templateOfApp(app: string): Json {
  return { selector: { matchLabels: { app } }, template: templateOf(app) };
}

test("a pod never has two controllers", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const owner = (name: string): Json => ({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name,
      uid: `00000000-0000-4000-8000-00000000000${name.length}`,
      controller: true,
    });
    const object = pod("torn", {}, { ownerReferences: [owner("a"), owner("bb")] });
    const { status, text } = await api.request("POST", core("pods"), object);
    assert.equal(status, 422);
    assert.match(text, /Only one reference can have Controller set to true/);
  }));

test("a budget that asks for more than there is allows nothing and says so", () =>
  suite.play(async (scene) => {
    const { api, at, core } = scene;
    await api.create(at(apps, "deployments"), workload("Deployment", "web", { replicas: 2 }));
    const [first] = await podsReady(scene, "web", 2);
    const path = at("policy/v1", "poddisruptionbudgets", "much");
    await api.create(at("policy/v1", "poddisruptionbudgets"), {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "much" },
      spec: { minAvailable: 7, selector: { matchLabels: { app: "web" } } },
    });
    const found = await objectAt(scene, "it is counted", path, (one) => pick(one, "status.currentHealthy") === 2);
    assert.equal(pick(found, "status.disruptionsAllowed"), 0);
    assert.equal(
      condition(found, "DisruptionAllowed")?.message,
      "7 of 2 pods must be healthy: no disruption is ever allowed",
    );
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: nameOf(first) } };
    assert.equal((await api.request("POST", `${core("pods", nameOf(first))}/eviction`, eviction)).status, 429);
    await api.patch(at(apps, "deployments", "web"), { spec: { replicas: 0 } });
    await objectAt(scene, "no pod is left", path, (one) => pick(one, "status.expectedPods") === 0);
    assert.equal(pick(await api.get(path), "status.disruptionsAllowed"), 0);
  }));

test("a budget that cannot be counted, or is not the only one, says so where kubectl describe shows it", () =>
  suite.play(async (scene) => {
    const { api, at, core, cluster, namespace } = scene;
    const budget = (name: string, app: string, spec: Json): Promise<Json> =>
      api.create(at("policy/v1", "poddisruptionbudgets"), {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name },
        spec: { selector: { matchLabels: { app } }, ...spec },
      });
    const allowed = (name: string, count: number): Promise<unknown> =>
      objectAt(scene, `${name} allows ${count}`, at("policy/v1", "poddisruptionbudgets", name), (one) => {
        return pick(one, "status.disruptionsAllowed") === count;
      });
    await budget("early", "nobody", { minAvailable: 1 });
    await told(scene, "early", "NoPods");
    await api.create(at(apps, "deployments"), workload("Deployment", "web", { replicas: 1 }));
    await podsReady(scene, "web", 1);
    await budget("all", "web", { maxUnavailable: 0 });
    assert.match(
      await told(scene, "all", "NoDisruptionPossible"),
      /1 of 1 pods must be healthy: no disruption is ever/,
    );
    await budget("second", "web", { minAvailable: 0 });
    assert.match(await told(scene, "all", "MultiplePodDisruptionBudgets"), /same pods \(second\)/);
    assert.match(await told(scene, "second", "MultiplePodDisruptionBudgets"), /same pods \(all\)/);
    const described = cluster.kubectl("describe", "pdb", "all", "-n", namespace);
    assert.match(described, /NoDisruptionPossible.*1 of 1 pods[^]*MultiplePodDisruptionBudgets/);
    await api.create(core("pods"), pod("alone", {}, { labels: { app: "alone" } }));
    await budget("half", "alone", { minAvailable: "50%" });
    assert.match(await told(scene, "half", "UnmanagedPods"), /count for nothing here \(alone\)/);
    await api.create(core("replicationcontrollers"), {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "old" },
      spec: { replicas: 4, selector: { app: "old" }, template: templateOf("old") },
    });
    await budget("some", "old", { maxUnavailable: "50%" });
    await allowed("some", 2);
    await api.create(at(apps, "daemonsets"), workload("DaemonSet", "everywhere"));
    await budget("nowhere", "everywhere", { maxUnavailable: 1 });
    const unknown = await told(scene, "nowhere", "CalculateExpectedPodCountFailed");
    assert.match(unknown, /controller of pod everywhere-\w+ is gone or has no scale/);
    await standsStill(
      scene,
      ["all", "half", "nowhere", "some"].map((name) => at("policy/v1", "poddisruptionbudgets", name)),
    );
  }));

test("a claim that names a volume of another claim waits and says so", () =>
  suite.play(async (scene) => {
    const { api, core, namespace, cleanUp } = scene;
    const claim = (name: string): Json => ({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name },
      spec: {
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: "1Gi" } },
        storageClassName: "",
        volumeName: namespace,
      },
    });
    await api.create("/api/v1/persistentvolumes", {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: namespace },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        persistentVolumeReclaimPolicy: "Retain",
        hostPath: { path: "/nowhere" },
      },
    });
    cleanUp(() => api.request("DELETE", `/api/v1/persistentvolumes/${namespace}`));
    await api.create(core("persistentvolumeclaims"), claim("first"));
    const bound = (one: Json): boolean => pick(one, "status.phase") === "Bound";
    await objectAt(scene, "the first has it", core("persistentvolumeclaims", "first"), bound);
    await api.create(core("persistentvolumeclaims"), claim("second"));
    assert.match(await told(scene, "second", "FailedBinding"), /already bound to a different claim/);
    assert.equal(pick(await api.get(core("persistentvolumeclaims", "second")), "status.phase"), "Pending");
    const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "second" } }];
    await api.create(core("pods"), pod("user", { volumes }));
    assert.match(await told(scene, "user", "FailedBinding"), /claim second: .*already bound to a different claim/);
    const shared = { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "1Gi" } } };
    await api.create(core("persistentvolumeclaims"), { ...claim("many"), spec: shared });
    await api.create(
      core("pods"),
      pod("sharer", { volumes: [{ name: "d", persistentVolumeClaim: { claimName: "many" } }] }),
    );
    assert.match(
      await told(scene, "sharer", "ProvisioningFailed"),
      /claim many: a folder of one node cannot be ReadWrite/,
    );
    assert.ok(bound(await api.get(core("persistentvolumeclaims", "first"))));
    await standsStill(scene, [core("persistentvolumeclaims", "first"), core("persistentvolumeclaims", "second")]);
  }));

test("objects that own one another stay, say so, and stop nobody else's collection", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const map = (name: string, owners: readonly Json[] = []): Promise<Json> =>
      api.create(core("configmaps"), {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, ownerReferences: owners },
      });
    const owner = (object: Json): Json => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      name: nameOf(object),
      uid: pick(object, "metadata.uid"),
    });
    const hen = await map("hen");
    const egg = await map("egg", [owner(hen)]);
    await api.patch(core("configmaps", "hen"), { metadata: { ownerReferences: [owner(egg)] } });
    assert.match(await told(scene, "hen", "OwnerCycle"), /hen -> egg -> hen/);
    const parent = await map("parent");
    await map("child", [owner(parent)]);
    await api.expect("DELETE", core("configmaps", "parent"));
    await eventually(
      "the child goes",
      async () => (await api.request("GET", core("configmaps", "child"))).status === 404,
    );
    await standsStill(scene, [core("configmaps", "hen"), core("configmaps", "egg")]);
    await api.expect("DELETE", core("configmaps", "hen"));
    await eventually(
      "the circle goes",
      async () => (await api.request("GET", core("configmaps", "egg"))).status === 404,
    );
  }));

test("a node that refuses a workload's pods says why in each, and gets few of them", () =>
  suite.play(async (scene) => {
    const { api, at } = scene;
    const [node] = arrayAt(await api.get("/api/v1/nodes"));
    const containers = [{ name: "main", image: "example/web:1", ports: [{ containerPort: 80, hostPort: 8080 }] }];
    const template = templateOf("crowded", { spec: { nodeName: nameOf(node), containers } });
    await api.create(at(apps, "replicasets"), workload("ReplicaSet", "crowded", { replicas: 2, template }));
    const refused = await eventually("some are refused", async () => {
      const failed = (await podsOf(scene, "crowded")).filter((one) => pick(one, "status.phase") === "Failed");
      return failed.length >= 3 && failed;
    });
    for (const one of refused) {
      assert.equal(pick(one, "status.reason"), "NodePorts");
      assert.equal(pick(one, "status.containerStatuses"), undefined, "a container seems to be on its way");
    }
    await never("there are ever more of them", async () => (await podsOf(scene, "crowded")).length > 10, 1500);
  }));
