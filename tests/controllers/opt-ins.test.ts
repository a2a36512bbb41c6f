/** What a Deployment can ask for beyond upstream. Against a running cluster. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  condition,
  isReady,
  never,
  objectAt,
  podsOf,
  podsReady,
  templateOf,
  workload,
} from "../conformance/apps-objects.ts";
import { nameOf, pick, startSuite, type Json } from "../conformance/cluster.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const asking = (name: string, annotation: string, spec: Json, template: Json): Json => {
  const object = workload("Deployment", name, { ...spec, template: { ...templateOf(name), ...template } });
  (object.metadata as Json).annotations = { [annotation]: "true" };
  return object;
};

test("a Deployment rolls when a ConfigMap that it reads changes, and for no other reason", () =>
  suite.play(async (scene) => {
    const { api, at, core } = scene;
    const settings = (data: Json): Json => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings" },
      data,
    });
    await api.create(core("configmaps"), settings({ colour: "red" }));
    const template = templateOf("configured", {
      spec: { volumes: [{ name: "settings", configMap: { name: "settings" } }] },
    });
    const object = asking("configured", "steersman.dev/roll-on-configuration-change", { replicas: 2 }, template);
    await api.create(at("apps/v1", "deployments"), object);
    const before = (await podsReady(scene, "configured", 2)).map(nameOf).sort();
    const names = async (): Promise<string[]> => (await podsOf(scene, "configured")).map(nameOf).sort();
    await api.patch(core("configmaps", "settings"), { metadata: { labels: { looked: "at" } } });
    await never("labels are no configuration", async () => (await names()).join() !== before.join(), 500);
    await api.patch(core("configmaps", "settings"), { data: { colour: "blue" } });
    await eventually("its pods are others", async () => {
      const pods = await podsOf(scene, "configured");
      return pods.length === 2 && pods.every((pod) => isReady(pod) && !before.includes(nameOf(pod)));
    });
    await never("and stay", async () => (await podsOf(scene, "configured")).length !== 2, 500);
  }));

test("an update that passes its progress deadline is taken back, and the next one goes on", () =>
  suite.play(async (scene) => {
    const { api, at } = scene;
    const path = at("apps/v1", "deployments", "careful");
    const spec = { replicas: 3, progressDeadlineSeconds: 2, minReadySeconds: 0 };
    await api.create(at("apps/v1", "deployments"), asking("careful", "steersman.dev/rollback-on-deadline", spec, {}));
    const before = (await podsReady(scene, "careful", 3)).map(nameOf);
    await api.patch(path, { spec: { template: templateOf("careful", { gated: true, image: "example/hangs:2" }) } });
    await objectAt(scene, "it is taken back", path, (found) =>
      String(
        pick(found, "metadata.annotations") && (pick(found, "metadata.annotations") as Json)["steersman.dev/hold"],
      ).includes("rejected"),
    );
    const pods = await podsReady(scene, "careful", 3);
    assert.ok(pods.filter((pod) => before.includes(nameOf(pod))).length >= 2, "those that served go on serving");
    assert.ok(pods.every((pod) => pick(pod, "spec.containers.0.image") !== "example/hangs:2"));
    const held = await api.get(path);
    assert.equal(
      pick(held, "spec.template.spec.containers.0.image"),
      "example/hangs:2",
      "the template stays as its author wrote it",
    );
    const template = templateOf("careful", { image: "example/good:3", spec: { readinessGates: null } });
    // The deadline grows too: on a busy machine a good update may take longer than the two seconds of the bad one.
    await api.patch(path, { spec: { progressDeadlineSeconds: 600, template } });
    const done = await objectAt(scene, "the next update goes on", path, (found) => {
      const { updatedReplicas, availableReplicas, replicas } = found.status as Json;
      return (
        updatedReplicas === 3 &&
        availableReplicas === 3 &&
        replicas === 3 &&
        condition(found, "Progressing")?.status === "True"
      );
    });
    assert.equal((pick(done, "metadata.annotations") as Json)["steersman.dev/hold"], undefined);
    assert.ok(
      (await podsOf(scene, "careful"))
        .filter(isReady)
        .every((pod) => pick(pod, "spec.containers.0.image") === "example/good:3"),
    );
  }));

test("a Deployment and a Job wait for what they depend on, say so, and start when it is there", () =>
  suite.play(async (scene) => {
    const { api, at, core, cluster, namespace } = scene;
    const dependsOn = (text: string): Json => ({ annotations: { "steersman.dev/depends-on": text } });
    const web = workload("Deployment", "web", { replicas: 1 });
    Object.assign(web.metadata as Json, dependsOn("job/migrate, statefulset/db"));
    await api.create(at("apps/v1", "deployments"), web);
    const migrate: Json = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "migrate", ...dependsOn("statefulset/db") },
      spec: {
        template: {
          metadata: { labels: { app: "migrate" }, annotations: { "simulated.steersman.dev/runs-for-ms": "50" } },
          spec: { restartPolicy: "Never", containers: [{ name: "main", image: "example/migrate:1" }] },
        },
      },
    };
    await api.create(at("batch/v1", "jobs"), migrate);
    const says = (path: string, text: string): Promise<Json> =>
      objectAt(scene, text, path, (found) => String(condition(found, "DependenciesMet")?.message).includes(text));
    await says(at("apps/v1", "deployments", "web"), "statefulset/db (does not exist)");
    const [waiting] = await eventually("its pod is made", async () => {
      const pods = await podsOf(scene, "web");
      return pods.length === 1 && pods;
    });
    const { stdout } = cluster.steer("why", `pod/${nameOf(waiting)}`, "-n", namespace);
    assert.match(
      stdout,
      /It does not start yet: deployment\/web waits for job\/migrate \(0 of 1 are done\), statefulset\/db/,
    );
    assert.match(cluster.kubectl("get", "pods", "-n", namespace), /SchedulingGated/);
    await api.create(at("apps/v1", "statefulsets"), workload("StatefulSet", "db", { replicas: 1 }));
    await podsReady(scene, "web", 1);
    const done = await api.get(at("batch/v1", "jobs", "migrate"));
    assert.equal(pick(done, "status.succeeded"), 1, "the Job was complete before the Deployment started");
    await says(at("apps/v1", "deployments", "web"), "were there");
    assert.equal(pick(await api.get(core("pods", nameOf(waiting))), "status.phase"), "Running");
  }));

test("workloads that depend on one another in a cycle say so", () =>
  suite.play(async (scene) => {
    const { api, at } = scene;
    for (const [name, other] of [
      ["chicken", "egg"],
      ["egg", "chicken"],
    ] as const) {
      const object = workload("Deployment", name, { replicas: 1 });
      (object.metadata as Json).annotations = { "steersman.dev/depends-on": `deployment/${other}` };
      await api.create(at("apps/v1", "deployments"), object);
    }
    for (const name of ["chicken", "egg"]) {
      const found = await objectAt(
        scene,
        "the cycle is said",
        at("apps/v1", "deployments", name),
        (one) => condition(one, "DependenciesMet")?.reason === "DependencyCycle" && true,
      );
      assert.match(String(condition(found, "DependenciesMet")?.message), /deployment\/(chicken|egg) -> deployment\//);
    }
  }));
