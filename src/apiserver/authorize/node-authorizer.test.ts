import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ingressclasses,
  ingresses,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  volumeattachments,
} from "#api/generated/resources.ts";
import type { Attributes } from "../authorizer.ts";
import { nodeRules } from "../bootstrap/component-roles.ts";
import { createNodeAuthorizer } from "./node-authorizer.ts";
import { StoredInTests } from "./stored-in-tests.ts";

const objects = new StoredInTests();
const authorizer = createNodeAuthorizer({ objects, nodeRules, ingressController: "ours/ingress" });
const container = { name: "c", envFrom: [{ secretRef: { name: "from" } }] };
objects.put(pods, {
  metadata: { name: "p", namespace: "shop" },
  spec: {
    nodeName: "n1",
    serviceAccountName: "web",
    imagePullSecrets: [{ name: "pull" }],
    containers: [{ name: "c", env: [{ name: "E", valueFrom: { secretKeyRef: { name: "env", key: "k" } } }] }],
    initContainers: [container],
    ephemeralContainers: [
      { name: "e", env: [{ name: "E", valueFrom: { configMapKeyRef: { name: "map", key: "k" } } }] },
    ],
    volumes: [
      { name: "v", persistentVolumeClaim: { claimName: "data" } },
      {
        name: "w",
        projected: { sources: [{ secret: { name: "projected" } }, { configMap: { name: "kube-root-ca.crt" } }] },
      },
      { name: "x", ephemeral: {} },
    ],
  },
});
objects.put(persistentvolumeclaims, { metadata: { name: "data", namespace: "shop" }, spec: { volumeName: "pv-1" } });
const csi = {
  nodeStageSecretRef: { name: "stage", namespace: "storage" },
  controllerPublishSecretRef: { name: "publish", namespace: "storage" },
};
objects.put(persistentvolumes, {
  metadata: { name: "pv-1" },
  spec: { claimRef: { namespace: "shop", name: "data" }, csi },
});
// It says that it belongs to the claim, and the claim knows nothing of it.
objects.put(persistentvolumes, { metadata: { name: "pv-2" }, spec: { claimRef: { namespace: "shop", name: "data" } } });
objects.put(volumeattachments, { metadata: { name: "a-1" }, spec: { nodeName: "n1" } });
objects.put(volumeattachments, { metadata: { name: "a-2" }, spec: { nodeName: "n2" } });
objects.put(ingressclasses, { metadata: { name: "ours" }, spec: { controller: "ours/ingress" } });
objects.put(ingressclasses, { metadata: { name: "theirs" }, spec: { controller: "theirs/ingress" } });
const ingress = (name: string, className: string, secretName: string): void =>
  objects.put(ingresses, {
    metadata: { name, namespace: "shop" },
    spec: { ingressClassName: className, tls: [{ secretName }] },
  });
ingress("a", "ours", "tls-ours");
ingress("b", "theirs", "tls-theirs");

function mayNode(name: string, wanted: Partial<Attributes>): boolean {
  const user = { name: `system:node:${name}`, uid: "", groups: ["system:nodes"], extra: {} };
  const nothing = { group: "", version: "v1", subresource: "", namespace: "", name: "", path: "", resource: "" };
  return authorizer.authorize({ user, verb: "get", isResource: true, ...nothing, ...wanted }).allowed;
}

const secret = (name: string): Partial<Attributes> => ({ resource: "secrets", namespace: "shop", name });
const cases: readonly [string, Partial<Attributes>, boolean][] = [
  ["a secret to pull images", secret("pull"), true],
  ["a secret in the environment", secret("env"), true],
  ["a secret in an init container's environment", secret("from"), true],
  ["a secret in a projected volume", secret("projected"), true],
  ["a secret that no pod of it names", secret("other"), false],
  ["a secret of that name elsewhere", { ...secret("env"), namespace: "other" }, false],
  ["a secret that it watches by name", { ...secret("env"), verb: "watch" }, true],
  ["all secrets", { resource: "secrets", namespace: "shop", verb: "list" }, false],
  ["a secret to change", { ...secret("env"), verb: "update" }, false],
  ["a TLS secret of an Ingress that nodes serve", secret("tls-ours"), true],
  ["a TLS secret of another controller's Ingress", secret("tls-theirs"), false],
  ["a config map of an ephemeral container", { resource: "configmaps", namespace: "shop", name: "map" }, true],
  ["its claim", { resource: "persistentvolumeclaims", namespace: "shop", name: "data" }, true],
  ["its ephemeral claim", { resource: "persistentvolumeclaims", namespace: "shop", name: "p-x" }, true],
  ["its claim's volume", { resource: "persistentvolumes", name: "pv-1" }, true],
  ["a volume that only says so", { resource: "persistentvolumes", name: "pv-2" }, false],
  ["the secret with which its volume is mounted", { ...secret("stage"), namespace: "storage" }, true],
  ["the secret with which a controller attaches it", { ...secret("publish"), namespace: "storage" }, false],
  ["its attachment", { group: "storage.k8s.io", resource: "volumeattachments", name: "a-1" }, true],
  ["another node's attachment", { group: "storage.k8s.io", resource: "volumeattachments", name: "a-2" }, false],
  [
    "pods of its own",
    { resource: "pods", verb: "watch", fieldRequirements: [{ key: "spec.nodeName", value: "n1" }] },
    true,
  ],
  [
    "pods of another node",
    { resource: "pods", verb: "watch", fieldRequirements: [{ key: "spec.nodeName", value: "n2" }] },
    false,
  ],
  ["all pods", { resource: "pods", verb: "list", fieldRequirements: [] }, false],
];
for (const [name, wanted, allowed] of cases) {
  test(`a node ${allowed ? "reads" : "does not get"} ${name}`, () => {
    assert.equal(mayNode("n1", wanted), allowed);
    if (allowed && wanted.name !== "" && wanted.name !== "tls-ours" && wanted.resource !== "pods") {
      assert.equal(mayNode("n2", wanted), false, "another node does not");
    }
  });
}

test("what its pod needed ends with the pod", () => {
  const pod = {
    metadata: { name: "short", namespace: "shop" },
    spec: { nodeName: "n1", containers: [], imagePullSecrets: [{ name: "brief" }] },
  };
  objects.put(pods, pod);
  assert.ok(mayNode("n1", secret("brief")));
  objects.remove(pods, "shop", "short");
  assert.ok(!mayNode("n1", secret("brief")));
});

test("who only has a node's name, or only its group, is no node", () => {
  const wanted = {
    verb: "get",
    isResource: true,
    group: "",
    version: "v1",
    resource: "secrets",
    subresource: "",
    path: "",
  };
  for (const user of [
    { name: "system:node:n1", uid: "", groups: [], extra: {} },
    { name: "n1", uid: "", groups: ["system:nodes"], extra: {} },
    { name: "system:node:", uid: "", groups: ["system:nodes"], extra: {} },
  ]) {
    assert.ok(!authorizer.authorize({ ...wanted, user, namespace: "shop", name: "env" }).allowed);
  }
});
