import assert from "node:assert/strict";
import { arrayAt, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { template } from "./workloads.ts";
import { eventually } from "../eventually.ts";

async function createQuota({ api, core }: Scene, hard: Json, name = "test-quota", labels: Json = {}): Promise<void> {
  await api.create(core("resourcequotas"), { metadata: { name, labels }, spec: { hard } });
  await usedBecomes({ api, core }, Object.fromEntries(Object.keys(hard).map((key) => [key, undefined])), name);
}

/** Waits until the quota counts this; undefined: any number. */
async function usedBecomes({ api, core }: Pick<Scene, "api" | "core">, used: Json, name = "test-quota"): Promise<void> {
  await eventually(`the quota to count ${JSON.stringify(used)}`, async () => {
    const status = (await api.get(core("resourcequotas", name))).status as Json | undefined;
    const counted = (status?.used ?? {}) as Json;
    return Object.entries(used).every(([key, value]) =>
      value === undefined ? counted[key] !== undefined : counted[key] === value,
    );
  });
}

async function status({ api, core }: Scene): Promise<void> {
  await api.create(core("resourcequotas"), {
    metadata: { name: "q" },
    spec: { hard: { cpu: "500m", memory: "500Mi" } },
  });
  await eventually(
    "the status to be counted",
    async () => pick(await api.get(core("resourcequotas", "q")), "status.hard.cpu") === "500m",
  );
  const path = `${core("resourcequotas", "q")}/status`;
  const updated = await eventually("the update of the status", async () => {
    const current = await api.get(path);
    const answer = await api.request("PUT", path, { ...current, status: { hard: { cpu: "600m", memory: "600Mi" } } });
    return answer.status === 200 && answer.body;
  });
  assert.equal(pick(updated, "spec.hard.cpu"), "500m");
  assert.equal(pick(updated, "status.hard.cpu"), "600m");
  const patched = await api.patch(path, { spec: { hard: { cpu: "1" } }, status: { hard: { cpu: "700m" } } });
  assert.equal(pick(patched, "spec.hard.cpu"), "500m");
  assert.equal(pick(patched, "status.hard.cpu"), "700m");
  await eventually(
    "the controller to put it right",
    async () => pick(await api.get(core("resourcequotas", "q")), "status.hard.cpu") === "500m",
  );
}

async function updateAndDelete({ api, core }: Scene): Promise<void> {
  const path = core("resourcequotas", "q");
  const made = await api.create(core("resourcequotas"), {
    metadata: { name: "q" },
    spec: { hard: { cpu: "1", memory: "500Mi" } },
  });
  assert.deepEqual(pick(made, "spec.hard"), { cpu: "1", memory: "500Mi" });
  await eventually("the update", async () => {
    const current = await api.get(path);
    return (await api.request("PUT", path, { ...current, spec: { hard: { cpu: "2", memory: "1Gi" } } })).status === 200;
  });
  assert.deepEqual(pick(await api.get(path), "spec.hard"), { cpu: "2", memory: "1Gi" });
  await api.expect("DELETE", path);
  assert.equal((await api.request("GET", path)).status, 404);
}

async function replicaSet(scene: Scene): Promise<void> {
  const { api, at } = scene;
  await createQuota(scene, { "count/replicasets.apps": "5" });
  await usedBecomes(scene, { "count/replicasets.apps": "0" });
  await api.create(at("apps/v1", "replicasets"), {
    metadata: { name: "counted" },
    spec: { replicas: 0, ...template("counted") },
  });
  await usedBecomes(scene, { "count/replicasets.apps": "1" });
  await api.expect("DELETE", at("apps/v1", "replicasets", "counted"));
  await usedBecomes(scene, { "count/replicasets.apps": "0" });
}

async function secret(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const make = (name: string): Json => ({ metadata: { name }, stringData: { a: "b" } });
  await api.create(core("secrets"), make("earlier"));
  await createQuota(scene, { secrets: "2", configmaps: "9" });
  await usedBecomes(scene, { secrets: "1" });
  const { configmaps } = pick(await api.get(core("resourcequotas", "test-quota")), "status.used") as Json;
  const counted = await api.create(core("secrets"), make("counted"));
  await usedBecomes(scene, { secrets: "2", configmaps });
  const excess = await api.request("POST", core("secrets"), make("excess"));
  assert.equal(excess.status, 403);
  assert.match(
    String(excess.body.message),
    /exceeded quota: test-quota, requested: secrets=1, used: secrets=2, limited: secrets=2/,
  );
  await api.expect("PUT", core("secrets", "counted"), { ...counted, stringData: { a: "c" } });
  await usedBecomes(scene, { secrets: "2" });
  await api.expect("DELETE", core("secrets", "counted"));
  await usedBecomes(scene, { secrets: "1", configmaps });
  assert.equal((await api.request("POST", core("secrets"), make("excess"))).status, 201, "there is room again");
}

async function service(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const make = (name: string, type: string): Json => ({
    metadata: { name },
    spec: { type, ports: [{ port: 80 }], selector: { a: "b" } },
  });
  await createQuota(scene, { services: "3", "services.nodeports": "1", "services.loadbalancers": "1" });
  await usedBecomes(scene, { services: "0" });
  await api.create(core("services"), make("plain", "ClusterIP"));
  await api.create(core("services"), make("open", "NodePort"));
  await usedBecomes(scene, { services: "2", "services.nodeports": "1", "services.loadbalancers": "0" });
  const excess = await api.request("POST", core("services"), make("balanced", "LoadBalancer"));
  assert.equal(excess.status, 403);
  assert.match(String(excess.body.message), /exceeded quota: test-quota/);
  assert.equal((await api.request("POST", core("services"), make("again", "NodePort"))).status, 403);
  await api.expect("DELETE", core("services", "plain"));
  await api.expect("DELETE", core("services", "open"));
  await usedBecomes(scene, { services: "0", "services.nodeports": "0" });
}

async function life({ api, core, namespace }: Scene): Promise<void> {
  const label = `quota-${unique()}`;
  const selector = `labelSelector=${label}%3Dtrue`;
  await api.create(core("resourcequotas"), {
    metadata: { name: "q", labels: { [label]: "true" } },
    spec: { hard: { cpu: "300m", memory: "300Mi" } },
  });
  const [listed] = arrayAt(await api.get(`/api/v1/resourcequotas?${selector}`));
  assert.equal(pick(listed, "metadata.namespace"), namespace);
  const patched = await api.patch(core("resourcequotas", "q"), {
    metadata: { labels: { patched: "yes" } },
    spec: { hard: { memory: "750Mi" } },
  });
  assert.equal(pick(patched, "spec.hard.memory"), "750Mi");
  await api.expect("DELETE", `${core("resourcequotas")}?${selector}`);
  assert.equal(arrayAt(await api.get(`/api/v1/resourcequotas?${selector}`)).length, 0);
}

async function statusIsPrompt({ api, core }: Scene): Promise<void> {
  await api.create(core("resourcequotas"), {
    metadata: { name: "q" },
    spec: { hard: { pods: "5", "count/configmaps": "10" } },
  });
  const counted = await eventually("hard and used", async () => {
    const found = await api.get(core("resourcequotas", "q"));
    return pick(found, "status.used.pods") !== undefined && found;
  });
  assert.deepEqual(pick(counted, "status.hard"), { pods: "5", "count/configmaps": "10" });
}

export const quotas: Readonly<Record<string, Conformance>> = {
  "ResourceQuota should apply changes to a resourcequota status": status,
  "ResourceQuota should be able to update and delete ResourceQuota.": updateAndDelete,
  "ResourceQuota should create a ResourceQuota and capture the life of a replica set.": replicaSet,
  "ResourceQuota should create a ResourceQuota and capture the life of a secret.": secret,
  "ResourceQuota should create a ResourceQuota and capture the life of a service.": service,
  "ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated.": statusIsPrompt,
  "ResourceQuota should manage the lifecycle of a ResourceQuota": life,
};
