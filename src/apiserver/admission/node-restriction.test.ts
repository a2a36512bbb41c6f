import assert from "node:assert/strict";
import { test } from "node:test";
import { trafficdemands } from "#api/delivery/traffic-hold.ts";
import { trafficcounts } from "#api/delivery/traffic-split.ts";
import {
  certificatesigningrequests,
  csinodes,
  leases,
  nodes,
  persistentvolumeclaims,
  pods,
  secrets,
  serviceaccounts,
} from "#api/generated/resources.ts";
import { createCertificates } from "#world/node/certificates.ts";
import { createCrypto } from "#world/node/crypto.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import type { User } from "../user.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { admit, requestFor, type Asked } from "./request-in-tests.ts";

const certificates = createCertificates();
const user: User = { name: "system:node:n1", uid: "", groups: ["system:nodes"], extra: {} };
const objects = new StoredInTests();
objects.put(nodes, { metadata: { name: "n1", uid: "node-1" } });
const podHere = {
  metadata: { name: "here", namespace: "shop", uid: "p1" },
  spec: { nodeName: "n1", serviceAccountName: "web", containers: [], volumes: [tokenVolume("vault")] },
};
const podThere = {
  metadata: { name: "there", namespace: "shop", uid: "p2" },
  spec: { nodeName: "n2", serviceAccountName: "web", containers: [] },
};
objects.put(pods, podHere);
objects.put(pods, podThere);
const plugin = nodeRestriction({ objects, certificates });

function tokenVolume(audience: string): object {
  return { name: "t", projected: { sources: [{ serviceAccountToken: { audience, path: "token" } }] } };
}

type Parts = Record<string, unknown>;
const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid: "node-1", controller: true };
const mirror = (spec: Parts = {}, metadata: Parts = {}): object => ({
  metadata: {
    name: "m",
    namespace: "shop",
    annotations: { "kubernetes.io/config.mirror": "h" },
    ownerReferences: [owner],
    ...metadata,
  },
  spec: { nodeName: "n1", containers: [], ...spec },
});
const node = (metadata: Parts = {}, spec: Parts = {}): object => ({ metadata: { name: "n1", ...metadata }, spec });
const lease = (name: string, namespace = "kube-node-lease"): object => ({ metadata: { name, namespace }, spec: {} });
const count = (name: string, spec: Parts, metadata: Parts = {}): object => ({
  metadata: { name, namespace: "shop", ...metadata },
  spec: { split: "web", node: "n1", ...spec },
});
const demand = (name: string, spec: Parts): object => ({
  metadata: { name, namespace: "shop", ownerReferences: [hold] },
  spec: { hold: "web", node: "n1", ...spec },
});
const hold = { apiVersion: "delivery.steersman.dev/v1", kind: "TrafficHold", name: "web", uid: "h" };
const split = { apiVersion: "delivery.steersman.dev/v1", kind: "TrafficSplit", name: "web", uid: "s" };
const tokenFor = (boundObjectRef: Parts | undefined, audiences: string[] = []): object => ({
  metadata: {},
  spec: { audiences, ...(boundObjectRef && { boundObjectRef }) },
});
const bound = { apiVersion: "v1", kind: "Pod", name: "here", uid: "p1" };
const token = (object: object, name = "web"): Asked => ({ subresource: "token", namespace: "shop", name, object });
const status = (pod: { metadata: Parts; spec: Parts }, changes: Parts = {}): Asked => ({
  subresource: "status",
  oldObject: { ...pod, status: {} },
  object: { ...pod, status: { phase: "Running" }, ...changes },
});

const cases: readonly [string, Parameters<typeof requestFor>[0], Asked, RegExp | undefined][] = [
  ["what is no node's business", secrets, { object: { metadata: { name: "s", namespace: "shop" } } }, undefined],
  ["a mirror pod of its own", pods, { object: mirror() }, undefined],
  ["an ordinary pod", pods, { object: mirror({}, { annotations: {} }) }, /can only create mirror pods/],
  ["a mirror pod on another node", pods, { object: mirror({ nodeName: "n2" }) }, /spec\.nodeName set to itself/],
  ["a mirror pod without owner", pods, { object: mirror({}, { ownerReferences: [] }) }, /must have an owner reference/],
  [
    "a mirror pod with two owners",
    pods,
    { object: mirror({}, { ownerReferences: [owner, { ...owner, uid: "x" }] }) },
    /single owner reference/,
  ],
  [
    "a mirror pod of another owner",
    pods,
    { object: mirror({}, { ownerReferences: [{ ...owner, kind: "ReplicaSet" }] }) },
    /owner reference set to itself/,
  ],
  [
    "a mirror pod with a wrong uid",
    pods,
    { object: mirror({}, { ownerReferences: [{ ...owner, uid: "node-0" }] }) },
    /UID mismatch/,
  ],
  ["a mirror pod with an account", pods, { object: mirror({ serviceAccountName: "web" }) }, /service account/],
  [
    "a mirror pod with a secret",
    pods,
    { object: mirror({ volumes: [{ name: "v", secret: { secretName: "s" } }] }) },
    /secrets/,
  ],
  [
    "a mirror pod with a config map",
    pods,
    { object: mirror({ containers: [{ name: "c", envFrom: [{ configMapRef: { name: "m" } }] }] }) },
    /configmaps/,
  ],
  [
    "a mirror pod with a claim",
    pods,
    { object: mirror({ volumes: [{ name: "v", persistentVolumeClaim: { claimName: "c" } }] }) },
    /persistentvolumeclaims/,
  ],
  [
    "a mirror pod with a resource claim",
    pods,
    { object: mirror({ resourceClaims: [{ name: "r", resourceClaimName: "c" }] }) },
    /resourceclaims/,
  ],
  ["a mirror pod with a token", pods, { object: mirror({ volumes: [tokenVolume("x")] }) }, /tokens/],
  ["an update of a pod", pods, { object: podHere, oldObject: podHere }, /unexpected operation "UPDATE"/],
  ["a deletion of its pod", pods, { operation: "DELETE", oldObject: podHere }, undefined],
  ["a deletion of another node's pod", pods, { operation: "DELETE", oldObject: podThere }, /can only delete pods/],
  ["its pod's status", pods, status(podHere), undefined],
  ["another node's pod's status", pods, status(podThere), /can only update pod status for pods/],
  [
    "labels through a pod's status",
    pods,
    status(podHere, { metadata: { ...podHere.metadata, labels: { a: "b" } } }),
    /cannot update labels/,
  ],
  [
    "owners through a pod's status",
    pods,
    status(podHere, { metadata: { ...podHere.metadata, ownerReferences: [owner] } }),
    /cannot update ownerReferences/,
  ],
  [
    "claims through a pod's status",
    pods,
    status(podHere, { status: { resourceClaimStatuses: [{ name: "r", resourceClaimName: "c" }] } }),
    /resource claim statuses/,
  ],
  [
    "its pod's eviction",
    pods,
    { subresource: "eviction", namespace: "shop", name: "here", object: { metadata: {} } },
    undefined,
  ],
  [
    "another node's pod's eviction",
    pods,
    { subresource: "eviction", namespace: "shop", name: "there", object: { metadata: {} } },
    /can only evict/,
  ],
  [
    "a shell in its pod",
    pods,
    { operation: "CONNECT", subresource: "exec", namespace: "shop", name: "here" },
    /unexpected pod subresource/,
  ],
  [
    "its registration",
    nodes,
    {
      object: node(
        { labels: { "kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z", mine: "x" } },
        { taints: [{ key: "k", effect: "NoSchedule" }] },
      ),
    },
    undefined,
  ],
  [
    "another node's registration",
    nodes,
    { object: { metadata: { name: "n2" }, spec: {} } },
    /not allowed to modify node "n2"/,
  ],
  [
    "a registration with a restricted label",
    nodes,
    { object: node({ labels: { "node-restriction.kubernetes.io/a": "b" } }) },
    /not allowed to set the following labels: node-restriction\.kubernetes\.io\/a/,
  ],
  [
    "a registration with a role",
    nodes,
    { object: node({ labels: { "node-role.kubernetes.io/control-plane": "" } }) },
    /node-role/,
  ],
  ["a registration with an owner", nodes, { object: node({ ownerReferences: [owner] }) }, /ownerReferences/],
  [
    "a label of its own",
    nodes,
    { object: node({ labels: { "kubelet.kubernetes.io/a": "b" } }), oldObject: node() },
    undefined,
  ],
  [
    "a restricted label taken away",
    nodes,
    { object: node(), oldObject: node({ labels: { "x.node-restriction.kubernetes.io/a": "b" } }) },
    /not allowed to modify labels/,
  ],
  [
    "an owner added to itself",
    nodes,
    { object: node({ ownerReferences: [owner] }), oldObject: node() },
    /not allowed to modify ownerReferences/,
  ],
  [
    "a taint taken off itself",
    nodes,
    { object: node(), oldObject: node({}, { taints: [{ key: "k", effect: "NoSchedule" }] }) },
    /not allowed to modify taints/,
  ],
  [
    "a taint taken off through its status",
    nodes,
    { subresource: "status", object: node(), oldObject: node({}, { taints: [{ key: "k", effect: "NoSchedule" }] }) },
    /taints/,
  ],
  [
    "its own status",
    nodes,
    { subresource: "status", object: { ...node(), status: { phase: "x" } }, oldObject: node() },
    undefined,
  ],
  ["its lease", leases, { object: lease("n1") }, undefined],
  ["another node's lease", leases, { object: lease("n2") }, /same name as the requesting node/],
  ["a lease elsewhere", leases, { object: lease("n1", "kube-system") }, /kube-node-lease/],
  ["its CSINode", csinodes, { object: { metadata: { name: "n1" } } }, undefined],
  ["another CSINode", csinodes, { object: { metadata: { name: "n2" } } }, /same name/],
  [
    "a claim's spec",
    persistentvolumeclaims,
    {
      object: { metadata: { name: "c", namespace: "shop" } },
      oldObject: { metadata: { name: "c", namespace: "shop" } },
    },
    /status/,
  ],
  ["what it counted", trafficcounts, { object: count("web.n1", {}, { ownerReferences: [split] }) }, undefined],
  [
    "what it counts later",
    trafficcounts,
    { object: count("web.n1", { run: "2" }), oldObject: count("web.n1", {}) },
    undefined,
  ],
  ["what another node counted", trafficcounts, { object: count("web.n2", { node: "n2" }) }, /of its own/],
  ["its counts in another node's name", trafficcounts, { object: count("web.n2", {}) }, /named SPLIT\.n1/],
  ["another node's counts in its own name", trafficcounts, { object: count("web.n1", { node: "n2" }) }, /of its own/],
  ["the same users twice", trafficcounts, { object: count("again.n1", {}) }, /named SPLIT\.n1/],
  [
    "another node's counts over as its own",
    trafficcounts,
    { object: count("web.n2", {}), oldObject: count("web.n2", { node: "n2" }) },
    /of its own/,
  ],
  [
    "its counts over as another split's",
    trafficcounts,
    { object: count("web.n1", { split: "shop" }), oldObject: count("web.n1", {}) },
    /named SPLIT\.n1/,
  ],
  [
    "another node's counts away",
    trafficcounts,
    { operation: "DELETE", oldObject: count("web.n2", { node: "n2" }) },
    /of its own/,
  ],
  [
    "counts that nobody can delete",
    trafficcounts,
    { object: count("web.n1", {}, { finalizers: ["a/b"] }) },
    /finalizers/,
  ],
  [
    "counts with an owner that is no split",
    trafficcounts,
    { object: count("web.n1", {}, { ownerReferences: [owner] }) },
    /TrafficSplit/,
  ],
  ["that a request waits", trafficdemands, { object: demand("web.n1", { sleep: 3 }) }, undefined],
  ["that one waits elsewhere", trafficdemands, { object: demand("web.n2", { node: "n2" }) }, /named HOLD\.n1/],
  ["that one waits for another hold", trafficdemands, { object: demand("web.n1", { hold: "shop" }) }, /named HOLD\.n1/],
  ["a token for its pod", serviceaccounts, token(tokenFor(bound)), undefined],
  ["a token for its pod's audience", serviceaccounts, token(tokenFor(bound, ["vault"])), undefined],
  ["a token for another audience", serviceaccounts, token(tokenFor(bound, ["bank"])), /audience "bank" not found/],
  ["a token for two audiences", serviceaccounts, token(tokenFor(bound, ["vault", "bank"])), /0 or 1 audiences/],
  ["a token bound to nothing", serviceaccounts, token(tokenFor(undefined)), /not bound to a pod/],
  ["a token bound to a secret", serviceaccounts, token(tokenFor({ ...bound, kind: "Secret" })), /not bound to a pod/],
  ["a token without a uid", serviceaccounts, token(tokenFor({ ...bound, uid: "" })), /without a uid/],
  ["a token with a wrong uid", serviceaccounts, token(tokenFor({ ...bound, uid: "p0" })), /does not match the UID/],
  ["a token for a missing pod", serviceaccounts, token(tokenFor({ ...bound, name: "none" })), /not found/],
  [
    "a token for another node's pod",
    serviceaccounts,
    token(tokenFor({ ...bound, name: "there", uid: "p2" })),
    /different node/,
  ],
  [
    "a token for an account that its pod does not use",
    serviceaccounts,
    token(tokenFor(bound), "admin"),
    /does not use/,
  ],
];
for (const [name, resource, asked, refused] of cases) {
  test(`a node ${refused === undefined ? "may write" : "may not write"} ${name}`, async () => {
    const message = await admit(plugin, requestFor(resource, { user, ...asked }));
    if (refused === undefined) assert.equal(message, undefined);
    else assert.match(message ?? "was let through", refused);
  });
}

test("a node asks for certificates of its own name only", async () => {
  const { privateKey } = createCrypto().generateKey();
  const ask = async (commonName: string, signerName = "kubernetes.io/kubelet-serving"): Promise<string | undefined> => {
    const pem = await certificates.createSigningRequest({ commonName, organizations: ["system:nodes"] }, privateKey);
    const object = { metadata: { name: "r" }, spec: { signerName, request: btoa(pem), usages: [] } };
    return admit(plugin, requestFor(certificatesigningrequests, { user, object }));
  };
  assert.equal(await ask("system:node:n1"), undefined);
  assert.match((await ask("system:node:n2")) ?? "", /CN=system:node:n1/);
  assert.match((await ask("system:node:n2", "kubernetes.io/kube-apiserver-client-kubelet")) ?? "", /CN=system:node:n1/);
});

test("people are not restricted", async () => {
  const person = { ...user, name: "jane" };
  assert.equal(
    await admit(
      plugin,
      requestFor(nodes, { user: person, object: node({}, {}), oldObject: node({}, { taints: [{ key: "k" }] }) }),
    ),
    undefined,
  );
});
