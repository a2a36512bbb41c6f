import assert from "node:assert/strict";
import {
  hashOf,
  imageOf,
  isReady,
  listAndDeleteCollection,
  objectAt,
  podsOf,
  podsReady,
  statusEndpoints,
  templateOf,
  update,
  workload,
} from "./apps-objects.ts";
import { arrayAt, nameOf, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { eventually } from "../eventually.ts";

const apps = "apps/v1";

async function nodeNames({ api }: Scene): Promise<string[]> {
  return arrayAt(await api.get("/api/v1/nodes"))
    .map(nameOf)
    .sort();
}

async function onEachNode(scene: Scene, app: string): Promise<Json[]> {
  const nodes = await nodeNames(scene);
  const pods = await podsReady(scene, app, nodes.length);
  assert.deepEqual(pods.map((pod) => pick(pod, "spec.nodeName")).sort(), nodes);
  return pods;
}

async function runAndStop(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  await api.create(at(apps, "daemonsets"), workload("DaemonSet", "everywhere"));
  const [victim] = await onEachNode(scene, "everywhere");
  await api.expect("DELETE", core("pods", nameOf(victim)));
  await eventually(
    "the pod is gone",
    async () => (await api.request("GET", core("pods", nameOf(victim)))).status === 404,
  );
  await onEachNode(scene, "everywhere");
  await api.expect("DELETE", at(apps, "daemonsets", "everywhere"));
  await eventually("its pods are gone", async () => (await podsOf(scene, "everywhere")).length === 0);
}

async function rollingUpdate(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(apps, "daemonsets", "rolled");
  await api.create(
    at(apps, "daemonsets"),
    workload("DaemonSet", "rolled", { updateStrategy: { type: "RollingUpdate" } }),
  );
  const before = await onEachNode(scene, "rolled");
  const revisions = async (): Promise<Json[]> =>
    arrayAt(await api.get(`${at(apps, "controllerrevisions")}?labelSelector=app%3Drolled`));
  const [first] = await revisions();
  assert.equal(pick(first, "revision"), 1);
  assert.ok(before.every((pod) => hashOf(pod) === hashOf(first!)));
  await api.patch(
    path,
    { spec: { template: { spec: { containers: [{ name: "main", image: "example/second:2" }] } } } },
    "strategic-merge",
  );
  await eventually("all pods have the new image", async () => {
    const pods = await podsOf(scene, "rolled");
    return pods.length === before.length && pods.every((pod) => imageOf(pod) === "example/second:2" && isReady(pod));
  });
  const after = await onEachNode(scene, "rolled");
  const second = (await revisions()).find((revision) => pick(revision, "revision") === 2);
  assert.ok(second !== undefined, "the new template has revision 2");
  assert.ok(after.every((pod) => hashOf(pod) === hashOf(second)));
}

async function revisionLifecycle(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const collection = at(apps, "controllerrevisions");
  const selector = "labelSelector=app%3Dhistoric";
  await api.create(at(apps, "daemonsets"), workload("DaemonSet", "historic"));
  await onEachNode(scene, "historic");
  const listed = arrayAt(await api.get(`/apis/apps/v1/controllerrevisions?${selector}`)).filter(
    (item) => pick(item, "metadata.namespace") === scene.namespace,
  );
  assert.equal(listed.length, 1);
  const [initial] = listed as [Json];
  const patched = await api.patch(`${collection}/${nameOf(initial)}`, { metadata: { labels: { patched: "yes" } } });
  assert.equal(pick(patched, "metadata.labels.patched"), "yes");
  const hash = unique();
  const { ownerReferences, labels } = initial.metadata as Json;
  await api.create(collection, {
    apiVersion: apps,
    kind: "ControllerRevision",
    metadata: {
      name: `historic-${hash}`,
      ownerReferences,
      labels: { ...(labels as Json), "controller-revision-hash": hash },
    },
    data: initial.data,
    revision: 2,
  });
  const count = async (): Promise<number> => arrayAt(await api.get(`${collection}?${selector}`)).length;
  assert.equal(await count(), 2);
  await api.expect("DELETE", `${collection}/${nameOf(initial)}`);
  await eventually("one revision is left", async () => (await count()) === 1);
  await update(
    scene,
    `${collection}/historic-${hash}`,
    ({ metadata }) => (((metadata as Json).labels as Json).updated = "yes"),
  );
  assert.equal(arrayAt(await api.get(`${collection}?labelSelector=updated%3Dyes`)).length, 1);
  await api.patch(at(apps, "daemonsets", "historic"), {
    spec: { template: templateOf("historic", { image: "example/second:2" }) },
  });
  await eventually("the new template has revision 3", async () =>
    arrayAt(await api.get(`${collection}?${selector}`)).some((item) => item.revision === 3),
  );
  assert.equal(await count(), 2);
  await api.expect("DELETE", `${collection}?labelSelector=updated%3Dyes`);
  await eventually("one revision is left", async () => (await count()) === 1);
  assert.equal(arrayAt(await api.get(`${collection}?${selector}`))[0]?.revision, 3);
}

export const daemonSets: Readonly<Record<string, Conformance>> = {
  "ControllerRevision [Serial] should manage the lifecycle of a ControllerRevision": revisionLifecycle,
  "Daemon set [Serial] should list and delete a collection of DaemonSets": (scene) =>
    listAndDeleteCollection(scene, scene.at(apps, "daemonsets"), (name, labels) =>
      workload("DaemonSet", name, {}, {}, labels),
    ),
  "Daemon set [Serial] should run and stop simple daemon": runAndStop,
  "Daemon set [Serial] should update pod when spec was updated and update strategy is RollingUpdate": rollingUpdate,
  "Daemon set [Serial] should verify changes to a daemon set status": async (scene) => {
    await scene.api.create(scene.at(apps, "daemonsets"), workload("DaemonSet", "told"));
    await objectAt(
      scene,
      "ready everywhere",
      scene.at(apps, "daemonsets", "told"),
      ({ status }) => Number((status as Json).numberReady) >= 2,
    );
    await statusEndpoints(scene, scene.at(apps, "daemonsets", "told"));
  },
};
