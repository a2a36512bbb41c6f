import assert from "node:assert/strict";
import { condition, gone, isTerminating, job, never, objectAt, podsOf, update } from "./apps-objects.ts";
import { arrayAt, nameOf, pick, type Conformance, type Json, type Scene } from "./cluster.ts";
import { eventually } from "../eventually.ts";

const batch = "batch/v1";
const minuteMs = 60_000;

const isTrue = (object: Json, type: string): boolean => condition(object, type)?.status === "True";

async function failEarly(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const podFailurePolicy = {
    rules: [{ action: "FailJob", onExitCodes: { containerName: "main", operator: "In", values: [42] } }],
  };
  const spec = { parallelism: 2, completions: 4, backoffLimit: 6, podFailurePolicy };
  await api.create(at(batch, "jobs"), job("early", spec, { afterMs: 100, exitCode: "42" }));
  const failed = await objectAt(scene, "the Job fails", at(batch, "jobs", "early"), (object) =>
    isTrue(object, "Failed"),
  );
  assert.equal(condition(failed, "Failed")?.reason, "PodFailurePolicy");
  assert.ok(Number(pick(failed, "status.failed")) <= 2, "no pod was tried again");
}

async function deleteJob(scene: Scene): Promise<void> {
  const { api, at } = scene;
  await api.create(at(batch, "jobs"), job("deleted", { parallelism: 2, completions: 4 }));
  await objectAt(
    scene,
    "two active pods",
    at(batch, "jobs", "deleted"),
    (object) => pick(object, "status.active") === 2,
  );
  await api.expect("DELETE", at(batch, "jobs", "deleted"), { propagationPolicy: "Background" });
  await gone(scene, at(batch, "jobs", "deleted"));
  await eventually("its pods are gone", async () => (await podsOf(scene, "deleted")).length === 0);
}

async function lifecycle(scene: Scene): Promise<void> {
  const { api, at, namespace } = scene;
  const path = at(batch, "jobs", "living");
  const selector = `labelSelector=life%3D${namespace}`;
  await api.create(
    at(batch, "jobs"),
    job("living", { suspend: true, parallelism: 2, completions: 2 }, { afterMs: 200 }, { life: namespace }),
  );
  await objectAt(scene, "it is suspended", path, (object) => isTrue(object, "Suspended"));
  assert.equal((await podsOf(scene, "living")).length, 0);
  await api.patch(path, { metadata: { labels: { patched: "yes" } } });
  await update(scene, path, (object) => {
    (object.metadata as Json).annotations = { updated: "true" };
    (object.spec as Json).suspend = false;
  });
  const resumed = await objectAt(scene, "it completes", path, (object) => isTrue(object, "Complete"));
  assert.equal(condition(resumed, "Suspended")?.status, "False");
  assert.equal(pick(resumed, "metadata.annotations.updated"), "true");
  assert.equal(arrayAt(await api.get(`/apis/batch/v1/jobs?${selector}`)).length, 1);
  await api.expect("DELETE", `${at(batch, "jobs")}?${selector}&propagationPolicy=Background`);
  await gone(scene, path);
  await eventually("its pods are gone", async () => (await podsOf(scene, "living")).length === 0);
}

async function tooManyFailedIndexes(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const spec = {
    completionMode: "Indexed",
    completions: 10,
    parallelism: 3,
    backoffLimitPerIndex: 0,
    maxFailedIndexes: 4,
  };
  await api.create(at(batch, "jobs"), job("failing", spec, { afterMs: 100, exitCode: "1" }));
  const failed = await objectAt(scene, "the Job fails", at(batch, "jobs", "failing"), (object) =>
    isTrue(object, "Failed"),
  );
  assert.equal(condition(failed, "Failed")?.reason, "MaxFailedIndexesExceeded");
  const status = failed.status as Json;
  assert.ok(Number(status.failed) >= 5, "more than four failed");
  assert.ok(Number(status.failed) <= 8, "and the rest was never tried");
  assert.equal(status.active ?? 0, 0);
}

async function allIndexesSucceed(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const spec = {
    completionMode: "Indexed",
    completions: 3,
    parallelism: 3,
    successPolicy: { rules: [{ succeededIndexes: "0-2" }] },
  };
  await api.create(at(batch, "jobs"), job("succeeding", spec, { afterMs: 100 }));
  const complete = await objectAt(scene, "the Job completes", at(batch, "jobs", "succeeding"), (object) =>
    isTrue(object, "Complete"),
  );
  assert.equal(condition(complete, "SuccessCriteriaMet")?.reason, "SuccessPolicy");
  assert.equal(condition(complete, "Complete")?.reason, "SuccessPolicy");
  assert.equal(pick(complete, "status.succeeded"), 3);
  assert.equal(pick(complete, "status.completedIndexes"), "0-2");
}

function cronJob(name: string, spec: Json): Json {
  const { spec: jobSpec } = job(name, { parallelism: 1, completions: 1 });
  return {
    apiVersion: batch,
    kind: "CronJob",
    metadata: { name },
    spec: { schedule: "*/1 * * * *", jobTemplate: { spec: jobSpec }, ...spec },
  };
}

const jobsOf = async (scene: Scene, owner: string): Promise<Json[]> => {
  const jobs = arrayAt(await scene.api.get(scene.at(batch, "jobs")));
  return jobs.filter((item) => arrayAt(item, "metadata.ownerReferences").some(({ name }) => name === owner));
};

/** Waits until the next minute has begun, and two seconds more. */
async function passMinute(): Promise<void> {
  const leftMs = minuteMs - (Date.now() % minuteMs) + 2000;
  await new Promise((resolve) => setTimeout(resolve, leftMs));
}

async function suspended(scene: Scene): Promise<void> {
  const { api, at } = scene;
  await api.create(at(batch, "cronjobs"), cronJob("still", { suspend: true }));
  await api.create(at(batch, "cronjobs"), cronJob("moving", {}));
  await passMinute();
  await eventually("the other CronJob has a Job", async () => (await jobsOf(scene, "moving")).length > 0);
  assert.equal((await jobsOf(scene, "still")).length, 0);
}

async function forbidden(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(batch, "cronjobs", "alone");
  await api.create(at(batch, "cronjobs"), cronJob("alone", { concurrencyPolicy: "Forbid" }));
  const cron = await objectAt(
    scene,
    "the first Job",
    path,
    (object) => arrayAt(object, "status.active").length === 1,
    minuteMs + 10_000,
  );
  await passMinute();
  await never("no second Job", async () => (await jobsOf(scene, "alone")).length !== 1);
  assert.deepEqual(pick(await api.get(path), "status.active.0.name"), pick(cron, "status.active.0.name"));
}

async function replaced(scene: Scene): Promise<void> {
  const { api, at } = scene;
  const path = at(batch, "cronjobs", "fresh");
  await api.create(at(batch, "cronjobs"), cronJob("fresh", { concurrencyPolicy: "Replace" }));
  const cron = await objectAt(
    scene,
    "the first Job",
    path,
    (object) => arrayAt(object, "status.active").length === 1,
    minuteMs + 10_000,
  );
  const first = String(pick(cron, "status.active.0.name"));
  const isAnother = (object: Json): boolean =>
    arrayAt(object, "status.active").length === 1 && pick(object, "status.active.0.name") !== first;
  await objectAt(scene, "another Job", path, isAnother, minuteMs + 10_000);
  await eventually("the first is gone", async () => {
    const live = (await jobsOf(scene, "fresh")).filter((item) => !isTerminating(item));
    return live.length === 1 && nameOf(live[0]) !== first;
  });
}

export const jobs: Readonly<Record<string, Conformance>> = {
  "CronJob should not schedule jobs when suspended [Slow]": suspended,
  "CronJob should not schedule new jobs when ForbidConcurrent [Slow]": forbidden,
  "CronJob should replace jobs when ReplaceConcurrent": replaced,
  "Job should allow to use the pod failure policy on exit code to fail the job early": failEarly,
  "Job should delete a job": deleteJob,
  "Job should manage the lifecycle of a job": lifecycle,
  "Job should terminate job execution when the number of failed indexes exceeds maxFailedIndexes": tooManyFailedIndexes,
  "Job with successPolicy should succeeded when all indexes succeeded": allIndexesSucceed,
};
