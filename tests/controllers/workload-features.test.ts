/** What the published lines of workloads do not ask and people rely on, through the real API, on simulated nodes. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import {
  condition,
  gone,
  isReady,
  isTerminating,
  job,
  never,
  objectAt,
  podsOf,
  podsReady,
  templateOf,
  workload,
} from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, type Conformance, type Json } from "../conformance/cluster.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const apps = "apps/v1";
const batch = "batch/v1";
const isTrue = (object: Json, type: string): boolean => condition(object, type)?.status === "True";
const minuteMs = 60_000;

/** With a surge of one and nobody missing, each node has a ready pod throughout, and never three. */
const daemonsSurge: Conformance = async (scene) => {
  const { api, at, core } = scene;
  const updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  await api.create(at(apps, "daemonsets"), workload("DaemonSet", "surging", { updateStrategy }));
  const nodes = arrayAt(await api.get("/api/v1/nodes")).map(nameOf);
  await podsReady(scene, "surging", nodes.length);
  const listed = await api.get(`${core("pods")}?labelSelector=app%3Dsurging`);
  const pods = new Map(arrayAt(listed).map((pod) => [nameOf(pod), pod]));
  const revision = String(pick(listed, "metadata.resourceVersion"));
  const watch = await api.watch(`${core("pods")}?labelSelector=app%3Dsurging&resourceVersion=${revision}`);
  scene.cleanUp(() => watch.close());
  const image = "example/second:2";
  await api.patch(at(apps, "daemonsets", "surging"), { spec: { template: templateOf("surging", { image }) } });
  const isNew = (pod: Json): boolean => pick(pod, "spec.containers.0.image") === image;
  let mostOnNode = 0;
  await watch.next(
    "all pods are new",
    ({ type, object }) => {
      if (type === "DELETED") pods.delete(nameOf(object));
      else pods.set(nameOf(object), object);
      const live = [...pods.values()].filter((pod) => !isTerminating(pod));
      for (const node of nodes) {
        const own = live.filter((pod) => pick(pod, "spec.nodeName") === node);
        mostOnNode = Math.max(mostOnNode, own.length);
        assert.ok(own.some(isReady), `${node} has no ready pod`);
      }
      return live.length === nodes.length && live.every((pod) => isNew(pod) && isReady(pod));
    },
    2 * minuteMs,
  );
  assert.equal(mostOnNode, 2);
};

const claimsAreKept: Conformance = async (scene) => {
  const { api, at, core } = scene;
  const path = at(apps, "statefulsets", "keep");
  const volumeClaimTemplates = [
    {
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    },
  ];
  const persistentVolumeClaimRetentionPolicy = { whenScaled: "Delete", whenDeleted: "Retain" };
  const spec = { replicas: 3, volumeClaimTemplates, persistentVolumeClaimRetentionPolicy };
  await api.create(at(apps, "statefulsets"), workload("StatefulSet", "keep", spec));
  await podsReady(scene, "keep", 3);
  const claims = async (): Promise<string> =>
    arrayAt(await api.get(core("persistentvolumeclaims")))
      .map(nameOf)
      .sort()
      .join();
  await eventually("three claims", async () => (await claims()) === "data-keep-0,data-keep-1,data-keep-2");
  await api.patch(path, { spec: { replicas: 1 } });
  await eventually("claims go with their pods", async () => (await claims()) === "data-keep-0");
  await api.patch(path, {
    spec: { persistentVolumeClaimRetentionPolicy: { whenScaled: "Retain", whenDeleted: "Delete" }, replicas: 2 },
  });
  await podsReady(scene, "keep", 2);
  await api.patch(path, { spec: { replicas: 1 } });
  await podsReady(scene, "keep", 1);
  await never("a claim goes that is kept", async () => (await claims()) !== "data-keep-0,data-keep-1", 500);
  await api.expect("DELETE", path);
  await gone(scene, path);
  await eventually("all claims go with the set", async () => (await claims()) === "");
};

const indexesRetryAlone: Conformance = async (scene) => {
  const { api, at } = scene;
  const rules = [{ action: "FailIndex", onExitCodes: { operator: "In", values: [42] } }];
  const spec = {
    completionMode: "Indexed",
    completions: 2,
    parallelism: 2,
    backoffLimitPerIndex: 1,
    podFailurePolicy: { rules },
  };
  await api.create(at(batch, "jobs"), job("retried", spec, { afterMs: 100, exitCode: "1" }));
  await api.create(at(batch, "jobs"), job("hopeless", spec, { afterMs: 100, exitCode: "42" }));
  for (const [name, pods] of [
    ["hopeless", 2],
    ["retried", 4],
  ] as const) {
    const failed = await objectAt(
      scene,
      `${name} fails`,
      at(batch, "jobs", name),
      (one) => isTrue(one, "Failed"),
      120_000,
    );
    assert.equal(condition(failed, "Failed")?.reason, "FailedIndexes");
    assert.equal(pick(failed, "status.failedIndexes"), "0,1");
    assert.equal(pick(failed, "status.failed"), pods, name);
  }
};

/** What a person evicts is no failure of the Job where its policy says so, and is replaced only when it has ended. */
const evictionsDoNotCount: Conformance = async (scene) => {
  const { api, at, core } = scene;
  const rules = [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }];
  const spec = { backoffLimit: 0, podFailurePolicy: { rules }, podReplacementPolicy: "Failed" };
  // It never runs, so that it cannot end well either.
  const waiting = job("evicted", spec);
  const template = pick(waiting, "spec.template.spec") as Json;
  template["nodeSelector"] = { "example.com/there": "never" };
  await api.create(at(batch, "jobs"), waiting);
  const [pod] = await eventually("its pod waits", async () => {
    const pods = await podsOf(scene, "evicted");
    return pods.length === 1 && pods.every((one) => condition(one, "PodScheduled") !== undefined) && pods;
  });
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: nameOf(pod) } };
  assert.equal((await api.request("POST", `${core("pods", nameOf(pod))}/eviction`, eviction)).status, 201);
  await eventually("another pod is there, and no trace of the first", async () => {
    const names = (await podsOf(scene, "evicted")).map(nameOf);
    return names.length === 1 && names[0] !== nameOf(pod);
  });
  const found = await api.get(at(batch, "jobs", "evicted"));
  assert.equal(condition(found, "Failed"), undefined);
  assert.equal(pick(found, "status.failed") ?? 0, 0);
};

const foreignJobsAreLeftAlone: Conformance = async (scene) => {
  const { api, at } = scene;
  const path = at(batch, "jobs", "foreign");
  await api.create(at(batch, "jobs"), job("foreign", { managedBy: "example.com/other" }));
  await api.create(at(batch, "jobs"), job("ours", {}));
  await podsReady(scene, "ours", 1);
  await never("the foreign Job is touched", async () => {
    const found = await api.get(path);
    return (await podsOf(scene, "foreign")).length > 0 || Object.keys(found["status"] ?? {}).length > 0;
  });
  const changed = await api.request(
    "PATCH",
    path,
    { spec: { managedBy: "kubernetes.io/job-controller" } },
    { headers: { "content-type": "application/merge-patch+json" } },
  );
  assert.equal(changed.status, 422, "who manages it stays");
};

/** Due in the next minute of Kolkata, which is half an hour beside that of UTC. */
const schedulesHaveZones: Conformance = async (scene) => {
  const { api, at } = scene;
  const due = new Date(Date.now() + 5.5 * 60 * minuteMs + 1.5 * minuteMs);
  const schedule = `${due.getUTCMinutes()} ${due.getUTCHours()} * * *`;
  const cron = (name: string, more: Json): Json => ({
    apiVersion: batch,
    kind: "CronJob",
    metadata: { name },
    spec: { schedule, jobTemplate: { spec: job(name, {})["spec"] }, ...more },
  });
  await api.create(at(batch, "cronjobs"), cron("there", { timeZone: "Asia/Kolkata" }));
  await api.create(at(batch, "cronjobs"), cron("here", { timeZone: "Etc/UTC" }));
  const unknown = await api.request("POST", at(batch, "cronjobs"), cron("nowhere", { timeZone: "Nowhere/City" }));
  assert.equal(unknown.status, 422);
  const jobs = async (): Promise<string[]> => arrayAt(await api.get(at(batch, "jobs"))).map(nameOf);
  await eventually(
    "the minute of Kolkata",
    async () => (await jobs()).some((name) => name.startsWith("there-")),
    4 * minuteMs,
  );
  assert.equal(
    (await jobs()).some((name) => name.startsWith("here-")),
    false,
  );
};

/** With OnDelete a new template changes nothing by itself: who comes back is new. */
function onDelete(kind: "DaemonSet" | "StatefulSet"): Conformance {
  return async (scene) => {
    const { api, at, core } = scene;
    const name = "by-hand";
    const plural = `${kind.toLowerCase()}s`;
    const spec = { updateStrategy: { type: "OnDelete" }, ...(kind === "StatefulSet" && { replicas: 3 }) };
    await api.create(at(apps, plural), workload(kind, name, spec));
    const [first] = (await podsReady(scene, name, 3)) as [Json];
    const image = "example/second:2";
    await api.patch(at(apps, plural, name), { spec: { template: templateOf(name, { image }) } });
    const isNew = (pod: Json): boolean => pick(pod, "spec.containers.0.image") === image;
    const path = at(apps, plural, name);
    await objectAt(
      scene,
      "it knows",
      path,
      (object) => pick(object, "status.observedGeneration") === pick(object, "metadata.generation"),
    );
    await never("a pod is replaced", async () =>
      (await podsOf(scene, name)).some((pod) => isNew(pod) || isTerminating(pod)),
    );
    await api.expect("DELETE", core("pods", nameOf(first)));
    const now = await eventually("the deleted one is new", async () => {
      const pods = await podsReady(scene, name, 3);
      return pods.some(isNew) && pods;
    });
    assert.equal(now.filter(isNew).length, 1);
  };
}

const oldRevisionsGo: Conformance = async (scene) => {
  const { api, at } = scene;
  for (const [kind, plural] of [
    ["DaemonSet", "daemonsets"],
    ["StatefulSet", "statefulsets"],
  ] as const) {
    const name = `history-${plural}`;
    const size = kind === "StatefulSet" ? 1 : 3;
    const spec = { revisionHistoryLimit: 1, ...(kind === "StatefulSet" && { replicas: 1 }) };
    await api.create(at(apps, plural), workload(kind, name, spec));
    for (const image of ["example/a:2", "example/a:3", "example/a:4"]) {
      await podsReady(scene, name, size);
      await api.patch(at(apps, plural, name), { spec: { template: templateOf(name, { image }) } });
      await eventually(`all have ${image}`, async () => {
        const pods = await podsReady(scene, name, size);
        return pods.every((pod) => pick(pod, "spec.containers.0.image") === image);
      });
    }
    const revisions = async (): Promise<unknown[]> =>
      arrayAt(await api.get(`${at(apps, "controllerrevisions")}?labelSelector=app%3D${name}`)).map(
        (one) => one.revision,
      );
    await eventually("two of four revisions are left", async () => (await revisions()).length === 2);
    assert.deepEqual((await revisions()).toSorted(), [3, 4]);
  }
};

const features: Readonly<Record<string, Conformance>> = {
  "a DaemonSet that surges leaves no node without a ready pod": daemonsSurge,
  "claims of a StatefulSet stay or go as its retention says": claimsAreKept,
  "each index has its own retries, and a policy may end it at once": indexesRetryAlone,
  "an eviction is no failure where the policy says so": evictionsDoNotCount,
  "a Job that somebody else manages is left alone": foreignJobsAreLeftAlone,
  "a CronJob follows its time zone": schedulesHaveZones,
  "a DaemonSet that is updated by hand replaces what is deleted, and nothing else": onDelete("DaemonSet"),
  "a StatefulSet that is updated by hand replaces what is deleted, and nothing else": onDelete("StatefulSet"),
  "revisions beyond the history limit go": oldRevisionsGo,
};

describe("workloads", { concurrency: 6 }, () => {
  for (const [name, run] of Object.entries(features)) test(name, () => suite.play(run));
});
