import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceQuotaSpec } from "#api/generated/core-v1.ts";
import {
  configmaps,
  deployments,
  persistentvolumeclaims,
  pods,
  resourceclaims,
  resourcequotas,
  services,
} from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { admit, requestFor } from "./request-in-tests.ts";
import { resourceQuota } from "./resource-quota.ts";

interface World {
  readonly objects: StoredInTests;
  create(resource: Resource<unknown>, name: string, spec?: object, status?: object): Promise<string | undefined>;
  update(resource: Resource<unknown>, name: string, spec: object): Promise<string | undefined>;
}

/** A namespace with one quota; what passes is stored in the same turn, as the pipeline does it. */
function world(quota: ResourceQuotaSpec): World {
  const objects = new StoredInTests();
  objects.put(resourcequotas, { metadata: { name: "q", namespace: "shop" }, spec: quota });
  const plugin = resourceQuota(objects);
  const write = async (
    resource: Resource<unknown>,
    name: string,
    spec: object,
    status: object,
    old: object | undefined,
  ): Promise<string | undefined> => {
    const object = { metadata: { name, namespace: "shop" }, spec, status };
    const request = requestFor(resource, { object, ...(old === undefined ? {} : { oldObject: old }) });
    const verdict = plugin.validate?.(request);
    assert.ok(verdict !== undefined && !(verdict instanceof Promise), "the step is synchronous");
    if (verdict.allowed) objects.put(resource, object);
    return verdict.allowed ? undefined : verdict.message;
  };
  return {
    objects,
    create: (resource, name, spec = {}, status = {}) => write(resource, name, spec, status, undefined),
    update: (resource, name, spec) => write(resource, name, spec, {}, objects.get(resource, "shop", name)),
  };
}

const taking = (requests: object, limits?: object): object => ({
  containers: [{ name: "c", resources: { requests, ...(limits && { limits }) } }],
});

test("the object that would be one too many is refused with the numbers", async () => {
  const { create } = world({ hard: { pods: "2" } });
  assert.equal(await create(pods, "a", taking({})), undefined);
  assert.equal(await create(pods, "b", taking({})), undefined);
  assert.equal(
    await create(pods, "c", taking({})),
    "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
  );
});

test("of many at once, no more pass than have room", async () => {
  const { create } = world({ hard: { configmaps: "5" } });
  const results = await Promise.all(Array.from({ length: 20 }, (_, index) => create(configmaps, `c${index}`)));
  assert.equal(results.filter((result) => result === undefined).length, 5);
});

test("what is gone or has ended makes room", async () => {
  const { create, objects } = world({ hard: { pods: "1" } });
  await create(pods, "a", taking({}));
  assert.ok(await create(pods, "b", taking({})));
  objects.put(pods, {
    metadata: { name: "a", namespace: "shop" },
    spec: taking({}),
    status: { phase: "Succeeded" },
  });
  assert.equal(await create(pods, "b", taking({})), undefined);
  objects.remove(pods, "shop", "b");
  assert.equal(await create(pods, "c", taking({})), undefined);
});

test("processor and memory are added up exactly", async () => {
  const { create } = world({ hard: { "requests.cpu": "1", "limits.memory": "1Gi" } });
  assert.equal(await create(pods, "a", taking({ cpu: "900m" }, { memory: "512Mi" })), undefined);
  assert.equal(
    await create(pods, "b", taking({ cpu: "101m" }, { memory: "1Mi" })),
    "exceeded quota: q, requested: requests.cpu=101m, used: requests.cpu=900m, limited: requests.cpu=1",
  );
  assert.equal(await create(pods, "b", taking({ cpu: "100m" }, { memory: "512Mi" })), undefined);
});

test("a pod takes its runtime's overhead, and while it is resized the larger of what it has and asks for", async () => {
  const { create } = world({ hard: { "requests.cpu": "3", "limits.ephemeral-storage": "1Gi" } });
  const overhead = { cpu: "500m", "ephemeral-storage": "2Gi" };
  const status = { containerStatuses: [{ name: "c", resources: { requests: { cpu: "2" } } }] };
  // No limit of ephemeral storage is none, whatever the overhead.
  assert.equal(await create(pods, "a", { ...taking({ cpu: "1" }), overhead }, status), undefined);
  assert.equal(
    await create(pods, "b", taking({ cpu: "501m" })),
    "exceeded quota: q, requested: requests.cpu=501m, used: requests.cpu=2500m, limited: requests.cpu=3",
  );
  assert.equal(await create(pods, "b", taking({ cpu: "500m" })), undefined);
});

test("what a quota counts must be stated", async () => {
  const { create } = world({ hard: { "limits.cpu": "1", memory: "1Gi" } });
  assert.equal(await create(pods, "a", taking({})), "failed quota: q: must specify limits.cpu for: c; memory for: c");
});

test("an update is charged for what it adds", async () => {
  const { create, update } = world({ hard: { "requests.storage": "10Gi" } });
  const claim = (storage: string): object => ({ resources: { requests: { storage } } });
  assert.equal(await create(persistentvolumeclaims, "a", claim("6Gi")), undefined);
  assert.equal(await update(persistentvolumeclaims, "a", claim("10Gi")), undefined);
  assert.match(
    (await update(persistentvolumeclaims, "a", claim("11Gi"))) ?? "",
    /requested: requests\.storage=1Gi, used: requests\.storage=10Gi/,
  );
  assert.equal(await update(persistentvolumeclaims, "a", claim("10Gi")), undefined);
});

test("kinds of every group can be counted", async () => {
  const { create } = world({ hard: { "count/deployments.apps": "1", "services.nodeports": "2" } });
  assert.equal(await create(deployments, "a"), undefined);
  assert.match((await create(deployments, "b")) ?? "", /count\/deployments\.apps=1/);
  assert.match(
    (await create(services, "s", { type: "NodePort", ports: [{ port: 1 }, { port: 2 }, { port: 3 }] })) ?? "",
    /services\.nodeports=3/,
  );
});

const scopes: readonly [string, ResourceQuotaSpec, object, boolean][] = [
  ["BestEffort, a pod without requests", { scopes: ["BestEffort"] }, taking({}), true],
  ["BestEffort, a pod with requests", { scopes: ["BestEffort"] }, taking({ cpu: "1" }), false],
  ["NotBestEffort, a pod with requests", { scopes: ["NotBestEffort"] }, taking({ cpu: "1" }), true],
  ["Terminating, a pod that ends", { scopes: ["Terminating"] }, { ...taking({}), activeDeadlineSeconds: 1 }, true],
  [
    "NotTerminating, a pod that ends",
    { scopes: ["NotTerminating"] },
    { ...taking({}), activeDeadlineSeconds: 1 },
    false,
  ],
  [
    "a priority class, a pod of it",
    { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }] } },
    { ...taking({}), priorityClassName: "high" },
    true,
  ],
  [
    "a priority class, another pod",
    { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }] } },
    taking({}),
    false,
  ],
];
for (const [name, spec, pod, counted] of scopes) {
  test(`a quota for ${name}: ${counted ? "counts" : "does not count"}`, async () => {
    const { create } = world({ ...spec, hard: { pods: "0" } });
    const message = await create(pods, "a", pod);
    assert.equal(message !== undefined, counted);
  });
}

test("a quota of one class of attributes refuses claims of that class alone, and lets none change over to it", async () => {
  const gold = { scopeName: "VolumeAttributesClass", operator: "In", values: ["gold"] };
  const { create, update } = world({
    hard: { persistentvolumeclaims: "0" },
    scopeSelector: { matchExpressions: [gold] },
  });
  const silver = { volumeAttributesClassName: "silver" };
  assert.equal(await create(persistentvolumeclaims, "a", silver), undefined);
  assert.match(
    (await create(persistentvolumeclaims, "b", { volumeAttributesClassName: "gold" })) ?? "",
    /exceeded quota/,
  );
  assert.match(
    (await update(persistentvolumeclaims, "a", { volumeAttributesClassName: "gold" })) ?? "",
    /exceeded quota/,
  );
});

test("claims of devices are refused by what they may get", async () => {
  const { create } = world({ hard: { "gpu.deviceclass.resource.k8s.io/devices": "3" } });
  const devices = (count: number): object => ({
    devices: { requests: [{ name: "one", exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count } }] },
  });
  assert.equal(await create(resourceclaims, "a", devices(2)), undefined);
  assert.match((await create(resourceclaims, "b", devices(2))) ?? "", /requested: gpu.deviceclass.*=2, used: .*=2/);
});

test("deletions and other namespaces are not judged", async () => {
  const objects = new StoredInTests();
  objects.put(resourcequotas, { metadata: { name: "q", namespace: "other" }, spec: { hard: { pods: "0" } } });
  const object = { metadata: { name: "a", namespace: "shop" }, spec: taking({}) };
  assert.equal(await admit(resourceQuota(objects), requestFor(pods, { object })), undefined);
  assert.equal(
    await admit(
      resourceQuota(objects),
      requestFor(pods, { operation: "DELETE", namespace: "other", oldObject: object }),
    ),
    undefined,
  );
});
