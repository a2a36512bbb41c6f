import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";

const only = ["garbage-collection", "namespace"];

interface Owner {
  readonly name: string;
  readonly uid: string;
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly blockOwnerDeletion?: boolean;
}

function map(
  cluster: ModelCluster,
  name: string,
  owners: readonly Owner[] = [],
  more: Record<string, unknown> = {},
): string {
  const ownerReferences = owners.map((owner) => ({ apiVersion: "v1", kind: "ConfigMap", ...owner }));
  const metadata = { name, namespace: "default", ...(owners.length === 0 ? {} : { ownerReferences }), ...more };
  return cluster.api.put("configmaps", { metadata }).metadata.uid;
}

function names(cluster: ModelCluster): string[] {
  return cluster.api
    .list("configmaps")
    .map((object) => object.metadata.name)
    .sort();
}

function deleting(cluster: ModelCluster, name: string, finalizer: string): void {
  const { metadata } = cluster.api.get("configmaps", `default/${name}`)!;
  cluster.api.put("configmaps", {
    metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [finalizer] },
  });
}

test("an object goes when all its owners are gone, and its dependents after it", async () => {
  const cluster = await createModelCluster({ only });
  const uid = map(cluster, "owner");
  const child = map(cluster, "child", [{ name: "owner", uid }]);
  map(cluster, "grandchild", [{ name: "child", uid: child }]);
  const other = map(cluster, "other");
  map(cluster, "shared", [
    { name: "owner", uid },
    { name: "other", uid: other },
  ]);
  await cluster.quiesce();
  assert.equal(names(cluster).length, 5);
  cluster.api.remove("configmaps", "default/owner");
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["other", "shared"]);
  const left = cluster.api.get("configmaps", "default/shared")!.metadata.ownerReferences;
  assert.deepEqual(
    left?.map((owner) => owner.uid),
    [other],
  );
  assert.deepEqual(cluster.problems, []);
});

test("owners in a circle are said, and nothing is deleted or written for ever", async () => {
  const cluster = await createModelCluster({ only });
  const a = map(cluster, "a");
  const b = map(cluster, "b", [{ name: "a", uid: a }]);
  const self = map(cluster, "self");
  for (const [name, owner, uid] of [
    ["a", "b", b],
    ["self", "self", self],
  ] as const) {
    const { metadata } = cluster.api.get("configmaps", `default/${name}`)!;
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: owner, uid }];
    cluster.api.put("configmaps", { metadata: { ...metadata, ownerReferences } });
  }
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["a", "b", "self"]);
  const told = cluster.api.list("events").filter((event) => event["reason"] === "OwnerCycle");
  assert.deepEqual(told.map((event) => String(event["message"]).split(";")[0]).sort(), [
    "it is owned by itself: a -> b -> a",
    "it is owned by itself: self -> self",
  ]);
  const written = cluster.api.writes.length;
  await cluster.time.advance(60_000);
  assert.equal(cluster.api.writes.length, written);
});

test("an owner in another namespace is none, and that is said", async () => {
  const cluster = await createModelCluster({ only });
  const uid = map(cluster, "owner", [], { namespace: "other" });
  map(cluster, "child", [{ name: "owner", uid }]);
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["owner"]);
  const [told] = cluster.api.list("events");
  assert.equal(told?.["reason"], "OwnerRefInvalidNamespace");
  assert.match(String(told?.["message"]), /does not exist in namespace "default"$/);
});

test("an owner of the same name with another uid is another object", async () => {
  const cluster = await createModelCluster({ only });
  map(cluster, "owner");
  map(cluster, "child", [{ name: "owner", uid: "an earlier one" }]);
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["owner"]);
});

test("an owner of a kind that nobody serves is no reason to delete", async () => {
  const cluster = await createModelCluster({ only });
  map(cluster, "child", [{ apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "u" }]);
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["child"]);
});

test("in the foreground the owner waits for dependents that block it, and not for others", async () => {
  const cluster = await createModelCluster({ only });
  const uid = map(cluster, "owner");
  map(cluster, "blocking", [{ name: "owner", uid, blockOwnerDeletion: true }], { finalizers: ["example.com/held"] });
  map(cluster, "free", [{ name: "owner", uid }]);
  deleting(cluster, "owner", "foregroundDeletion");
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["blocking", "owner"]);
  cluster.api.remove("configmaps", "default/blocking");
  await cluster.quiesce();
  assert.deepEqual(names(cluster), []);
});

test("owners that wait for each other in a circle all go", async () => {
  const cluster = await createModelCluster({ only });
  const first = map(cluster, "first");
  const second = map(cluster, "second", [{ name: "first", uid: first, blockOwnerDeletion: true }]);
  const { metadata } = cluster.api.get("configmaps", "default/first")!;
  const ownerReferences = [
    { apiVersion: "v1", kind: "ConfigMap", name: "second", uid: second, blockOwnerDeletion: true },
  ];
  cluster.api.put("configmaps", { metadata: { ...metadata, ownerReferences } });
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["first", "second"]);
  deleting(cluster, "first", "foregroundDeletion");
  await cluster.quiesce();
  assert.deepEqual(names(cluster), []);
});

test("orphaning frees the dependents before the owner goes", async () => {
  const cluster = await createModelCluster({ only });
  const uid = map(cluster, "owner");
  map(cluster, "child", [{ name: "owner", uid }]);
  await cluster.quiesce();
  deleting(cluster, "owner", "orphan");
  await cluster.quiesce();
  assert.deepEqual(names(cluster), ["child"]);
  assert.equal(cluster.api.get("configmaps", "default/child")!.metadata.ownerReferences, undefined);
});

test("a namespace's pods go before anything else in it, and it says what holds it up", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("namespaces", { metadata: { name: "team" }, spec: { finalizers: ["kubernetes"] } });
  cluster.api.put("networkpolicies", { metadata: { name: "wall", namespace: "team" } });
  cluster.api.put("events", { metadata: { name: "news", namespace: "team" } });
  cluster.api.put("pods", {
    metadata: { name: "web", namespace: "team", finalizers: ["example.com/held"] },
    spec: { nodeName: "n1" },
  });
  await cluster.quiesce();
  const { metadata } = cluster.api.get("namespaces", "team")!;
  cluster.api.put("namespaces", { metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
  await cluster.time.advance(5000);
  assert.equal(cluster.api.list("networkpolicies").length, 1, "the wall stands while a pod is left");
  assert.notEqual(cluster.api.get("pods", "team/web")!.metadata.deletionTimestamp, undefined);
  const conditions = cluster.api.get("namespaces", "team")!.status!["conditions"] as {
    type: string;
    status: string;
    message: string;
  }[];
  const held = conditions.find((condition) => condition.type === "NamespaceFinalizersRemaining")!;
  assert.match(held.message, /example\.com\/held in 1 resource instances/);
  cluster.api.remove("pods", "team/web");
  await cluster.time.advance(5000);
  assert.deepEqual([cluster.api.list("networkpolicies").length, cluster.api.list("events").length], [0, 0]);
  assert.equal(cluster.api.get("namespaces", "team"), undefined);
});

test("what may not be deleted keeps its namespace, says so there, and keeps nothing else back", async () => {
  const cluster = await createModelCluster({ only });
  cluster.api.put("namespaces", { metadata: { name: "team" }, spec: { finalizers: ["kubernetes"] } });
  for (const name of ["a", "kept", "z"]) cluster.api.put("configmaps", { metadata: { name, namespace: "team" } });
  cluster.api.put("secrets", { metadata: { name: "token", namespace: "team" } });
  await cluster.quiesce();
  cluster.api.refuse = (method, path) =>
    method === "DELETE" && path.includes("/configmaps/kept")
      ? { code: 403, reason: "Forbidden", message: 'configmaps "kept" is forbidden: this one is kept' }
      : undefined;
  const failure = (): { status: string; message: string } =>
    (
      cluster.api.get("namespaces", "team")!.status!["conditions"] as {
        type: string;
        status: string;
        message: string;
      }[]
    ).find(({ type }) => type === "NamespaceDeletionContentFailure")!;
  const { metadata } = cluster.api.get("namespaces", "team")!;
  cluster.api.put("namespaces", { metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
  await cluster.time.advance(5000);
  assert.deepEqual(
    [...cluster.api.list("configmaps"), ...cluster.api.list("secrets")].map((left) => left.metadata.name),
    ["kept"],
  );
  assert.equal(failure().status, "True");
  assert.match(failure().message, /1 remaining: configmaps "kept" is forbidden: this one is kept/);
  const before = cluster.api.writes.length;
  await cluster.time.advance(60_000);
  const since = cluster.api.writes.slice(before);
  assert.deepEqual(
    since.filter(({ status }) => status < 400),
    [],
    "what is said once is not said again",
  );
  assert.ok(since.length < 60, `${since.length} tries in a minute`);
  cluster.api.refuse = undefined;
  await cluster.time.advance(600_000);
  assert.equal(cluster.api.get("namespaces", "team"), undefined);
});
