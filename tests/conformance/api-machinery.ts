import assert from "node:assert/strict";
import { arrayAt, nameOf, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { everyVerb } from "./crud.ts";
import { deployment, pod } from "./workloads.ts";
import { eventually } from "../eventually.ts";

const flowControl = "flowcontrol.apiserver.k8s.io/v1";

function priorityLevel(): Json {
  return { spec: { type: "Limited", limited: { nominalConcurrencyShares: 2, limitResponse: { type: "Reject" } } } };
}

function flowSchema(): Json {
  const rules = [
    {
      subjects: [{ kind: "User", user: { name: "example" } }],
      nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
    },
  ];
  return {
    spec: {
      matchingPrecedence: 10_000,
      priorityLevelConfiguration: { name: "global-default" },
      distinguisherMethod: { type: "ByUser" },
      rules,
    },
  };
}

async function watchersAgree({ api, core }: Scene): Promise<void> {
  const collection = core("configmaps");
  const versions: string[] = [];
  const start = String(pick(await api.get(collection), "metadata.resourceVersion"));
  // Some stand from the beginning and are told as it happens.
  const standing = await Promise.all([1, 2, 3].map(() => api.watch(`${collection}?resourceVersion=${start}`)));
  for (let i = 0; i < 15; i++) {
    const made = await api.create(collection, { metadata: { name: `event-${i}` } });
    versions.push(String(pick(made, "metadata.resourceVersion")));
    if (i % 3 === 0) await api.patch(`${collection}/event-${i}`, { data: { changed: "yes" } });
    if (i % 5 === 0) await api.expect("DELETE", `${collection}/event-${i}`);
  }
  const last = versions.at(-1)!;
  const full = await seenFrom(await api.watch(`${collection}?resourceVersion=${start}`), last);
  assert.equal(full.filter((each) => each.includes(" event-")).length, 15 + 5 + 3);
  await Promise.all(standing.map(async (watch) => assert.deepEqual(await seenFrom(watch, last), full)));
  await Promise.all(
    versions.slice(0, -1).map(async (from) => {
      const seen = await seenFrom(await api.watch(`${collection}?resourceVersion=${from}`), last);
      const after = full.findIndex((each) => each.endsWith(` ${from}`)) + 1;
      assert.ok(after > 0);
      assert.deepEqual(seen, full.slice(after), `a watch from ${from} sees what comes after it, in the same order`);
    }),
  );
}

async function seenFrom(watch: Awaited<ReturnType<Scene["api"]["watch"]>>, last: string): Promise<string[]> {
  const seen: string[] = [];
  await watch.next("the last event", ({ type, object }) => {
    const version = String(pick(object, "metadata.resourceVersion"));
    seen.push(`${type} ${nameOf(object)} ${version}`);
    return version === last;
  });
  watch.close();
  return seen;
}

async function selectorTransitions({ api, core }: Scene): Promise<void> {
  const collection = core("configmaps");
  const path = `${collection}/moving`;
  const label = (value: string): Json => ({ metadata: { labels: { watched: value } } });
  await api.create(collection, { metadata: { name: "moving", labels: { watched: "yes" } }, data: { mutation: "0" } });
  const start = String(pick(await api.get(collection), "metadata.resourceVersion"));
  const watch = await api.watch(`${collection}?labelSelector=watched%3Dyes&resourceVersion=${start}`);
  await api.patch(path, { data: { mutation: "1" } });
  await api.patch(path, label("no"));
  await api.patch(path, { data: { mutation: "2" } });
  await api.patch(path, label("yes"));
  await api.patch(path, { data: { mutation: "3" } });
  await api.expect("DELETE", path);
  const seen: string[] = [];
  await watch.next("the end", ({ type, object }) => {
    seen.push(`${type} ${String(pick(object, "data.mutation"))}`);
    return seen.length === 5;
  });
  watch.close();
  assert.deepEqual(seen, ["MODIFIED 1", "DELETED 1", "ADDED 2", "MODIFIED 3", "DELETED 3"]);
}

async function namespaceFinalizer({ api, cleanUp }: Scene): Promise<void> {
  const name = `finalized-${unique()}`;
  const finalizer = "e2e.example.com/finalizer";
  const made = await api.create("/api/v1/namespaces", { metadata: { name } });
  cleanUp(() => api.request("DELETE", `/api/v1/namespaces/${name}`));
  const finalizers = arrayAt(made, "spec.finalizers") as unknown[];
  const withOurs = await api.expect("PUT", `/api/v1/namespaces/${name}/finalize`, {
    ...made,
    spec: { finalizers: [...finalizers, finalizer] },
  });
  assert.ok((arrayAt(withOurs, "spec.finalizers") as unknown[]).includes(finalizer));
  const stored = await api.get(`/api/v1/namespaces/${name}`);
  assert.deepEqual(pick(stored, "spec.finalizers"), [...finalizers, finalizer]);
  const without = await api.expect("PUT", `/api/v1/namespaces/${name}/finalize`, { ...stored, spec: { finalizers } });
  assert.deepEqual(pick(without, "spec.finalizers"), finalizers);
  assert.deepEqual(pick(await api.get(`/api/v1/namespaces/${name}`), "spec.finalizers"), finalizers);
}

async function namespaceUpdate({ api, namespace }: Scene): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}`;
  const before = await api.get(path);
  const metadata = {
    ...(before.metadata as Json),
    labels: { ...(pick(before, "metadata.labels") as Json), updated: "yes" },
  };
  await api.expect("PUT", path, { ...before, metadata });
  assert.equal(pick(await api.get(path), "metadata.labels.updated"), "yes");
}

async function namespaceStatus({ api, namespace }: Scene): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/status`;
  assert.equal(pick(await api.get(path), "status.phase"), "Active");
  const condition = (type: string): Json => ({ type, status: "True", reason: "Test", message: "set by a test" });
  const patched = await api.patch(path, { status: { conditions: [condition("StatusPatch")] } });
  assert.equal(pick(patched, "status.conditions.0.type"), "StatusPatch");
  const current = await api.get(path);
  const conditions = [...arrayAt(current, "status.conditions"), condition("StatusUpdate")];
  const updated = await api.expect("PUT", path, { ...current, status: { ...(current.status as Json), conditions } });
  assert.deepEqual(
    arrayAt(updated, "status.conditions").map(({ type }) => type),
    ["StatusPatch", "StatusUpdate"],
  );
}

async function namespaceRemovesPods({ api, cleanUp }: Scene): Promise<void> {
  const name = `emptied-${unique()}`;
  await api.create("/api/v1/namespaces", { metadata: { name } });
  cleanUp(() => api.request("DELETE", `/api/v1/namespaces/${name}`));
  await eventually(
    "its service account",
    async () => (await api.request("GET", `/api/v1/namespaces/${name}/serviceaccounts/default`)).status === 200,
  );
  await api.create(`/api/v1/namespaces/${name}/pods`, pod("inhabitant"));
  await eventually(
    "the pod to run",
    async () => pick(await api.get(`/api/v1/namespaces/${name}/pods/inhabitant`), "status.phase") === "Running",
  );
  await api.expect("DELETE", `/api/v1/namespaces/${name}`);
  await eventually(
    "the namespace to go",
    async () => (await api.request("GET", `/api/v1/namespaces/${name}`)).status === 404,
  );
  assert.equal((await api.request("GET", `/api/v1/namespaces/${name}/pods/inhabitant`)).status, 404);
  await api.create("/api/v1/namespaces", { metadata: { name } });
  assert.equal(arrayAt(await api.get(`/api/v1/namespaces/${name}/pods`)).length, 0);
}

async function podsGoFirst({ api, cleanUp }: Scene): Promise<void> {
  const name = `ordered-${unique()}`;
  const inside = `/api/v1/namespaces/${name}`;
  await api.create("/api/v1/namespaces", { metadata: { name } });
  await eventually(
    "its service account",
    async () => (await api.request("GET", `${inside}/serviceaccounts/default`)).status === 200,
  );
  await api.create(`${inside}/pods`, pod("held", {}, { finalizers: ["e2e.example.com/finalizer"] }));
  await api.create(`${inside}/pods`, pod("free"));
  await api.create(`${inside}/configmaps`, { metadata: { name: "later" } });
  cleanUp(() =>
    api.request(
      "PATCH",
      `${inside}/pods/held`,
      { metadata: { finalizers: null } },
      { headers: { "content-type": "application/merge-patch+json" } },
    ),
  );
  await api.expect("DELETE", inside);
  const conditions = await eventually("the conditions of the deletion", async () => {
    const found = arrayAt(await api.get(inside), "status.conditions");
    return found.some(({ type, status }) => type === "NamespaceFinalizersRemaining" && status === "True") && found;
  });
  assert.ok(conditions.some(({ type, status }) => type === "NamespaceContentRemaining" && status === "True"));
  // Who deletes everything at once has had ample opportunity when a pod that nothing holds is gone, and then some.
  await eventually("the other pod to go", async () => (await api.request("GET", `${inside}/pods/free`)).status === 404);
  for (let look = 0; look < 100; look += 1)
    assert.equal((await api.request("GET", `${inside}/configmaps/later`)).status, 200, "other kinds wait for the pods");
  await api.patch(`${inside}/pods/held`, { metadata: { finalizers: null } });
  await eventually("the namespace to go", async () => (await api.request("GET", inside)).status === 404);
}

async function replicaSetIsCollected({ api, at }: Scene): Promise<void> {
  await api.create(at("apps/v1", "deployments"), deployment("collected", 2));
  await eventually("its pods", async () => arrayAt(await api.get(at("v1", "pods"))).length === 2);
  const [set] = arrayAt(await api.get(at("apps/v1", "replicasets")));
  const [owner] = arrayAt(set, "metadata.ownerReferences");
  assert.deepEqual([owner?.kind, owner?.name, owner?.controller], ["Deployment", "collected", true]);
  await api.expect("DELETE", at("apps/v1", "deployments", "collected"), { propagationPolicy: "Background" });
  const gone = await api.request("GET", at("apps/v1", "deployments", "collected"));
  assert.equal(gone.status, 404, "the owner waits for nobody");
  await eventually("nothing to be left", async () => {
    const sets = arrayAt(await api.get(at("apps/v1", "replicasets")));
    const pods = arrayAt(await api.get(at("v1", "pods")));
    return sets.length === 0 && pods.length === 0;
  });
}

async function secondOwnerKeeps({ api, core }: Scene): Promise<void> {
  const controllers = core("replicationcontrollers");
  const make = (name: string, replicas: number): Promise<Json> =>
    api.create(controllers, {
      metadata: { name },
      spec: {
        replicas,
        selector: { app: name },
        template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "a" }] } },
      },
    });
  const [going, staying] = [await make("going", 4), await make("staying", 0)];
  const podsOf = async (): Promise<Json[]> => arrayAt(await api.get(core("pods")));
  const pods = await eventually("four pods", async () => {
    const found = await podsOf();
    return found.length === 4 && found;
  });
  const names = pods.map((each) => String(pick(each, "metadata.name"))).toSorted();
  const shared = names.slice(0, 2);
  const reference = {
    apiVersion: "v1",
    kind: "ReplicationController",
    name: "staying",
    uid: pick(staying, "metadata.uid"),
  };
  for (const name of shared)
    await api.patch(core("pods", name), { metadata: { ownerReferences: [reference] } }, "strategic-merge");
  const owners = arrayAt(await api.get(core("pods", shared[0]!)), "metadata.ownerReferences");
  assert.equal(owners.length, 2);
  const asked = await api.expect("DELETE", `${controllers}/going`, {
    propagationPolicy: "Foreground",
    preconditions: { uid: pick(going, "metadata.uid") },
  });
  assert.ok((pick(asked, "metadata.finalizers") as string[]).includes("foregroundDeletion"));
  await eventually("the owner to go", async () => (await api.request("GET", `${controllers}/going`)).status === 404);
  const left = await podsOf();
  assert.deepEqual(left.map((each) => String(pick(each, "metadata.name"))).toSorted(), shared);
  for (const each of left) {
    assert.equal(pick(each, "metadata.deletionTimestamp"), undefined);
    const [only, ...more] = arrayAt(each, "metadata.ownerReferences");
    assert.deepEqual([only?.name, only?.uid, more.length], ["staying", pick(staying, "metadata.uid"), 0]);
  }
}

const unknownAndDuplicate = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"strict"},"spec":{
  "unknown1":"a","unknownDup":"b","unknownDup":"c","paused":true,"paused":false,"replicas":1,"selector":{"matchLabels":{"app":"strict"}},
  "template":{"metadata":{"labels":{"app":"strict"}},"spec":{"containers":[{"name":"main","image":"a","unknownNested":"v",
  "imagePullPolicy":"Always","imagePullPolicy":"Never"}]}}}}`;

async function strictTyped({ api, at }: Scene): Promise<void> {
  const deployments = at("apps/v1", "deployments");
  const strict = await api.request("POST", `${deployments}?fieldValidation=Strict`, unknownAndDuplicate);
  assert.equal(strict.status, 400);
  for (const part of [
    `unknown field "spec.unknown1"`,
    `unknown field "spec.template.spec.containers[0].unknownNested"`,
    `duplicate field "spec.paused"`,
    `duplicate field "spec.template.spec.containers[0].imagePullPolicy"`,
  ])
    assert.ok(String(strict.body.message).includes(part), `${part} in ${String(strict.body.message)}`);
  const warned = await api.request("POST", `${deployments}?fieldValidation=Warn&dryRun=All`, unknownAndDuplicate);
  assert.equal(warned.status, 201);
  for (const part of [/unknown field \\"spec.unknown1\\"/, /unknownNested/, /duplicate field \\"spec.paused\\"/])
    assert.match(String(warned.headers.warning), part);
  const ignored = await api.request("POST", `${deployments}?fieldValidation=Ignore&dryRun=All`, unknownAndDuplicate);
  assert.equal(ignored.status, 201);
  assert.equal(ignored.headers.warning, undefined);
}

async function aggregatedDiscovery({ api }: Scene): Promise<void> {
  for (const version of ["v2", "v2beta1"]) {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    for (const [path, group] of [
      ["/api", ""],
      ["/apis", "apps"],
    ] as const) {
      const answer = await api.request("GET", path, undefined, { headers: { accept } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], accept);
      assert.equal(answer.body.kind, "APIGroupDiscoveryList");
      const groups = arrayAt(answer.body).map((item) => pick(item, "metadata.name") ?? "");
      assert.ok(groups.includes(group));
    }
  }
}

async function everyGroupHasResources({ api }: Scene): Promise<void> {
  const groups = arrayAt(await api.get("/apis"), "groups");
  assert.ok(groups.length >= 18);
  for (const group of groups) {
    assert.ok(pick(group, "preferredVersion.groupVersion") !== undefined);
    for (const version of arrayAt(group, "versions")) {
      const list = await api.get(`/apis/${String(version.groupVersion)}`);
      assert.equal(list.groupVersion, version.groupVersion);
      assert.ok(arrayAt(list, "resources").some(({ name, kind }) => name !== "" && kind !== ""));
    }
  }
}

async function tableIsRefused({ api }: Scene): Promise<void> {
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: { verb: "get", resource: "pods" } },
  };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  assert.equal((await api.request("POST", path, review, { headers: { accept } })).status, 406);
}

async function serverVersion({ api }: Scene): Promise<void> {
  const version = await api.get("/version");
  assert.match(String(version.major), /^[0-9]+$/);
  assert.match(String(version.minor), /^[0-9]+$/);
}

async function eventLife({ api, core, namespace }: Scene): Promise<void> {
  const involvedObject = { kind: "Pod", namespace, name: "observed" };
  const first = await api.create(core("events"), {
    metadata: { name: "observed", labels: { "testevent-constant": "true" } },
    message: "something happened",
    reason: "Tested",
    type: "Normal",
    involvedObject,
    source: { component: "test" },
    count: 1,
  });
  assert.equal(first.message, "something happened");
  const selector = "fieldSelector=involvedObject.kind%3DPod%2Creason%3DTested&labelSelector=testevent-constant%3Dtrue";
  assert.equal(arrayAt(await api.get(`${core("events")}?${selector}`)).length, 1);
  assert.equal(arrayAt(await api.get(`/api/v1/events?${selector}`)).length, 1);
  const patched = await api.patch(core("events", "observed"), { message: "something else" }, "strategic-merge");
  assert.equal(patched.message, "something else");
  const series = { count: 100, lastObservedTime: "2014-01-02T03:04:05.000000Z" };
  const updated = await api.expect("PUT", core("events", "observed"), { ...patched, series });
  assert.deepEqual(updated.series, series);
  await api.expect("DELETE", core("events", "observed"));
  assert.equal(arrayAt(await api.get(`${core("events")}?${selector}`)).length, 0);
}

const ownerThatWaits = "owner that's waiting for dependents to be deleted [Serial]";

export const apiMachinery: Readonly<Record<string, Conformance>> = {
  "API priority and fairness should support FlowSchema API operations": (scene) =>
    everyVerb(scene, {
      groupVersion: flowControl,
      resource: "flowschemas",
      kind: "FlowSchema",
      spec: flowSchema(),
      change: { patch: { spec: { matchingPrecedence: 9999 } }, path: "spec.matchingPrecedence", expected: 9999 },
      subresources: [
        {
          name: "status",
          patch: { status: { conditions: [{ type: "Dangling", status: "True", reason: "Test", message: "m" }] } },
          path: "status.conditions.0.reason",
          expected: "Test",
        },
      ],
    }),
  "API priority and fairness should support PriorityLevelConfiguration API operations": (scene) =>
    everyVerb(scene, {
      groupVersion: flowControl,
      resource: "prioritylevelconfigurations",
      kind: "PriorityLevelConfiguration",
      spec: priorityLevel(),
      change: {
        patch: { spec: { limited: { nominalConcurrencyShares: 4 } } },
        path: "spec.limited.nominalConcurrencyShares",
        expected: 4,
      },
      subresources: [
        {
          name: "status",
          patch: { status: { conditions: [{ type: "Test", status: "True", reason: "Test", message: "m" }] } },
          path: "status.conditions.0.reason",
          expected: "Test",
        },
      ],
    }),
  "AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers": aggregatedDiscovery,
  "Discovery should locate the groupVersion and a resource within each APIGroup": everyGroupHasResources,
  "FieldValidation should detect unknown and duplicate fields of a typed object": strictTyped,
  "Garbage collector should delete RS created by deployment when not orphaning": replicaSetIsCollected,
  [`Garbage collector should not delete dependents that have both valid owner and ${ownerThatWaits}`]: secondOwnerKeeps,
  "Namespaces [Serial] should apply a finalizer to a Namespace": namespaceFinalizer,
  "Namespaces [Serial] should apply an update to a Namespace": namespaceUpdate,
  "Namespaces [Serial] should apply changes to a namespace status": namespaceStatus,
  "Namespaces [Serial] should ensure that all pods are removed when a namespace is deleted": namespaceRemovesPods,
  "OrderedNamespaceDeletion namespace deletion should delete pod first": podsGoFirst,
  "Servers with support for Table transformation should return a 406 for a backend which does not implement metadata":
    tableIsRefused,
  "Watchers should observe an object deletion if it stops meeting the requirements of the selector":
    selectorTransitions,
  "Watchers should receive events on concurrent watches in same order": watchersAgree,
  "server version should find the server version": serverVersion,
  "Events should manage the lifecycle of an event": eventLife,
};
