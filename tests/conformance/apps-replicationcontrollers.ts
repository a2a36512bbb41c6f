import assert from "node:assert/strict";
import { controllerOf, objectAt, podsOf, podsReady, scaleEndpoints, templateOf } from "./apps-objects.ts";
import { arrayAt, pick, type Conformance, type Json, type Scene } from "./cluster.ts";
import { eventually } from "../eventually.ts";

function controller(name: string, replicas: number, labels: Json = {}): Json {
  return {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: { name, labels },
    spec: { replicas, selector: { app: name }, template: templateOf(name) },
  };
}

async function adopt(scene: Scene): Promise<void> {
  const { api, core } = scene;
  await api.create(core("pods"), {
    apiVersion: "v1",
    kind: "Pod",
    ...templateOf("adopted"),
    metadata: { name: "orphan", labels: { app: "adopted" } },
  });
  // As in the published suite the pod runs before its owner comes: watches of two resources promise no common order.
  await podsReady(scene, "adopted", 1);
  await api.create(core("replicationcontrollers"), controller("adopted", 1));
  await objectAt(
    scene,
    "the orphan is adopted",
    core("pods", "orphan"),
    (pod) => controllerOf(pod)?.kind === "ReplicationController",
  );
  assert.equal((await podsOf(scene, "adopted")).length, 1, "no other pod was made");
}

async function release(scene: Scene): Promise<void> {
  const { api, core } = scene;
  await api.create(core("replicationcontrollers"), controller("released", 1));
  const [pod] = await podsReady(scene, "released", 1);
  const path = core("pods", String(pick(pod, "metadata.name")));
  await api.patch(path, { metadata: { labels: { app: "elsewhere" } } });
  await objectAt(scene, "the pod is released", path, (object) => controllerOf(object) === undefined);
  await podsReady(scene, "released", 1);
}

async function lifecycle(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const collection = core("replicationcontrollers");
  const path = core("replicationcontrollers", "living");
  const watch = await api.watch(`${collection}?labelSelector=test%3Dlife`);
  scene.cleanUp(() => watch.close());
  await api.create(collection, controller("living", 1, { test: "life" }));
  await watch.next("the creation", ({ type }) => type === "ADDED");
  await watch.next("a ready replica", ({ object }) => pick(object, "status.readyReplicas") === 1);
  await api.patch(path, { metadata: { labels: { patched: "yes" } } });
  await watch.next("the patch", ({ object }) => pick(object, "metadata.labels.patched") === "yes");
  const patched = await api.patch(`${path}/status`, { status: { readyReplicas: 0, availableReplicas: 0 } });
  assert.equal(pick(patched, "status.readyReplicas") ?? 0, 0);
  await watch.next("the patched status", ({ object }) => (pick(object, "status.readyReplicas") ?? 0) === 0);
  assert.equal(pick(await api.get(`${path}/status`), "metadata.name"), "living");
  await api.patch(`${path}/scale`, { spec: { replicas: 2 } });
  await watch.next("two ready replicas", ({ object }) => pick(object, "status.readyReplicas") === 2);
  const listed = arrayAt(await api.get("/api/v1/replicationcontrollers?labelSelector=test%3Dlife"));
  assert.equal(listed.filter((item) => pick(item, "metadata.namespace") === scene.namespace).length, 1);
  await api.expect("DELETE", `${collection}?labelSelector=test%3Dlife`);
  await watch.next("the deletion", ({ type }) => type === "DELETED");
  await eventually("its pods are orphans, as this oldest of kinds has it", async () => {
    const pods = await podsOf(scene, "living");
    return pods.length === 2 && pods.every((pod) => controllerOf(pod) === undefined);
  });
}

export const replicationControllers: Readonly<Record<string, Conformance>> = {
  "ReplicationController should adopt matching pods on creation": adopt,
  "ReplicationController should get and update a ReplicationController scale": async (scene) => {
    await scene.api.create(scene.core("replicationcontrollers"), controller("sized", 1));
    await podsReady(scene, "sized", 1);
    await scaleEndpoints(scene, scene.core("replicationcontrollers", "sized"));
  },
  "ReplicationController should release no longer matching pods": release,
  "ReplicationController should test the lifecycle of a ReplicationController": lifecycle,
};
