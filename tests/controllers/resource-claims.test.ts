/** Devices for pods: claims, templates, classes, slices. Against a running cluster; its driver is played by hand. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { condition, never, objectAt } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, type Json, type Scene } from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const group = "/apis/resource.k8s.io/v1";
const driver = "gpu.example.com";

/** A driver's devices on one node, and a class for them; both named after the scene. */
async function devices({ api, namespace, cleanUp }: Scene, node: string, names: readonly string[]): Promise<void> {
  await api.create(`${group}/resourceslices`, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: namespace },
    spec: {
      driver,
      nodeName: node,
      pool: { name: namespace, generation: 1, resourceSliceCount: 1 },
      devices: names.map((name) => ({ name, attributes: { kind: { string: namespace } } })),
    },
  });
  cleanUp(() => api.request("DELETE", `${group}/resourceslices/${namespace}`));
  const expression = `device.driver == "${driver}" && device.attributes["${driver}"].kind == "${namespace}"`;
  await api.create(`${group}/deviceclasses`, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: namespace },
    spec: { selectors: [{ cel: { expression } }] },
  });
  cleanUp(() => api.request("DELETE", `${group}/deviceclasses/${namespace}`));
}

const claims = ({ namespace }: Scene, name?: string): string =>
  `${group}/namespaces/${namespace}/resourceclaims${name === undefined ? "" : `/${name}`}`;

const spec = ({ namespace }: Scene, more: Json = {}): Json => ({
  devices: { requests: [{ name: "gpu", exactly: { deviceClassName: namespace, ...more } }] },
});

const claim = (scene: Scene, name: string): Promise<Json> =>
  scene.api.create(claims(scene), {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name },
    spec: spec(scene),
  });

const user = (name: string, wish: Json): Json =>
  pod(name, { resourceClaims: [{ name: "gpu", ...wish }], terminationGracePeriodSeconds: 0 });

const runs = (scene: Scene, name: string): Promise<Json> =>
  objectAt(scene, `${name} runs`, scene.core("pods", name), (found) => pick(found, "status.phase") === "Running");

const users = (found: unknown): string[] => arrayAt(found, "status.reservedFor").map(({ name }) => String(name));

const given = (found: unknown): string[] =>
  arrayAt(found, "status.allocation.devices.results").map(({ device }) => String(device));

const nodes = async ({ api }: Scene): Promise<string[]> => arrayAt(await api.get("/api/v1/nodes")).map(nameOf);

test("a pod gets a device on the node that has it, another waits for it, and takes it over", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const [, node = ""] = await nodes(scene);
    await devices(scene, node, ["only"]);
    await claim(scene, "first");
    await claim(scene, "second");
    await api.create(core("pods"), user("one", { resourceClaimName: "first" }));
    assert.equal(pick(await runs(scene, "one"), "spec.nodeName"), node);
    const found = await api.get(claims(scene, "first"));
    assert.deepEqual([given(found), users(found)], [["only"], ["one"]]);
    assert.ok((pick(found, "metadata.finalizers") as string[]).includes("resource.kubernetes.io/delete-protection"));
    await api.create(core("pods"), user("two", { resourceClaimName: "second" }));
    const waiting = await objectAt(
      scene,
      "two waits",
      core("pods", "two"),
      (one) => condition(one, "PodScheduled")?.status === "False",
    );
    assert.match(String(condition(waiting, "PodScheduled")?.message), /3 cannot allocate all claims/);
    const { stdout } = scene.cluster.steer("why", "pod/two", "-n", scene.namespace);
    assert.match(stdout, /free devices on the node that match the pod's resource claims/);
    await api.expect("DELETE", core("pods", "one"));
    assert.equal(pick(await runs(scene, "two"), "spec.nodeName"), node);
    await objectAt(
      scene,
      "the first is free",
      claims(scene, "first"),
      (one) => pick(one, "status.allocation") === undefined,
    );
    assert.deepEqual(given(await api.get(claims(scene, "second"))), ["only"]);
  }));

test("claims are made from a template, named in the pod's status, and go with the pod", () =>
  suite.play(async (scene) => {
    const { api, core, namespace } = scene;
    const [node = ""] = await nodes(scene);
    await devices(scene, node, ["a", "b"]);
    await api.create(core("pods"), user("maker", { resourceClaimTemplateName: "gpu" }));
    await objectAt(
      scene,
      "it waits",
      core("pods", "maker"),
      (one) => condition(one, "PodScheduled")?.status === "False",
    );
    await api.create(`${group}/namespaces/${namespace}/resourceclaimtemplates`, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaimTemplate",
      metadata: { name: "gpu" },
      spec: { metadata: { labels: { from: "template" } }, spec: spec(scene, { count: 2 }) },
    });
    const found = await runs(scene, "maker");
    const name = String(pick(found, "status.resourceClaimStatuses.0.resourceClaimName"));
    assert.match(name, /^maker-gpu-/);
    const made = await api.get(claims(scene, name));
    assert.deepEqual(given(made), ["a", "b"]);
    assert.equal(pick(made, "metadata.ownerReferences.0.name"), "maker");
    assert.equal(pick(made, "metadata.labels.from"), "template");
    await api.expect("DELETE", core("pods", "maker"));
    await eventually("its claim goes", async () => arrayAt(await api.get(claims(scene))).length === 0);
  }));

test("several pods share a claim, each on a node that reaches it; the last gives its devices back", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const [node = ""] = await nodes(scene);
    await devices(scene, node, ["shared"]);
    await claim(scene, "common");
    for (const name of ["p", "q"]) await api.create(core("pods"), user(name, { resourceClaimName: "common" }));
    for (const name of ["p", "q"]) assert.equal(pick(await runs(scene, name), "spec.nodeName"), node);
    assert.deepEqual(users(await api.get(claims(scene, "common"))).sort(), ["p", "q"]);
    await api.expect("DELETE", claims(scene, "common"));
    await api.expect("DELETE", core("pods", "p"));
    await objectAt(scene, "q alone", claims(scene, "common"), (one) => users(one).join() === "q");
    await never(
      "a claim in use does not go",
      async () => (await api.request("GET", claims(scene, "common"))).status === 404,
      500,
    );
    await api.expect("DELETE", core("pods", "q"));
    await eventually("now it goes", async () => (await api.request("GET", claims(scene, "common"))).status === 404);
  }));

test("a pod that has ended gives its devices back", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const [node = ""] = await nodes(scene);
    await devices(scene, node, ["short"]);
    await claim(scene, "brief");
    const object = user("ends", { resourceClaimName: "brief" });
    (object.metadata as Json).annotations = { "simulated.steersman.dev/runs-for-ms": "100" };
    (object.spec as Json).restartPolicy = "Never";
    await api.create(core("pods"), object);
    await objectAt(scene, "it ends", core("pods", "ends"), (one) => pick(one, "status.phase") === "Succeeded");
    await objectAt(
      scene,
      "and the claim is free",
      claims(scene, "brief"),
      (one) => pick(one, "status.allocation") === undefined && users(one).length === 0,
    );
  }));

test("what is wrong with a claim is said: no class, a selector that fails", () =>
  suite.play(async (scene) => {
    const { api, core, namespace } = scene;
    const [node = ""] = await nodes(scene);
    await api.create(claims(scene), {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { name: "unclassed" },
      spec: spec(scene),
    });
    await api.create(core("pods"), user("lost", { resourceClaimName: "unclassed" }));
    const says = (name: string, text: string): Promise<Json> =>
      objectAt(scene, text, core("pods", name), (one) =>
        String(condition(one, "PodScheduled")?.message).includes(text),
      );
    await says("lost", `device class ${namespace} does not exist`);
    await devices(scene, node, ["x"]);
    await runs(scene, "lost");
    const selectors = [{ cel: { expression: `device.attributes["${driver}"].size > 1` } }];
    await api.create(claims(scene), {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { name: "odd" },
      spec: spec(scene, { selectors }),
    });
    await api.create(core("pods"), user("strange", { resourceClaimName: "odd" }));
    await says("strange", "no such key: size");
    await api.create(core("pods"), user("early", { resourceClaimName: "nowhere" }));
    await says("early", 'resourceclaim "nowhere" not found');
  }));
