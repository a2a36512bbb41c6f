import assert from "node:assert/strict";
import {
  condition,
  controllerOf,
  hashOf,
  listAndDeleteCollection,
  objectAt,
  podsOf,
  podsReady,
  scaleEndpoints,
  statusEndpoints,
  templateOf,
  update,
  workload,
} from "./apps-objects.ts";
import { arrayAt, nameOf, pick, type Conformance, type Json, type Scene } from "./cluster.ts";
import { eventually } from "../eventually.ts";

const apps = "apps/v1";
const isComplete = (object: Json): boolean => {
  const { status, spec } = object as { status: Json; spec: Json };
  return (
    status.observedGeneration === pick(object, "metadata.generation") &&
    status.updatedReplicas === spec.replicas &&
    status.availableReplicas === spec.replicas &&
    status.replicas === spec.replicas
  );
};

const replicaSetsOf = async ({ api, at }: Scene, app: string): Promise<Json[]> =>
  arrayAt(await api.get(`${at(apps, "replicasets")}?labelSelector=app%3D${app}`));

async function recreate(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  const path = at(apps, "deployments", "whole");
  await api.create(
    at(apps, "deployments"),
    workload("Deployment", "whole", { replicas: 3, strategy: { type: "Recreate" } }),
  );
  await objectAt(scene, "the first rollout", path, isComplete);
  const listed = await api.get(`${core("pods")}?labelSelector=app%3Dwhole`);
  const live = new Map(arrayAt(listed).map((pod) => [nameOf(pod), hashOf(pod)]));
  const watch = await api.watch(
    `${core("pods")}?labelSelector=app%3Dwhole&resourceVersion=${String(pick(listed, "metadata.resourceVersion"))}`,
  );
  scene.cleanUp(() => watch.close());
  await api.patch(path, { spec: { template: templateOf("whole", { image: "example/second:2" }) } });
  let added = 0;
  await watch.next("three new pods", ({ type, object }) => {
    if (type === "DELETED") live.delete(nameOf(object));
    else live.set(nameOf(object), hashOf(object));
    if (type === "ADDED") added++;
    assert.ok(new Set(live.values()).size <= 1, "pods of two templates at the same time");
    return added === 3;
  });
  await objectAt(scene, "the second rollout", path, isComplete);
}

/** Ten pods with an update that hangs, then thirty: both ReplicaSets grow in proportion. */
async function proportionalScaling(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(apps, "deployments", "spread");
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
  await api.create(at(apps, "deployments"), workload("Deployment", "spread", { replicas: 10, strategy }));
  await objectAt(scene, "the first rollout", path, isComplete);
  await api.patch(path, { spec: { template: templateOf("spread", { gated: true }) } });
  const sizes = async (): Promise<unknown[]> => {
    const sets = await replicaSetsOf(scene, "spread");
    const byRevision = sets.map(
      (set) => [pick(set, "metadata.annotations") as Json, pick(set, "spec.replicas")] as const,
    );
    return byRevision
      .sort(
        ([a], [b]) => Number(a["deployment.kubernetes.io/revision"]) - Number(b["deployment.kubernetes.io/revision"]),
      )
      .map(([, size]) => size);
  };
  const sizesBecome = (wanted: number[]): Promise<true> =>
    eventually(
      `ReplicaSets of ${wanted.join(" and ")}`,
      async () => JSON.stringify(await sizes()) === JSON.stringify(wanted) && true,
    );
  await sizesBecome([8, 5]);
  await objectAt(
    scene,
    "the hanging update is seen",
    path,
    (object) => pick(object, "status.availableReplicas") === 8 && pick(object, "status.updatedReplicas") === 5,
  );
  await api.patch(`${path}/scale`, { spec: { replicas: 30 } });
  await sizesBecome([20, 13]);
}

/** A Deployment adopts an older ReplicaSet, starts an update that hangs, and is overtaken by the next. */
async function rollover(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(apps, "deployments", "overtaken");
  await api.create(
    at(apps, "replicasets"),
    workload(
      "ReplicaSet",
      "earlier",
      { replicas: 1, selector: { matchLabels: { app: "overtaken" } }, template: templateOf("overtaken") },
      {},
      { app: "overtaken" },
    ),
  );
  await podsReady(scene, "overtaken", 1);
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  await api.create(
    at(apps, "deployments"),
    workload(
      "Deployment",
      "overtaken",
      { replicas: 1, strategy, minReadySeconds: 1 },
      { gated: true, image: "example/hangs:1" },
    ),
  );
  await eventually("the update hangs beside the adopted ReplicaSet", async () => {
    const sets = await replicaSetsOf(scene, "overtaken");
    return (
      sets.length === 2 &&
      sets.every((set) => controllerOf(set)?.name === "overtaken" && pick(set, "status.replicas") === 1)
    );
  });
  await api.patch(path, { spec: { template: templateOf("overtaken", { image: "example/good:1" }).valueOf() } });
  await api.patch(path, { spec: { template: { spec: { readinessGates: null } } } });
  await objectAt(scene, "the last update is complete", path, isComplete);
  const sets = await eventually("old ReplicaSets are empty", async () => {
    const found = await replicaSetsOf(scene, "overtaken");
    return found.filter((set) => pick(set, "status.replicas") === 0).length === found.length - 1 && found;
  });
  const pods = await podsOf(scene, "overtaken");
  const current = sets.find((set) => pick(set, "spec.replicas") === 1);
  assert.equal(pick(current, "spec.template.spec.containers.0.image"), "example/good:1");
  assert.deepEqual(
    pods.map((pod) => pick(pod, "spec.containers.0.image")),
    ["example/good:1"],
  );
}

async function deploymentStatus(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(apps, "deployments", "told");
  await api.create(at(apps, "deployments"), workload("Deployment", "told", { replicas: 1 }));
  const settled = await objectAt(scene, "the rollout", path, isComplete);
  assert.equal(condition(settled, "Available")?.status, "True");
  await statusEndpoints(scene, path);
}

async function scaled(scene: Scene, kind: string, resource: string): Promise<void> {
  const { api, at } = scene;
  const path = at(apps, resource, "sized");
  await api.create(at(apps, resource), workload(kind, "sized", { replicas: 1 }));
  await objectAt(scene, "one replica", path, (object) => pick(object, "status.readyReplicas") === 1);
  await scaleEndpoints(scene, path);
}

async function adoptAndRelease(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  await api.create(core("pods"), {
    apiVersion: "v1",
    kind: "Pod",
    ...templateOf("adopted"),
    metadata: { name: "orphan", labels: { app: "adopted" } },
  });
  // As in the published suite the pod runs before its owner comes: watches of two resources promise no common order.
  await podsReady(scene, "adopted", 1);
  await api.create(at(apps, "replicasets"), workload("ReplicaSet", "adopted", { replicas: 1 }));
  await objectAt(
    scene,
    "the orphan is adopted",
    core("pods", "orphan"),
    (pod) => controllerOf(pod)?.kind === "ReplicaSet",
  );
  assert.equal((await podsOf(scene, "adopted")).length, 1, "no other pod was made");
  await api.patch(core("pods", "orphan"), { metadata: { labels: { app: "elsewhere" } } });
  await objectAt(scene, "the pod is released", core("pods", "orphan"), (pod) => controllerOf(pod) === undefined);
  await podsReady(scene, "adopted", 1);
}

async function replaceAndPatch(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(apps, "replicasets", "grown");
  await api.create(at(apps, "replicasets"), workload("ReplicaSet", "grown", { replicas: 1 }));
  const replicas = (count: number): Promise<Json> =>
    objectAt(
      scene,
      `${count} replicas`,
      path,
      ({ status }) => (status as Json).readyReplicas === count && (status as Json).availableReplicas === count,
    );
  await replicas(1);
  await update(scene, path, (object) => ((object.spec as Json).replicas = 2));
  await replicas(2);
  await api.patch(path, { metadata: { labels: { patched: "yes" } }, spec: { replicas: 3 } }, "strategic-merge");
  assert.equal(pick(await replicas(3), "metadata.labels.patched"), "yes");
}

export const deployments: Readonly<Record<string, Conformance>> = {
  "Deployment Deployment should have a working scale subresource": (scene) =>
    scaled(scene, "Deployment", "deployments"),
  "Deployment RecreateDeployment should delete old pods and create new ones": recreate,
  "Deployment deployment should support proportional scaling": proportionalScaling,
  "Deployment deployment should support rollover": rollover,
  "Deployment should validate Deployment Status endpoints": deploymentStatus,
  "ReplicaSet Replace and Patch tests": replaceAndPatch,
  "ReplicaSet Replicaset should have a working scale subresource": (scene) =>
    scaled(scene, "ReplicaSet", "replicasets"),
  "ReplicaSet should adopt matching pods on creation and release no longer matching pods": adoptAndRelease,
  "ReplicaSet should list and delete a collection of ReplicaSets": (scene) =>
    listAndDeleteCollection(scene, scene.at(apps, "replicasets"), (name, labels) =>
      workload("ReplicaSet", name, { replicas: 1 }, {}, labels),
    ),
  "ReplicaSet should validate Replicaset Status endpoints": async (scene) => {
    await scene.api.create(scene.at(apps, "replicasets"), workload("ReplicaSet", "told", { replicas: 1 }));
    await podsReady(scene, "told", 1);
    await statusEndpoints(scene, scene.at(apps, "replicasets", "told"));
  },
};
