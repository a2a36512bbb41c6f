/** Objects and checks that the tests of workloads share. */
import assert from "node:assert/strict";
import { arrayAt, nameOf, pick, type Json, type Scene } from "./cluster.ts";
import { image } from "./workloads.ts";
import { eventually } from "../eventually.ts";

export const gate = "conformance.example/ready";
const revisionLabels = ["pod-template-hash", "controller-revision-hash"];

export interface PodOptions {
  /** Pods are not Ready until `setReady` says so. */
  readonly gated?: boolean;
  readonly image?: string;
  readonly annotations?: Json;
  readonly spec?: Json;
}

/** A pod template with the label app=NAME. */
export function templateOf(name: string, options: PodOptions = {}): Json {
  return {
    metadata: { labels: { app: name }, ...(options.annotations && { annotations: options.annotations }) },
    spec: {
      containers: [{ name: "main", image: options.image ?? image }],
      terminationGracePeriodSeconds: 0,
      ...(options.gated === true && { readinessGates: [{ conditionType: gate }] }),
      ...options.spec,
    },
  };
}

/** A Deployment, ReplicaSet, StatefulSet or DaemonSet whose pods bear app=NAME. */
export function workload(
  kind: string,
  name: string,
  spec: Json = {},
  options: PodOptions = {},
  labels: Json = {},
): Json {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, labels },
    spec: {
      selector: { matchLabels: { app: name } },
      template: templateOf(name, options),
      ...(kind === "StatefulSet" && { serviceName: name }),
      ...spec,
    },
  };
}

/** A Job whose simulated program ends by itself when `ends` says so: after that many milliseconds, with those exit codes. */
export function job(
  name: string,
  spec: Json,
  ends?: { readonly afterMs: number; readonly exitCode?: string },
  labels: Json = {},
): Json {
  const annotations = ends && {
    "simulated.steersman.dev/runs-for-ms": String(ends.afterMs),
    "simulated.steersman.dev/exit-code": ends.exitCode ?? "0",
  };
  const { restartPolicy = "Never", ...rest } = spec;
  const template = templateOf(name, { ...(annotations && { annotations }), spec: { restartPolicy } });
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name, labels }, spec: { template, ...rest } };
}

export async function podsOf({ api, core }: Scene, app: string): Promise<Json[]> {
  return arrayAt(await api.get(`${core("pods")}?labelSelector=app%3D${app}`));
}

export const isTerminating = (object: Json): boolean => pick(object, "metadata.deletionTimestamp") !== undefined;

export function isReady(pod: Json): boolean {
  return arrayAt(pod, "status.conditions").some(({ type, status }) => type === "Ready" && status === "True");
}

export function condition(object: Json, type: string): Json | undefined {
  return arrayAt(object, "status.conditions").find((candidate) => candidate.type === type);
}

export function controllerOf(object: Json): Json | undefined {
  return arrayAt(object, "metadata.ownerReferences").find(({ controller }) => controller === true);
}

export function imageOf(object: Json): unknown {
  return pick(object, "spec.containers.0.image") ?? pick(object, "spec.template.spec.containers.0.image");
}

export function hashOf(object: Json): unknown {
  const labels = pick(object, "metadata.labels") as Json;
  return revisionLabels.map((label) => labels[label]).find((value) => value !== undefined);
}

/** Waits until that many pods are Ready, none more and none on its way out. */
export function podsReady(scene: Scene, app: string, count: number): Promise<Json[]> {
  return eventually(`${count} ready pods of ${app}`, async () => {
    const pods = await podsOf(scene, app);
    return pods.length === count && pods.every((pod) => isReady(pod) && !isTerminating(pod)) && pods;
  });
}

/** Waits until an object looks as wanted. */
export function objectAt(
  scene: Scene,
  what: string,
  path: string,
  wanted: (object: Json) => boolean,
  limitMs?: number,
): Promise<Json> {
  return eventually(
    what,
    async () => {
      const { status, body } = await scene.api.request("GET", path);
      return status === 200 && wanted(body) && body;
    },
    limitMs,
  );
}

export function gone(scene: Scene, path: string): Promise<true> {
  return eventually(`${path} is gone`, async () => (await scene.api.request("GET", path)).status === 404 && true);
}

/** Opens or shuts the readiness gate of a pod. */
export async function setReady({ api, core }: Scene, pod: string, ready: boolean): Promise<void> {
  const conditions = [{ type: gate, status: ready ? "True" : "False" }];
  await api.patch(`${core("pods", pod)}/status`, { status: { conditions } }, "strategic-merge");
}

/** Watches over something that must not happen for a while. */
export async function never(what: string, probe: () => Promise<boolean>, forMs = 1000): Promise<void> {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    assert.equal(await probe(), false, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Reads, changes and writes an object, again when someone else wrote in between. */
export async function update({ api }: Scene, path: string, change: (object: Json) => void): Promise<Json> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const object = await api.get(path);
    change(object);
    const { status, body, text } = await api.request("PUT", path, object);
    if (status === 200) return body;
    assert.equal(status, 409, `PUT ${path}: ${text}`);
  }
  throw new Error(`PUT ${path} met a conflict twenty times`);
}

/** `/status` can be read, updated and patched, and watchers see the conditions. */
export async function statusEndpoints(scene: Scene, path: string): Promise<void> {
  const { api } = scene;
  const read = await api.get(`${path}/status`);
  const at = path.lastIndexOf("/");
  const name = path.slice(at + 1);
  assert.equal(nameOf(read), name);
  const watch = await api.watch(`${path.slice(0, at)}?fieldSelector=metadata.name%3D${name}`);
  scene.cleanUp(() => watch.close());
  const made = (type: string): Json => ({ type, status: "True", reason: "E2E", message: "set by a test" });
  const updated = await update(scene, `${path}/status`, (object) => {
    (object.status as Json).conditions = [...arrayAt(object, "status.conditions"), made("StatusUpdate")];
  });
  assert.ok(condition(updated, "StatusUpdate"));
  await watch.next("the updated condition", ({ object }) => condition(object, "StatusUpdate") !== undefined);
  const patched = await api.patch(`${path}/status`, { status: { conditions: [made("StatusPatched")] } });
  assert.ok(condition(patched, "StatusPatched"));
  await watch.next("the patched condition", ({ object }) => condition(object, "StatusPatched") !== undefined);
  assert.deepEqual(pick(patched, "spec"), pick(read, "spec"), "a status write leaves the spec");
}

/** `/scale` can be read, updated and patched, and the replicas follow. */
export async function scaleEndpoints(scene: Scene, path: string, scaleVersion = "autoscaling/v1"): Promise<void> {
  const { api } = scene;
  const scale = await api.get(`${path}/scale`);
  assert.equal(scale.kind, "Scale");
  assert.equal(scale.apiVersion, scaleVersion);
  assert.equal(pick(scale, "spec.replicas"), 1);
  const { resourceVersion: _unconditional, ...metadata } = scale.metadata as Json;
  const updated = await api.expect("PUT", `${path}/scale`, { ...scale, metadata, spec: { replicas: 2 } });
  assert.equal(pick(updated, "spec.replicas"), 2);
  assert.equal(pick(await api.get(path), "spec.replicas"), 2);
  await objectAt(scene, "two replicas", path, (object) => pick(object, "status.readyReplicas") === 2);
  const patched = await api.patch(`${path}/scale`, { spec: { replicas: 4 } });
  assert.equal(pick(patched, "spec.replicas"), 4);
  assert.equal(pick(await api.get(path), "spec.replicas"), 4);
  const { status, spec } = await objectAt(
    scene,
    "four replicas",
    path,
    (object) => pick(object, "status.readyReplicas") === 4,
  );
  assert.equal((status as Json).replicas, (spec as Json).replicas);
  assert.equal(pick(await api.get(`${path}/scale`), "status.replicas"), 4);
}

/** Objects list by label, and a deletecollection by label removes those and no others. */
export async function listAndDeleteCollection(
  scene: Scene,
  collection: string,
  make: (name: string, labels: Json) => Json,
): Promise<void> {
  const { api } = scene;
  for (const name of ["one", "two", "three"]) await api.create(collection, make(name, { group: "many" }));
  await api.create(collection, make("other", { group: "other" }));
  const selected = `${collection}?labelSelector=group%3Dmany`;
  assert.equal(arrayAt(await api.get(selected)).length, 3);
  await api.expect("DELETE", selected);
  await eventually("the collection is gone", async () => arrayAt(await api.get(selected)).length === 0);
  assert.deepEqual(arrayAt(await api.get(collection)).map(nameOf), ["other"]);
}
