import assert from "node:assert/strict";
import { test } from "node:test";
import type { LimitRangeItem, Pod, PodSpec } from "#api/generated/core-v1.ts";
import { limitranges, persistentvolumeclaims, pods, priorityclasses } from "#api/generated/resources.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { limitRanger } from "./limit-ranger.ts";
import { priority } from "./priority.ts";
import { admit, requestFor } from "./request-in-tests.ts";

function podWith(spec: Partial<PodSpec>): Pod {
  return { metadata: { name: "p", namespace: "shop" }, spec: { containers: [], ...spec }, status: {} };
}

const notReady = {
  key: "node.kubernetes.io/not-ready",
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300,
};
const unreachable = { ...notReady, key: "node.kubernetes.io/unreachable" };
const tolerationCases: readonly [string, PodSpec["tolerations"], unknown[]][] = [
  ["nothing", undefined, [notReady, unreachable]],
  ["everything", [{ operator: "Exists" }], [{ operator: "Exists" }]],
  [
    "a node that is not ready",
    [{ key: notReady.key, operator: "Exists" }],
    [{ key: notReady.key, operator: "Exists" }, unreachable],
  ],
  [
    "the same without execution",
    [{ key: notReady.key, effect: "NoSchedule" }],
    [{ key: notReady.key, effect: "NoSchedule" }, notReady, unreachable],
  ],
];
for (const [name, tolerations, expected] of tolerationCases) {
  test(`a pod that tolerates ${name}`, async () => {
    const pod = podWith(tolerations === undefined ? {} : { tolerations });
    await admit(defaultTolerationSeconds(), requestFor(pods, { object: pod }));
    assert.deepEqual(pod.spec.tolerations, expected);
  });
}

const classes = new StoredInTests();
classes.put(priorityclasses, { metadata: { name: "high" }, value: 1000 });
classes.put(priorityclasses, { metadata: { name: "polite" }, value: 500, preemptionPolicy: "Never" });
const withDefault = new StoredInTests();
withDefault.put(priorityclasses, { metadata: { name: "usual" }, value: 7, globalDefault: true });
const priorityCases: readonly [string, StoredInTests, Partial<PodSpec>, Partial<PodSpec> | RegExp][] = [
  ["no class", classes, {}, { priority: 0, preemptionPolicy: "PreemptLowerPriority" }],
  ["a class", classes, { priorityClassName: "high" }, { priority: 1000, preemptionPolicy: "PreemptLowerPriority" }],
  [
    "a class that does not preempt",
    classes,
    { priorityClassName: "polite" },
    { priority: 500, preemptionPolicy: "Never" },
  ],
  ["a class that does not exist", classes, { priorityClassName: "none" }, /no PriorityClass with name none was found/],
  ["a number of its own", classes, { priority: 5 }, /integer value of priority \(5\) must not be provided/],
  ["the number of its class", classes, { priorityClassName: "high", priority: 1000 }, { priority: 1000 }],
  [
    "a policy of its own",
    classes,
    { priorityClassName: "high", preemptionPolicy: "Never" },
    /PreemptionPolicy \(Never\) must not be provided/,
  ],
  ["the default class", withDefault, {}, { priorityClassName: "usual", priority: 7 }],
];
for (const [name, objects, spec, expected] of priorityCases) {
  test(`a pod with ${name}`, async () => {
    const pod = podWith(spec);
    const message = await admit(priority(objects), requestFor(pods, { object: pod }));
    if (expected instanceof RegExp) return assert.match(message ?? "", expected);
    assert.equal(message, undefined);
    for (const [field, value] of Object.entries(expected)) assert.equal(pod.spec[field as keyof PodSpec], value);
  });
}

test("one class is the default at most", async () => {
  const object = { metadata: { name: "other" }, value: 1, globalDefault: true };
  assert.match(
    (await admit(priority(withDefault), requestFor(priorityclasses, { object }))) ?? "",
    /usual is already marked as default/,
  );
  assert.equal(await admit(priority(classes), requestFor(priorityclasses, { object })), undefined);
});

function limited(...limits: LimitRangeItem[]): StoredInTests {
  const objects = new StoredInTests();
  objects.put(limitranges, { metadata: { name: "l", namespace: "shop" }, spec: { limits } });
  return objects;
}
const container = (resources: object = {}): PodSpec["containers"][0] => ({ name: "c", image: "i", resources });

test("containers get the defaults that they lack, and the pod says so", async () => {
  const objects = limited({ type: "Container", default: { cpu: "1", memory: "1Gi" }, defaultRequest: { cpu: "100m" } });
  const pod = podWith({ containers: [container({ limits: { cpu: "2" } })], initContainers: [container()] });
  assert.equal(await admit(limitRanger(objects), requestFor(pods, { object: pod })), undefined);
  assert.deepEqual(pod.spec.containers[0]?.resources, {
    limits: { cpu: "2", memory: "1Gi" },
    requests: { cpu: "100m" },
  });
  assert.deepEqual(pod.spec.initContainers?.[0]?.resources, {
    limits: { cpu: "1", memory: "1Gi" },
    requests: { cpu: "100m" },
  });
  assert.equal(
    pod.metadata.annotations?.["kubernetes.io/limit-ranger"],
    "LimitRanger plugin set: cpu request for container c; memory limit for container c; cpu request for init container c; " +
      "cpu, memory limit for init container c",
  );
});

const limitCases: readonly [string, LimitRangeItem, object, RegExp | undefined][] = [
  [
    "within",
    { type: "Container", min: { cpu: "100m" }, max: { cpu: "1" } },
    { requests: { cpu: "500m" }, limits: { cpu: "1" } },
    undefined,
  ],
  [
    "below",
    { type: "Container", min: { cpu: "100m" } },
    { requests: { cpu: "50m" } },
    /^minimum cpu usage per Container is 100m, but request is 50m$/,
  ],
  [
    "unstated below",
    { type: "Container", min: { cpu: "100m" } },
    {},
    /^minimum cpu usage per Container is 100m\. {2}No request is specified$/,
  ],
  [
    "above",
    { type: "Container", max: { memory: "1Gi" } },
    { limits: { memory: "1025Mi" } },
    /^maximum memory usage per Container is 1Gi, but limit is 1025Mi$/,
  ],
  ["unstated above", { type: "Container", max: { cpu: "1" } }, {}, /No limit is specified$/],
  [
    "a ratio kept",
    { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
    { requests: { cpu: "1" }, limits: { cpu: "2" } },
    undefined,
  ],
  [
    "a ratio broken",
    { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
    { requests: { cpu: "1" }, limits: { cpu: "3" } },
    /but provided ratio is 3\.000000$/,
  ],
  [
    "a pod above",
    { type: "Pod", max: { cpu: "1" } },
    { limits: { cpu: "1500m" } },
    /^maximum cpu usage per Pod is 1, but limit is 1500m$/,
  ],
  [
    "two things at once",
    { type: "Container", min: { cpu: "1" }, max: { memory: "1Gi" } },
    { requests: { cpu: "1m" }, limits: { memory: "2Gi" } },
    /^\[minimum cpu usage .*, maximum memory usage .*\]$/,
  ],
];
for (const [name, item, resources, refused] of limitCases) {
  test(`a limit range: ${name}`, async () => {
    const message = await admit(
      limitRanger(limited(item)),
      requestFor(pods, { object: podWith({ containers: [container(resources)] }) }),
    );
    if (refused === undefined) assert.equal(message, undefined);
    else assert.match(message ?? "was let through", refused);
  });
}

test("a limit range: claims", async () => {
  const plugin = limitRanger(limited({ type: "PersistentVolumeClaim", max: { storage: "2Gi" } }));
  const claim = (storage: string): object => ({
    metadata: { name: "c", namespace: "shop" },
    spec: { resources: { requests: { storage } } },
  });
  assert.equal(await admit(plugin, requestFor(persistentvolumeclaims, { object: claim("2Gi") })), undefined);
  assert.match(
    (await admit(plugin, requestFor(persistentvolumeclaims, { object: claim("3Gi") }))) ?? "",
    /maximum storage usage/,
  );
});

test("a LimitRange bounds what is written: neither the runtime's overhead nor a resize counts", async () => {
  const plugin = limitRanger(limited({ type: "Pod", max: { cpu: "1" } }));
  const pod = podWith({
    containers: [container({ requests: { cpu: "1" }, limits: { cpu: "1" } })],
    overhead: { cpu: "250m" },
  });
  assert.equal(await admit(plugin, requestFor(pods, { object: pod })), undefined);
  const unlimited = podWith({ containers: [container({ requests: { cpu: "1" } })], overhead: { cpu: "250m" } });
  assert.match((await admit(plugin, requestFor(pods, { object: unlimited }))) ?? "", /No limit is specified/);
});
