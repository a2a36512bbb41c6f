/** Where pods go with respect to one another, by what the program does with them: keys of labels, namespaces, policies of nodes. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { condition, objectAt } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, unique, type Json, type Scene } from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { misplaced, type PlacedNode, type PlacedPod } from "../../benches/cluster/placement-check.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const hostname = "kubernetes.io/hostname";
const apart = (term: Json): Json => ({
  affinity: {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: hostname, ...term }] },
  },
});

async function create({ api, core }: Scene, name: string, spec: Json, labels: Json): Promise<Json> {
  return api.create(core("pods"), pod(name, spec, { labels }));
}

/** The node that a pod came to. */
async function placed(scene: Scene, name: string): Promise<string> {
  const isPlaced = (object: Json): boolean => pick(object, "spec.nodeName") !== undefined;
  return String(pick(await objectAt(scene, `${name} has a node`, scene.core("pods", name), isPlaced), "spec.nodeName"));
}

/** Why a pod has no node. */
async function waits(scene: Scene, name: string): Promise<string> {
  const isRefused = (object: Json): boolean => condition(object, "PodScheduled")?.reason === "Unschedulable";
  const found = await objectAt(scene, `${name} waits`, scene.core("pods", name), isRefused);
  return String(condition(found, "PodScheduled")?.message);
}

test("matchLabelKeys keep the pods of one revision apart, and those of the next one beside them", () =>
  suite.play(async (scene) => {
    const spec = apart({ labelSelector: { matchLabels: { app: "web" } }, matchLabelKeys: ["revision", "absent"] });
    const make = (name: string, revision: string): Promise<Json> => create(scene, name, spec, { app: "web", revision });
    const made = await make("one-1", "1");
    await Promise.all(["one-2", "one-3"].map((name) => make(name, "1")));
    const nodes = await Promise.all(["one-1", "one-2", "one-3"].map((name) => placed(scene, name)));
    assert.equal(new Set(nodes).size, 3, "one on each node");
    const [term] = arrayAt(made, "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    const written = {
      matchLabels: { app: "web" },
      matchExpressions: [{ key: "revision", operator: "In", values: ["1"] }],
    };
    assert.deepEqual(pick(term, "labelSelector"), written);
    await make("one-4", "1");
    assert.match(await waits(scene, "one-4"), /3 node\(s\) didn't match pod anti-affinity rules/);
    await make("two-1", "2");
    await placed(scene, "two-1");
  }));

test("mismatchLabelKeys keep other tenants away", () =>
  suite.play(async (scene) => {
    const { api, core } = scene;
    const labelSelector = { matchExpressions: [{ key: "tenant", operator: "Exists" }] };
    const spec = apart({ labelSelector, mismatchLabelKeys: ["tenant"] });
    for (const name of ["a-1", "b-1", "c-1"]) {
      await create(scene, name, spec, { tenant: name.slice(0, 1) });
      await placed(scene, name);
    }
    await create(scene, "d-1", spec, { tenant: "d" });
    assert.match(await waits(scene, "d-1"), /3 node\(s\)/);
    await create(scene, "a-2", spec, { tenant: "a" });
    assert.equal(await placed(scene, "a-2"), await placed(scene, "a-1"));
    await api.expect("DELETE", core("pods", "b-1"));
    await placed(scene, "d-1");
  }));

test("labels and gates that admission adds count like those that a user wrote", () =>
  suite.play(async (scene) => {
    const { api, core, namespace, cleanUp } = scene;
    const policies = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies";
    const bindings = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings";
    const expression =
      'Object{metadata: Object.metadata{labels: {"color": "red"}}, ' +
      'spec: Object.spec{schedulingGates: [Object.spec.schedulingGates{name: "example.com/gate"}]}}';
    await api.create(policies, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingAdmissionPolicy",
      metadata: { name: namespace },
      spec: {
        failurePolicy: "Fail",
        reinvocationPolicy: "Never",
        matchConstraints: {
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
          resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
        },
        mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
      },
    });
    cleanUp(() => api.expect("DELETE", `${policies}/${namespace}`));
    await api.create(bindings, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingAdmissionPolicyBinding",
      metadata: { name: namespace },
      spec: { policyName: namespace },
    });
    cleanUp(() => api.expect("DELETE", `${bindings}/${namespace}`));
    const spec = apart({ labelSelector: { matchLabels: { app: "web" } }, matchLabelKeys: ["color"] });
    let turn = 0;
    // A new policy is known a moment after it was made.
    const made = await eventually("the policy works", async () => {
      const pod = await create(scene, `pod-${++turn}`, spec, { app: "web" });
      return pick(pod, "metadata.labels.color") === "red" && pod;
    });
    const [term] = arrayAt(made, "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    assert.deepEqual(pick(term, "labelSelector.matchExpressions"), [{ key: "color", operator: "In", values: ["red"] }]);
    assert.equal(condition(made, "PodScheduled")?.reason, "SchedulingGated");
    await api.patch(core("pods", nameOf(made)), { spec: { schedulingGates: null } });
    await placed(scene, nameOf(made));
  }));

test("namespaces that a term selects count, and only those", () =>
  suite.play(async (scene) => {
    const { api, namespace, cleanUp } = scene;
    const other = `${namespace}-other`;
    const metadata = { name: other, labels: { team: namespace } };
    await api.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata });
    cleanUp(() => api.expect("DELETE", `/api/v1/namespaces/${other}`));
    const there = { ...scene, namespace: other, core: (kind: string, name = "") => corePath(other, kind, name) };
    await create(there, "theirs", {}, { app: "noisy" });
    const node = await placed(there, "theirs");
    const labelSelector = { matchLabels: { app: "noisy" } };
    const near = (term: Json): Json => ({
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: hostname, labelSelector, ...term }],
        },
      },
    });
    await create(scene, "own", near({}), {});
    assert.match(await waits(scene, "own"), /3 node\(s\) didn't match pod affinity rules/);
    await create(scene, "named", near({ namespaces: [other] }), {});
    assert.equal(await placed(scene, "named"), node);
    await create(scene, "selected", near({ namespaceSelector: { matchLabels: { team: namespace } } }), {});
    assert.equal(await placed(scene, "selected"), node);
    // An empty selector means all namespaces; what could help a pod that waits is looked at when it happens.
    await create(scene, "later", near({ namespaceSelector: { matchLabels: { late: namespace } } }), {});
    await waits(scene, "later");
    await api.patch(`/api/v1/namespaces/${other}`, { metadata: { labels: { late: namespace } } });
    assert.equal(await placed(scene, "later"), node);
  }));

function corePath(namespace: string, kind: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/${kind}${name === "" ? "" : `/${name}`}`;
}

test("spreading looks at tainted nodes or not, as its policy says", () =>
  suite.play(async (scene) => {
    const { api, cleanUp } = scene;
    const [tainted] = arrayAt(await api.get("/api/v1/nodes")).map(nameOf) as [string];
    await api.patch(`/api/v1/nodes/${tainted}`, { spec: { taints: [{ key: "only", effect: "NoSchedule" }] } });
    cleanUp(() => api.patch(`/api/v1/nodes/${tainted}`, { spec: { taints: null } }));
    const spread = (app: string, more: Json): Json => ({
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: hostname,
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app } },
          ...more,
        },
      ],
    });
    for (const name of ["ignore-1", "ignore-2", "ignore-3"]) await create(scene, name, spread("i", {}), { app: "i" });
    const waiting = "ignore-3";
    assert.notEqual(await placed(scene, "ignore-1"), await placed(scene, "ignore-2"));
    assert.match(await waits(scene, waiting), /2 node\(s\) didn't match pod topology spread constraints/);
    const honors = spread("h", { nodeTaintsPolicy: "Honor" });
    for (const name of ["honor-1", "honor-2", "honor-3"]) await create(scene, name, honors, { app: "h" });
    for (const name of ["honor-1", "honor-2", "honor-3"]) assert.notEqual(await placed(scene, name), tainted);
  }));

/** Each way to choose one value for each name. */
function choices(values: Record<string, readonly unknown[]>): Json[] {
  return Object.entries(values).reduce<Json[]>(
    (made, [name, list]) => made.flatMap((one) => list.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

test("spreading by any set of its policies puts nobody where a rule says no, and lets nobody wait whom all let in", () =>
  suite.play(async (scene) => {
    const { api, core, cleanUp } = scene;
    const zone = "example.com/zone";
    const read = async <T>(path: string): Promise<T[]> => arrayAt(await api.get(path)) as T[];
    const taints = [{ key: "only", effect: "NoSchedule" }];
    const looks = [
      { metadata: { labels: { [zone]: "a", disk: "ssd" } } },
      { metadata: { labels: { [zone]: "b", disk: "ssd" } }, spec: { taints } },
      { metadata: { labels: { [zone]: "b" } } },
    ];
    const plain = { metadata: { labels: { [zone]: null, disk: null } }, spec: { taints: null } };
    for (const [index, name] of (await read("/api/v1/nodes")).map(nameOf).entries()) {
      await api.patch(`/api/v1/nodes/${name}`, looks[index]!);
      cleanUp(() => api.patch(`/api/v1/nodes/${name}`, plain));
    }
    const sets = choices({
      topologyKey: [hostname, zone],
      nodeAffinityPolicy: ["Honor", "Ignore"],
      nodeTaintsPolicy: ["Honor", "Ignore"],
      minDomains: [undefined, 2],
      matchLabelKeys: [undefined, ["version"]],
    });
    for (const [index, policies] of sets.entries()) {
      const app = `set-${index}`;
      const rule = {
        ...policies,
        maxSkew: 1,
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app } },
      };
      const spec = { nodeSelector: { disk: "ssd" }, topologySpreadConstraints: [rule] };
      for (const version of ["1", "1", "2", "2"]) await create(scene, `${app}-${unique()}`, spec, { app, version });
    }
    const nodes = await read<PlacedNode>("/api/v1/nodes");
    /** What is wrong with where the pods of one rule stand, and with how they wait. */
    const wrongWith = (pods: readonly PlacedPod[]): string[] => {
      const placed = pods.filter(({ spec }) => spec.nodeName !== undefined);
      const waiting = pods.filter(({ spec }) => spec.nodeName === undefined);
      const silent = waiting.filter((one) => condition({ ...one }, "PodScheduled")?.reason !== "Unschedulable");
      const needless = waiting.flatMap((one) =>
        nodes.flatMap(({ metadata: { name } }) => {
          const there = { ...one, spec: { ...one.spec, nodeName: name } };
          return misplaced(nodes, [...placed, there]).length === 0 ? [`${one.metadata.name} may go to ${name}`] : [];
        }),
      );
      return [
        ...misplaced(nodes, placed),
        ...needless,
        ...silent.map(({ metadata }) => `${metadata.name} says nothing`),
      ];
    };
    let wrong: string[] = [];
    await eventually(
      () => wrong.join(),
      async () => {
        const byRule = Map.groupBy(await read<PlacedPod>(core("pods")), ({ metadata }) => metadata.labels?.["app"]);
        wrong = [...byRule.values()].flatMap(wrongWith);
        return wrong.length === 0;
      },
    );
  }));
