import assert from "node:assert/strict";
import {
  gone,
  hashOf,
  imageOf,
  isReady,
  isTerminating,
  listAndDeleteCollection,
  never,
  objectAt,
  podsOf,
  podsReady,
  scaleEndpoints,
  setReady,
  templateOf,
  workload,
} from "./apps-objects.ts";
import { arrayAt, nameOf, pick, type Conformance, type Json, type Scene } from "./cluster.ts";
import { eventually } from "../eventually.ts";

const apps = "apps/v1";
const basic = "StatefulSet Basic StatefulSet functionality [StatefulSetBasic]";
const names = async (scene: Scene, app: string): Promise<string[]> => (await podsOf(scene, app)).map(nameOf).sort();
const namesBecome = (scene: Scene, app: string, wanted: string[]): Promise<true> =>
  eventually(
    `pods ${wanted.join(", ") || "are gone"}`,
    async () => (await names(scene, app)).join() === wanted.join() && true,
  );
const scale = ({ api, at }: Scene, name: string, replicas: number): Promise<Json> =>
  api.patch(`${at(apps, "statefulsets", name)}/scale`, { spec: { replicas } });

async function burst(scene: Scene): Promise<void> {
  const { api, at } = scene;
  await api.create(
    at(apps, "statefulsets"),
    workload("StatefulSet", "burst", { replicas: 1, podManagementPolicy: "Parallel" }, { gated: true }),
  );
  await namesBecome(scene, "burst", ["burst-0"]);
  await scale(scene, "burst", 3);
  await namesBecome(scene, "burst", ["burst-0", "burst-1", "burst-2"]);
  assert.ok(
    (await podsOf(scene, "burst")).every((pod) => !isReady(pod)),
    "all are unhealthy",
  );
  await scale(scene, "burst", 0);
  await namesBecome(scene, "burst", []);
}

async function predictableOrder(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  const watch = await api.watch(`${core("pods")}?labelSelector=app%3Dordered`);
  scene.cleanUp(() => watch.close());
  await api.create(at(apps, "statefulsets"), workload("StatefulSet", "ordered", { replicas: 3 }, { gated: true }));
  await namesBecome(scene, "ordered", ["ordered-0"]);
  await objectAt(
    scene,
    "the first pod runs",
    core("pods", "ordered-0"),
    (pod) => pick(pod, "status.phase") === "Running",
  );
  await never("no second pod beside an unready one", async () => (await names(scene, "ordered")).length > 1);
  await setReady(scene, "ordered-0", true);
  await namesBecome(scene, "ordered", ["ordered-0", "ordered-1"]);
  await setReady(scene, "ordered-1", true);
  await namesBecome(scene, "ordered", ["ordered-0", "ordered-1", "ordered-2"]);
  await setReady(scene, "ordered-2", true);
  await podsReady(scene, "ordered", 3);

  await setReady(scene, "ordered-0", false);
  await objectAt(
    scene,
    "the damage is seen",
    at(apps, "statefulsets", "ordered"),
    (set) => pick(set, "status.readyReplicas") === 2,
  );
  await scale(scene, "ordered", 0);
  await never(
    "no scale-down beside an unready pod",
    async () => (await podsOf(scene, "ordered")).filter((pod) => !isTerminating(pod)).length < 2,
  );
  await setReady(scene, "ordered-0", true);
  const deleted: string[] = [];
  await watch.next("all are deleted", ({ type, object }) => {
    if (type === "DELETED") deleted.push(nameOf(object));
    return deleted.length === 3;
  });
  assert.deepEqual(deleted, ["ordered-2", "ordered-1", "ordered-0"]);
}

/** The port of the set's pod is taken on its node: the pod fails there, and comes back under its name when the port is free. */
async function recreateEvicted(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  const nodeName = nameOf(arrayAt(await api.get("/api/v1/nodes"))[0]);
  const ports = [{ containerPort: 21017, hostPort: 21017 }];
  const spec = {
    nodeName,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image: "example/web:1", ports }],
  };
  await api.create(core("pods"), { apiVersion: "v1", kind: "Pod", metadata: { name: "first" }, spec });
  await objectAt(scene, "the first pod runs", core("pods", "first"), (pod) => pick(pod, "status.phase") === "Running");
  const watch = await api.watch(`${core("pods")}?fieldSelector=metadata.name%3Devicted-0`);
  scene.cleanUp(() => watch.close());
  await api.create(at(apps, "statefulsets"), workload("StatefulSet", "evicted", { replicas: 1 }, { spec }));
  const failed = await watch.next("the pod fails", ({ object }) => pick(object, "status.phase") === "Failed");
  await watch.next("it is deleted", ({ type }) => type === "DELETED");
  await watch.next("it is made again", ({ type }) => type === "ADDED");
  await api.expect("DELETE", core("pods", "first"));
  const running = await objectAt(
    scene,
    "the pod runs",
    core("pods", "evicted-0"),
    (pod) => pick(pod, "status.phase") === "Running",
  );
  assert.notEqual(pick(running, "metadata.uid"), pick(failed.object, "metadata.uid"));
}

const partition = ({ api, at }: Scene, name: string, value: number): Promise<Json> =>
  api.patch(at(apps, "statefulsets", name), {
    spec: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: value } } },
  });

const images = async (scene: Scene, app: string): Promise<unknown[]> =>
  (await podsOf(scene, app)).sort((a, b) => nameOf(a).localeCompare(nameOf(b))).map(imageOf);

async function imagesBecome(scene: Scene, app: string, wanted: string[]): Promise<void> {
  await eventually(`images ${wanted.join(", ")}`, async () => {
    const pods = await podsOf(scene, app);
    return (
      pods.length === wanted.length &&
      pods.every((pod) => isReady(pod) && !isTerminating(pod)) &&
      (await images(scene, app)).join() === wanted.join()
    );
  });
}

async function canaryAndPhased(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  const path = at(apps, "statefulsets", "phased");
  const updateStrategy = { type: "RollingUpdate", rollingUpdate: { partition: 3 } };
  await api.create(
    at(apps, "statefulsets"),
    workload("StatefulSet", "phased", { replicas: 3, updateStrategy }, { image: "old" }),
  );
  await podsReady(scene, "phased", 3);
  await api.patch(path, { spec: { template: templateOf("phased", { image: "new" }) } });
  const changed = await objectAt(
    scene,
    "two revisions",
    path,
    ({ status }) => (status as Json).currentRevision !== (status as Json).updateRevision,
  );
  await never("nothing is updated while the partition is beyond the last", async () =>
    (await images(scene, "phased")).includes("new"),
  );

  await partition(scene, "phased", 2);
  await imagesBecome(scene, "phased", ["old", "old", "new"]);
  for (const name of ["phased-0", "phased-2"]) {
    const uid = pick(await api.get(core("pods", name)), "metadata.uid");
    await api.expect("DELETE", core("pods", name));
    await objectAt(
      scene,
      `${name} comes back`,
      core("pods", name),
      (pod) => pick(pod, "metadata.uid") !== uid && isReady(pod),
    );
  }
  await imagesBecome(scene, "phased", ["old", "old", "new"]);
  const { currentRevision, updateRevision } = changed.status as Json;
  const revisions = (await podsOf(scene, "phased")).sort((a, b) => nameOf(a).localeCompare(nameOf(b))).map(hashOf);
  assert.deepEqual(revisions, [currentRevision, currentRevision, updateRevision]);

  await partition(scene, "phased", 1);
  await imagesBecome(scene, "phased", ["old", "new", "new"]);
  await partition(scene, "phased", 0);
  await imagesBecome(scene, "phased", ["new", "new", "new"]);
  await objectAt(
    scene,
    "one revision",
    path,
    ({ status }) => (status as Json).currentRevision === updateRevision && (status as Json).updatedReplicas === 3,
  );
}

async function updateAndRollBack(scene: Scene): Promise<void> {
  const { api, at, core } = scene;
  const path = at(apps, "statefulsets", "rolled");
  await api.create(at(apps, "statefulsets"), workload("StatefulSet", "rolled", { replicas: 3 }, { image: "old" }));
  await podsReady(scene, "rolled", 3);
  const settled = (image: string): Promise<Json> =>
    objectAt(scene, `all have ${image}`, path, ({ status, spec }) => {
      const { currentRevision, updateRevision, readyReplicas, currentReplicas } = status as Json;
      return (
        pick(spec, "template.spec.containers.0.image") === image &&
        currentRevision === updateRevision &&
        readyReplicas === 3 &&
        currentReplicas === 3
      );
    });
  const first = pick(await settled("old"), "status.updateRevision");
  const roll = async (image: string): Promise<unknown> => {
    const version = String(pick(await api.get(core("pods")), "metadata.resourceVersion"));
    const watch = await api.watch(`${core("pods")}?labelSelector=app%3Drolled&resourceVersion=${version}`);
    await api.patch(path, { spec: { template: templateOf("rolled", { image }) } });
    await imagesBecome(scene, "rolled", [image, image, image]);
    const order: string[] = [];
    await watch.next("three replacements", ({ type, object }) => {
      if (type === "ADDED") order.push(nameOf(object));
      return order.length === 3;
    });
    watch.close();
    assert.deepEqual(order, ["rolled-2", "rolled-1", "rolled-0"]);
    return pick(
      await eventually("one revision", async () => {
        const set = await api.get(path);
        return pick(set, "status.currentRevision") === pick(set, "status.updateRevision") && set;
      }),
      "status.updateRevision",
    );
  };
  assert.notEqual(await roll("new"), first);
  assert.equal(await roll("old"), first, "the earlier revision is used again");
  const revisions = arrayAt(await api.get(`${at(apps, "controllerrevisions")}?labelSelector=app%3Drolled`));
  assert.deepEqual(revisions.map(({ revision }) => revision).sort(), [2, 3]);
}

export const statefulSets: Readonly<Record<string, Conformance>> = {
  [`${basic} Burst scaling should run to completion even with unhealthy pods [Slow]`]: burst,
  [`${basic} Scaling should happen in predictable order and halt if any stateful pod is unhealthy [Slow]`]:
    predictableOrder,
  [`${basic} Should recreate evicted statefulset`]: recreateEvicted,
  [`${basic} should have a working scale subresource`]: async (scene) => {
    await scene.api.create(scene.at(apps, "statefulsets"), workload("StatefulSet", "sized", { replicas: 1 }));
    await podsReady(scene, "sized", 1);
    await scaleEndpoints(scene, scene.at(apps, "statefulsets", "sized"));
  },
  [`${basic} should list, patch and delete a collection of StatefulSets`]: async (scene) => {
    const path = scene.at(apps, "statefulsets", "other");
    await listAndDeleteCollection(scene, scene.at(apps, "statefulsets"), (name, labels) =>
      workload("StatefulSet", name, { replicas: 1 }, {}, labels),
    );
    await scene.api.patch(path, {
      metadata: { labels: { patched: "yes" } },
      spec: { replicas: 2, template: { spec: { terminationGracePeriodSeconds: 1 } } },
    });
    await objectAt(scene, "the patch is followed", path, ({ status }) => (status as Json).readyReplicas === 2);
    await scene.api.expect("DELETE", `${scene.at(apps, "statefulsets")}?labelSelector=patched%3Dyes`);
    await gone(scene, path);
  },
  [`${basic} should perform canary updates and phased rolling updates of template modifications`]: canaryAndPhased,
  [`${basic} should perform rolling updates and roll backs of template modifications`]: updateAndRollBack,
};
