import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node, PersistentVolumeClaim, Pod } from "#api/generated/core-v1.ts";
import type { Ingress } from "#api/generated/networking-v1.ts";
import {
  ingressclasses,
  ingresses,
  nodes,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  runtimeclasses,
  storageclasses,
} from "#api/generated/resources.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import {
  defaultIngressClass,
  podTopologyLabels,
  runtimeClass,
  taintNodesByCondition,
} from "./pod-and-node-defaults.ts";
import { admit, requestFor } from "./request-in-tests.ts";
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from "./storage.ts";

const objects = new StoredInTests();
const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };
const early = { creationTimestamp: "2026-01-01T00:00:00Z", annotations: isDefault };
const late = { creationTimestamp: "2026-01-02T00:00:00Z", annotations: isDefault };
objects.put(storageclasses, { metadata: { name: "early", ...early } });
objects.put(storageclasses, { metadata: { name: "late", ...late }, allowVolumeExpansion: true });
objects.put(ingressclasses, {
  metadata: { name: "ours", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
});
objects.put(nodes, { metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "z", other: "x" } } });
objects.put(runtimeclasses, {
  metadata: { name: "sandbox" },
  overhead: { podFixed: { cpu: "250m" } },
  scheduling: { nodeSelector: { kvm: "yes" }, tolerations: [{ key: "kvm", operator: "Exists" }] },
});

function claim(storageClassName?: string, storage = "1Gi", phase = "Bound"): PersistentVolumeClaim {
  const spec = { resources: { requests: { storage } }, ...(storageClassName !== undefined && { storageClassName }) };
  return { metadata: { name: "c", namespace: "shop" }, spec, status: { phase } };
}

test("a claim that names no class gets the newest default", async () => {
  const cases = [
    [undefined, "late"],
    ["", ""],
    ["early", "early"],
  ] as const;
  for (const [asked, expected] of cases) {
    const object = claim(asked);
    await admit(defaultStorageClass(objects), requestFor(persistentvolumeclaims, { object }));
    assert.equal(object.spec.storageClassName, expected);
  }
});

test("a claim grows when it is bound and its class lets it", async () => {
  const grow = (name: string, to: string, phase?: string): Promise<string | undefined> =>
    admit(
      persistentVolumeClaimResize(objects),
      requestFor(persistentvolumeclaims, { object: claim(name, to), oldObject: claim(name, "1Gi", phase) }),
    );
  assert.equal(await grow("late", "2Gi"), undefined);
  assert.equal(await grow("early", "1024Mi"), undefined);
  assert.match((await grow("early", "2Gi")) ?? "", /storageclass that provisions the pvc must support resize/);
  assert.match((await grow("late", "2Gi", "Pending")) ?? "", /Only bound/);
});

test("volumes and claims are protected while in use", async () => {
  for (const [resource, finalizer] of [
    [persistentvolumeclaims, "kubernetes.io/pvc-protection"],
    [persistentvolumes, "kubernetes.io/pv-protection"],
  ] as const) {
    const object = { metadata: { name: "x", finalizers: ["mine"] } };
    await admit(storageObjectInUseProtection(), requestFor(resource, { object }));
    await admit(storageObjectInUseProtection(), requestFor(resource, { object }));
    assert.deepEqual(object.metadata.finalizers, ["mine", finalizer]);
  }
});

test("an Ingress that names no class gets the default one", async () => {
  const plain: Ingress = { metadata: { name: "i", namespace: "shop" }, spec: {}, status: { loadBalancer: {} } };
  const own: Ingress = { ...plain, spec: { ingressClassName: "theirs" } };
  for (const object of [plain, own]) await admit(defaultIngressClass(objects), requestFor(ingresses, { object }));
  assert.deepEqual([plain.spec.ingressClassName, own.spec.ingressClassName], ["ours", "theirs"]);
});

test("a new node takes no pods before it was seen ready", async () => {
  const object: Partial<Node> & { metadata: { name: string } } = { metadata: { name: "n" } };
  await admit(taintNodesByCondition(), requestFor(nodes, { object }));
  await admit(taintNodesByCondition(), requestFor(nodes, { object }));
  assert.deepEqual(object.spec?.taints, [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }]);
});

test("a pod gets what its runtime class brings", async () => {
  const pod = (spec: Partial<Pod["spec"]>): Pod => ({
    metadata: { name: "p", namespace: "shop" },
    spec: { containers: [], ...spec },
    status: {},
  });
  const plugin = runtimeClass(objects);
  const check = (object: Pod): Promise<string | undefined> => admit(plugin, requestFor(pods, { object }));
  const sandboxed = pod({ runtimeClassName: "sandbox" });
  assert.equal(await check(sandboxed), undefined);
  assert.deepEqual(sandboxed.spec.overhead, { cpu: "250m" });
  assert.deepEqual(sandboxed.spec.nodeSelector, { kvm: "yes" });
  assert.deepEqual(sandboxed.spec.tolerations, [{ key: "kvm", operator: "Exists" }]);
  assert.match((await check(pod({ runtimeClassName: "none" }))) ?? "", /RuntimeClass "none" not found/);
  assert.match((await check(pod({ overhead: { cpu: "1" } }))) ?? "", /without corresponding RuntimeClass/);
  const other = pod({ runtimeClassName: "sandbox", overhead: { cpu: "1" } });
  assert.match((await check(other)) ?? "", /doesn't match/);
  const elsewhere = pod({ runtimeClassName: "sandbox", nodeSelector: { kvm: "no" } });
  assert.match((await check(elsewhere)) ?? "", /conflict/);
});

test("a binding learns zone and region of its node", async () => {
  const object: { metadata: { name: string; namespace: string; labels?: object }; target: object } = {
    metadata: { name: "p", namespace: "shop" },
    target: { kind: "Node", name: "n1" },
  };
  await admit(podTopologyLabels(objects), requestFor(pods, { subresource: "binding", object }));
  assert.deepEqual(object.metadata.labels, { "topology.kubernetes.io/zone": "z" });
});
