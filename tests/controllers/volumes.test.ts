/** Claims and volumes against a running cluster: nothing of the program is imported. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { condition, gone, never, objectAt, podsReady, workload } from "../conformance/apps-objects.ts";
import {
  arrayAt,
  nameOf,
  pick,
  startSuite,
  unique,
  type Conformance,
  type Json,
  type Scene,
} from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const request = (storage: string, spec: Json = {}): Json => ({
  accessModes: ["ReadWriteOnce"],
  resources: { requests: { storage } },
  ...spec,
});

const claim = (name: string, storage = "1Gi", spec: Json = {}): Json => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name },
  spec: request(storage, spec),
});

const using = (name: string, claimName: string, spec: Json = {}): Json =>
  pod(name, {
    containers: [{ name: "main", image: "example/db:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
    volumes: [{ name: "data", persistentVolumeClaim: { claimName } }],
    ...spec,
  });

const bound = (scene: Scene, name: string): Promise<Json> =>
  objectAt(
    scene,
    `${name} is bound`,
    scene.core("persistentvolumeclaims", name),
    (object) => pick(object, "status.phase") === "Bound",
  );

const running = (scene: Scene, name: string): Promise<Json> =>
  objectAt(scene, `${name} runs`, scene.core("pods", name), (object) => pick(object, "status.phase") === "Running");

/** A volume by hand, on one node where a node is named. */
async function volume(
  scene: Scene,
  storageClassName: string,
  storage: string,
  node?: string,
  more: Json = {},
): Promise<string> {
  const { api, cleanUp } = scene;
  const name = `volume-${unique()}`;
  const terms = [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] }];
  const nodeAffinity = node === undefined ? {} : { nodeAffinity: { required: { nodeSelectorTerms: terms } } };
  const spec = {
    capacity: { storage },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: `/data/${name}` },
    storageClassName,
  };
  await api.create("/api/v1/persistentvolumes", {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: { ...spec, ...nodeAffinity, ...more },
  });
  const path = `/api/v1/persistentvolumes/${name}`;
  cleanUp(() => api.request("DELETE", path));
  await objectAt(scene, "it is available", path, (object) => pick(object, "status.phase") === "Available");
  return name;
}

const stories: Readonly<Record<string, Conformance>> = {
  "a claim waits for its first pod, gets a folder of that pod's node, and all later pods go there": async (scene) => {
    const { api, core } = scene;
    await api.create(core("persistentvolumeclaims"), claim("data"));
    await never("no volume without a pod", async () => (await bindingOf(scene, "data")) !== undefined, 500);
    await api.create(core("pods"), using("first", "data"));
    const first = await running(scene, "first");
    const name = await bindingOf(scene, "data");
    const made = await api.get(`/api/v1/persistentvolumes/${name}`);
    const path = "spec.nodeAffinity.required.nodeSelectorTerms.0.matchExpressions.0.values.0";
    assert.equal(pick(made, path), pick(first, "spec.nodeName"));
    assert.equal(pick(made, "status.phase"), "Bound");
    for (const later of ["second", "third"]) {
      await api.create(core("pods"), using(later, "data"));
      assert.equal(pick(await running(scene, later), "spec.nodeName"), pick(first, "spec.nodeName"));
    }
  },
  "a claim that a pod uses stays until the pod is gone; then claim, volume and folder go": async (scene) => {
    const { api, core } = scene;
    await api.create(core("persistentvolumeclaims"), claim("data"));
    await api.create(core("pods"), using("user", "data"));
    await running(scene, "user");
    const name = await bindingOf(scene, "data");
    await api.expect("DELETE", core("persistentvolumeclaims", "data"));
    await never(
      "it does not go yet",
      async () => (await api.request("GET", core("persistentvolumeclaims", "data"))).status === 404,
    );
    await api.expect("DELETE", core("pods", "user"));
    await gone(scene, core("persistentvolumeclaims", "data"));
    await gone(scene, `/api/v1/persistentvolumes/${name}`);
  },
  "a bound claim grows": async (scene) => {
    const { api, core } = scene;
    await api.create(core("persistentvolumeclaims"), claim("data"));
    await api.create(core("pods"), using("user", "data"));
    await bound(scene, "data");
    await api.patch(core("persistentvolumeclaims", "data"), { spec: { resources: { requests: { storage: "3Gi" } } } });
    const isGrown = (object: Json): boolean => pick(object, "status.capacity.storage") === "3Gi";
    await objectAt(scene, "the claim has grown", core("persistentvolumeclaims", "data"), isGrown);
  },
  "the smallest volume that suits is taken, once, and is released but kept when its claim goes": async (scene) => {
    const { api, core } = scene;
    const className = `by-hand-${unique()}`;
    await volume(scene, className, "10Gi");
    const small = await volume(scene, className, "2Gi");
    await volume(scene, className, "1Gi");
    await api.create(core("persistentvolumeclaims"), claim("a", "2Gi", { storageClassName: className }));
    await bound(scene, "a");
    assert.equal(await bindingOf(scene, "a"), small);
    await api.create(core("persistentvolumeclaims"), claim("b", "20Gi", { storageClassName: className }));
    await never("nothing is large enough", async () => (await bindingOf(scene, "b")) !== undefined, 500);
    await api.expect("DELETE", core("persistentvolumeclaims", "a"));
    const path = `/api/v1/persistentvolumes/${small}`;
    await objectAt(scene, "it is released", path, (object) => pick(object, "status.phase") === "Released");
    await api.create(core("persistentvolumeclaims"), claim("a", "2Gi", { storageClassName: className }));
    await bound(scene, "a");
    assert.notEqual(await bindingOf(scene, "a"), small, "a namesake does not get the old data");
  },
  "a volume that is kept for a claim goes to no other": async (scene) => {
    const { api, core, namespace } = scene;
    const className = `by-hand-${unique()}`;
    const kept = await volume(scene, className, "1Gi", undefined, { claimRef: { namespace, name: "late" } });
    await api.create(core("persistentvolumeclaims"), claim("early", "1Gi", { storageClassName: className }));
    await never("the other claim waits", async () => (await bindingOf(scene, "early")) !== undefined, 500);
    await api.create(core("persistentvolumeclaims"), claim("late", "1Gi", { storageClassName: className }));
    await bound(scene, "late");
    assert.equal(await bindingOf(scene, "late"), kept);
  },
  "of volumes by hand that wait for a pod, the pod's node decides": async (scene) => {
    const { api, core, cleanUp } = scene;
    const [, node] = arrayAt(await api.get("/api/v1/nodes")).map(nameOf);
    const className = `local-by-hand-${unique()}`;
    const storageClass = {
      metadata: { name: className },
      provisioner: "kubernetes.io/no-provisioner",
      volumeBindingMode: "WaitForFirstConsumer",
    };
    await api.create("/apis/storage.k8s.io/v1/storageclasses", storageClass);
    cleanUp(() => api.request("DELETE", `/apis/storage.k8s.io/v1/storageclasses/${className}`));
    const there = await volume(scene, className, "1Gi", node);
    await api.create(core("persistentvolumeclaims"), claim("data", "1Gi", { storageClassName: className }));
    await api.create(core("pods"), using("user", "data"));
    assert.equal(pick(await running(scene, "user"), "spec.nodeName"), node);
    assert.equal(await bindingOf(scene, "data"), there);
    await api.create(core("persistentvolumeclaims"), claim("more", "1Gi", { storageClassName: className }));
    await api.create(core("pods"), using("waiting", "more"));
    const path = core("pods", "waiting");
    const refused = await objectAt(
      scene,
      "it waits",
      path,
      (object) => condition(object, "PodScheduled")?.status === "False",
    );
    assert.match(
      String(condition(refused, "PodScheduled")?.message),
      /3 node\(s\) didn't find available persistent volumes to bind/,
    );
    await volume(scene, className, "1Gi", node);
    await running(scene, "waiting");
  },
  "a pod whose claim does not exist says so and goes on when it comes": async (scene) => {
    const { api, core } = scene;
    await api.create(core("pods"), using("early", "data"));
    const path = core("pods", "early");
    const refused = await objectAt(
      scene,
      "it waits",
      path,
      (object) => condition(object, "PodScheduled")?.status === "False",
    );
    assert.match(String(condition(refused, "PodScheduled")?.message), /persistentvolumeclaim "data" not found/);
    await api.create(core("persistentvolumeclaims"), claim("data"));
    await running(scene, "early");
  },
  "one pod at a time uses a claim of ReadWriteOncePod": async (scene) => {
    const { api, core } = scene;
    await api.create(core("persistentvolumeclaims"), claim("data", "1Gi", { accessModes: ["ReadWriteOncePod"] }));
    await api.create(core("pods"), using("one", "data"));
    await running(scene, "one");
    await api.create(core("pods"), using("two", "data"));
    await objectAt(
      scene,
      "the second waits",
      core("pods", "two"),
      (object) => condition(object, "PodScheduled")?.status === "False",
    );
    await api.expect("DELETE", core("pods", "one"));
    await running(scene, "two");
  },
  "the claim of an ephemeral volume comes and goes with its pod": async (scene) => {
    const { api, core } = scene;
    const volumes = [{ name: "scratch", ephemeral: { volumeClaimTemplate: { spec: request("1Gi") } } }];
    await api.create(core("pods"), pod("user", { volumes }));
    await running(scene, "user");
    const made = await bound(scene, "user-scratch");
    assert.equal(pick(made, "metadata.ownerReferences.0.kind"), "Pod");
    await api.expect("DELETE", core("pods", "user"));
    await gone(scene, core("persistentvolumeclaims", "user-scratch"));
  },
  "a StatefulSet has a volume for each of its pods and keeps them": async (scene) => {
    const { api, at, core } = scene;
    const volumeClaimTemplates = [{ metadata: { name: "data" }, spec: request("1Gi") }];
    await api.create(
      at("apps/v1", "statefulsets"),
      workload("StatefulSet", "db", { replicas: 3, volumeClaimTemplates }),
    );
    const before = await podsReady(scene, "db", 3);
    const names = await Promise.all([0, 1, 2].map((ordinal) => bindingOf(scene, `data-db-${ordinal}`)));
    assert.equal(new Set(names).size, 3);
    await api.expect("DELETE", core("pods", "db-1"));
    const isNew = (object: Json): boolean =>
      pick(object, "metadata.uid") !==
      pick(
        before.find((one) => nameOf(one) === "db-1"),
        "metadata.uid",
      );
    const again = await objectAt(
      scene,
      "it runs again",
      core("pods", "db-1"),
      (object) => isNew(object) && pick(object, "status.phase") === "Running",
    );
    assert.equal(
      pick(again, "spec.nodeName"),
      pick(
        before.find((one) => nameOf(one) === "db-1"),
        "spec.nodeName",
      ),
    );
    assert.equal(await bindingOf(scene, "data-db-1"), names[1]);
  },
  "the claims of a StatefulSet grow when it asks for it, those of later pods too": async (scene) => {
    const { api, at, core } = scene;
    const path = at("apps/v1", "statefulsets", "grown");
    const volumeClaimTemplates = [{ metadata: { name: "data" }, spec: request("1Gi") }];
    await api.create(
      at("apps/v1", "statefulsets"),
      workload("StatefulSet", "grown", { replicas: 1, volumeClaimTemplates }),
    );
    await podsReady(scene, "grown", 1);
    await api.patch(path, { metadata: { annotations: { "steersman.dev/claim-sizes": "data=4Gi" } } });
    await api.patch(`${path}/scale`, { spec: { replicas: 2 } });
    for (const name of ["data-grown-0", "data-grown-1"]) {
      const isGrown = (object: Json): boolean => pick(object, "status.capacity.storage") === "4Gi";
      await objectAt(scene, `${name} has grown`, core("persistentvolumeclaims", name), isGrown);
    }
    await api.patch(path, { metadata: { annotations: { "steersman.dev/claim-sizes": "dat=5Gi,data=much" } } });
    const message = await eventually("what it cannot do is told", async () => {
      const events = arrayAt(await api.get(core("events")));
      return events.find(({ reason }) => reason === "InvalidClaimSizes")?.["message"];
    });
    assert.match(String(message), /no claim template "dat"; "much" is no size for "data"/);
  },
};

async function bindingOf({ api, core }: Scene, name: string): Promise<string | undefined> {
  const found = await api.get(core("persistentvolumeclaims", name));
  return pick(found, "spec.volumeName") as string | undefined;
}

describe("claims and volumes", { concurrency: 4 }, () => {
  for (const [name, story] of Object.entries(stories)) test(name, () => suite.play(story));
});

test("afterwards no volume that was made on demand is left", () =>
  suite.play(async ({ api }) => {
    await eventually("they are gone", async () => {
      const left = arrayAt(await api.get("/api/v1/persistentvolumes")).map(nameOf);
      return left.every((name) => !name.startsWith("pvc-"));
    });
  }));
