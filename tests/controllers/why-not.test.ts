/** Why something does not happen: pods without a node, deletions that hang. Against a running cluster, as a person asks. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { condition, gone, objectAt } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, type Json, type Scene } from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const why = ({ cluster, namespace }: Scene, what: string): string => {
  const { code, stdout, stderr } = cluster.steer("why", what, "-n", namespace);
  assert.equal(code, 0, stderr);
  return stdout;
};

const waits = (scene: Scene, name: string): Promise<Json> =>
  objectAt(
    scene,
    `${name} waits`,
    scene.core("pods", name),
    (object) => condition(object, "PodScheduled")?.status === "False",
  );

function asking(name: string, requests: Json, more: Json = {}): Json {
  return pod(name, { containers: [{ name: "main", image: "example/large:1", resources: { requests } }], ...more });
}

test("of a pod without a node each node's filter is named, and the smallest change", () =>
  suite.play(async (scene) => {
    const { api, core, namespace, cleanUp } = scene;
    const [first, second] = arrayAt(await api.get("/api/v1/nodes")).map(nameOf) as [string, string];
    await api.patch(`/api/v1/nodes/${first}`, {
      spec: { taints: [{ key: "dedicated", value: "gpu", effect: "NoSchedule" }] },
    });
    cleanUp(() => api.patch(`/api/v1/nodes/${first}`, { spec: { taints: null } }));
    await api.patch(`/api/v1/nodes/${second}`, { spec: { unschedulable: true } });
    cleanUp(() => api.patch(`/api/v1/nodes/${second}`, { spec: { unschedulable: null } }));
    await api.create(core("pods"), asking("large", { cpu: "18" }));
    await waits(scene, "large");
    const placement = await api.get(`/apis/scheduling.steersman.dev/v1/namespaces/${namespace}/placements/large`);
    const changes = new Map(arrayAt(placement, "nodes").map((one) => [one.node, one.change]));
    assert.equal(changes.get(first), "a toleration for dedicated=gpu:NoSchedule and 2 more cpu");
    assert.equal(changes.get(second), "the node being uncordoned and 2 more cpu");
    assert.ok([...changes.values()].includes("2 more cpu"));
    assert.equal(placement.message, pick(condition(await waits(scene, "large"), "PodScheduled"), "message"));
    const text = why(scene, "pod/large");
    assert.match(text, /NODE +SAID NO +WOULD FIT WITH/);
    assert.match(text, /Insufficient cpu +2 more cpu/);
    assert.match(text, /Smallest change: 2 more cpu/);
    assert.match(scene.cluster.kubectl("get", "placements", "-n", namespace), /large +0\/3 nodes are available/);
  }));

test("of a pod that no filter keeps back it is said what it waits for", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const claims = core("persistentvolumeclaims");
    const spec = { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "1Gi" } } };
    await api.create(claims, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "many" }, spec });
    const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "many" } }];
    for (const [name, more, said] of [
      [
        "gated",
        { schedulingGates: [{ name: "example.com/wait" }] },
        /takes its scheduling gates away: example\.com\/wait/,
      ],
      ["foreign", { schedulerName: "elsewhere" }, /waits for the scheduler elsewhere, which has said nothing yet/],
      ["unbound", { volumes }, /waits for its claim many, which is not bound/],
      ["lost", { nodeName: "nowhere" }, /waits for node nowhere, which does not exist/],
    ] as const) {
      await api.create(core("pods"), pod(name, more));
      await eventually(`${name} says it`, () => said.test(why(scene, `pod/${name}`)));
    }
  }));

test("a pod that finds its node has no placement any more", () =>
  suite.play(async (scene) => {
    const { api, core, namespace, cleanUp } = scene;
    const [node] = arrayAt(await api.get("/api/v1/nodes")).map(nameOf) as [string];
    await api.create(core("pods"), pod("choosy", { nodeSelector: { "example.com/disk": "fast" } }));
    await waits(scene, "choosy");
    assert.match(why(scene, "pod/choosy"), /the label example.com\/disk=fast on the node/);
    await api.patch(`/api/v1/nodes/${node}`, { metadata: { labels: { "example.com/disk": "fast" } } });
    cleanUp(() => api.patch(`/api/v1/nodes/${node}`, { metadata: { labels: { "example.com/disk": null } } }));
    await objectAt(scene, "it runs", core("pods", "choosy"), (object) => pick(object, "status.phase") === "Running");
    const path = `/apis/scheduling.steersman.dev/v1/namespaces/${namespace}/placements/choosy`;
    assert.equal((await api.request("GET", path)).status, 404);
    assert.doesNotMatch(why(scene, "pod/choosy"), /SAID NO/);
  }));

test("a deletion that hangs names whom it waits for", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    await api.create(core("persistentvolumeclaims"), {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "data" },
      spec,
    });
    await api.create(
      core("pods"),
      pod("user", { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] }),
    );
    await objectAt(scene, "it runs", core("pods", "user"), (object) => pick(object, "status.phase") === "Running");
    await api.expect("DELETE", core("persistentvolumeclaims", "data"));
    assert.match(why(scene, "pvc/data"), /Its deletion waits for:\n +pods that use it: user/);
    const metadata = { name: "held", finalizers: ["example.com/mine"] };
    await api.create(core("configmaps"), { apiVersion: "v1", kind: "ConfigMap", metadata });
    await api.expect("DELETE", core("configmaps", "held"));
    assert.match(
      why(scene, "configmap/held"),
      /finalizer example.com\/mine, which only its controller or a person takes away/,
    );
    await api.patch(core("configmaps", "held"), { metadata: { finalizers: null } });
  }));

test("a namespace that hangs names what may not be deleted; all else goes", () =>
  suite.play(async (scene) => {
    const { api, namespace, cleanUp } = scene;
    const name = `${namespace}-kept`;
    const group = "/apis/admissionregistration.k8s.io/v1";
    const apiVersion = "admissionregistration.k8s.io/v1";
    await api.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    const maps = `/api/v1/namespaces/${name}/configmaps`;
    for (const map of ["other", "treasure"])
      await api.create(maps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: map } });
    await api.create(`${group}/validatingadmissionpolicies`, {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        matchConstraints: {
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
          resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["DELETE"], resources: ["configmaps"] }],
        },
        validations: [{ expression: "oldObject.metadata.name != 'treasure'", message: "the treasure is kept" }],
      },
    });
    cleanUp(() => api.expect("DELETE", `${group}/validatingadmissionpolicies/${name}`));
    await api.create(`${group}/validatingadmissionpolicybindings`, {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    });
    // It holds a moment after it was made.
    await eventually("the treasure is kept", async () => {
      const { status } = await api.request("DELETE", `${maps}/treasure?dryRun=All`);
      return status === 422 || status === 403;
    });
    await api.expect("DELETE", `/api/v1/namespaces/${name}`);
    await objectAt(scene, "it says so", `/api/v1/namespaces/${name}`, (object) =>
      /the treasure is kept/.test(String(condition(object, "NamespaceDeletionContentFailure")?.message)),
    );
    await eventually("all else goes", async () => {
      const left = arrayAt(await api.get(maps)).map(nameOf);
      return left.length === 1 && left[0] === "treasure";
    });
    assert.match(why(scene, `namespace/${name}`), /Its deletion waits for:\n.*the treasure is kept/);
    await api.expect("DELETE", `${group}/validatingadmissionpolicybindings/${name}`);
    await gone(scene, `/api/v1/namespaces/${name}`);
  }));

test("a namespace that cannot go names what is held, and by whom", () =>
  suite.play(async (scene) => {
    const { api } = scene;
    const name = `${scene.namespace}-held`;
    const maps = `/api/v1/namespaces/${name}/configmaps`;
    await api.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    await api.create(maps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "held", finalizers: ["example.com/never"] },
    });
    await api.expect("DELETE", `/api/v1/namespaces/${name}`);
    await objectAt(scene, "it says so", `/api/v1/namespaces/${name}`, (object) =>
      /example.com\/never/.test(String(condition(object, "NamespaceFinalizersRemaining")?.message)),
    );
    assert.match(why(scene, `namespace/${name}`), /what is held: configmaps\/held \(example.com\/never\)/);
    await api.patch(`${maps}/held`, { metadata: { finalizers: null } });
    await gone(scene, `/api/v1/namespaces/${name}`);
  }));
