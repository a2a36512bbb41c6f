import assert from "node:assert/strict";
import { gone, objectAt, podsReady, update, workload } from "./apps-objects.ts";
import { arrayAt, nameOf, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";

const policy = "policy/v1";

function budget(name: string, app: string, minAvailable: number, labels: Json = {}): Json {
  return {
    apiVersion: policy,
    kind: "PodDisruptionBudget",
    metadata: { name, labels },
    spec: { minAvailable, selector: { matchLabels: { app } } },
  };
}

const allows = (scene: Scene, name: string, disruptionsAllowed: number): Promise<Json> =>
  objectAt(
    scene,
    `${disruptionsAllowed} disruptions allowed`,
    scene.at(policy, "poddisruptionbudgets", name),
    (object) => {
      const status = object.status as Json;
      return (
        status.disruptionsAllowed === disruptionsAllowed &&
        status.observedGeneration === pick(object, "metadata.generation")
      );
    },
  );

async function listAll(scene: Scene): Promise<void> {
  const { api, at, cleanUp } = scene;
  const other = `other-${unique()}`;
  await api.create("/api/v1/namespaces", { metadata: { name: other } });
  cleanUp(() => api.request("DELETE", `/api/v1/namespaces/${other}`));
  const label = unique();
  for (const name of ["one", "two", "three"])
    await api.create(at(policy, "poddisruptionbudgets"), budget(name, name, 1, { label }));
  await api.create(`/apis/policy/v1/namespaces/${other}/poddisruptionbudgets`, budget("four", "four", 1, { label }));
  const everywhere = async (): Promise<string[]> =>
    arrayAt(await api.get(`/apis/policy/v1/poddisruptionbudgets?labelSelector=label%3D${label}`))
      .map(nameOf)
      .sort();
  assert.deepEqual(await everywhere(), ["four", "one", "three", "two"]);
  await api.expect("DELETE", `${at(policy, "poddisruptionbudgets")}?labelSelector=label%3D${label}`);
  assert.deepEqual(await everywhere(), ["four"]);
}

async function createChangeDelete(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(policy, "poddisruptionbudgets", "kept");
  await api.create(at("apps/v1", "replicasets"), workload("ReplicaSet", "kept", { replicas: 3 }));
  await podsReady(scene, "kept", 3);
  await api.create(at(policy, "poddisruptionbudgets"), budget("kept", "kept", 3));
  await allows(scene, "kept", 0);
  await update(scene, path, (object) => ((object.spec as Json).minAvailable = 2));
  await allows(scene, "kept", 1);
  await api.patch(path, { spec: { minAvailable: 1 } });
  await allows(scene, "kept", 2);
  await api.expect("DELETE", path);
  await gone(scene, path);
}

async function statusFollows(scene: Scene): Promise<void> {
  const { api, at } = scene;
  await api.create(at(policy, "poddisruptionbudgets"), budget("seen", "seen", 1));
  await allows(scene, "seen", 0);
  await api.create(at("apps/v1", "replicasets"), workload("ReplicaSet", "seen", { replicas: 2 }));
  const { status } = await allows(scene, "seen", 1);
  const { currentHealthy, desiredHealthy, expectedPods } = status as Json;
  assert.deepEqual(
    { currentHealthy, desiredHealthy, expectedPods },
    { currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
  );
}

export const budgets: Readonly<Record<string, Conformance>> = {
  "DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets":
    listAll,
  "DisruptionController should create a PodDisruptionBudget": createChangeDelete,
  "DisruptionController should observe PodDisruptionBudget status updated": statusFollows,
};
