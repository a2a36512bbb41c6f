import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "#client/http-client.ts";
import { createModelApi } from "#client/testing/model-api.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { createInformers } from "#reconcile/informers.ts";
import { Cluster } from "./cluster.ts";
import { explain } from "./explain.ts";
import { nodeView } from "./node-view.ts";
import { Placer } from "./placement.ts";
import { podView } from "./pod-view.ts";
import { preempt } from "./preemption.ts";
import { makeNode, makePod, type NodeWords, type PodWords } from "./testing/objects.ts";
import { Volumes } from "./volumes.ts";

type Objects = Readonly<Record<string, Readonly<Record<string, object>>>>;

interface Scenario {
  readonly name: string;
  readonly nodes: Readonly<Record<string, NodeWords>>;
  /** By resource and name. */
  readonly objects: Objects;
  /** Pods that stand already, with the claim that each uses. */
  readonly pods?: Readonly<Record<string, PodWords & { readonly claim: string }>>;
  /** The claims of the pod. */
  readonly claims: readonly string[];
  readonly priority?: number;
  /** Nodes that fit, or the message. */
  readonly expect: readonly string[] | string;
  /** Who has to go. */
  readonly victims?: readonly string[];
}

async function volumesWith(objects: Objects): Promise<Volumes> {
  const { clock, timers, settle } = createVirtualTime();
  const api = createModelApi(clock);
  const client = createClient(api.transport, { userAgent: "volumes-test", timers });
  const random = { float: () => 0.5, bytes: (length: number) => new Uint8Array(length), uuid: () => "u" };
  const informers = createInformers({ client, clock, timers, random, onProblem: assert.fail });
  const volumes = new Volumes(informers);
  for (const [resource, named] of Object.entries(objects)) {
    const namespace = /claims|capacities/.test(resource) ? { namespace: "default" } : {};
    for (const [name, { metadata, ...object }] of Object.entries<{ metadata?: object }>(named))
      api.put(resource, { metadata: { name, uid: `uid-${name}`, ...namespace, ...metadata }, ...object });
  }
  informers.start();
  await settle();
  return volumes;
}

const using = (claims: readonly string[], words: PodWords = {}): PodWords => ({
  ...words,
  spec: {
    volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    ...words.spec,
  },
});

async function check({ nodes, objects, pods = {}, claims, priority = 0, expect, victims }: Scenario): Promise<void> {
  const cluster = new Cluster();
  for (const [name, words] of Object.entries(nodes)) cluster.setNode(nodeView(makeNode(name, words)));
  for (const [name, { claim, ...words }] of Object.entries(pods))
    cluster.placePod(podView(makePod(name, using([claim], words))), words.node!);
  const pod = podView(makePod("new", using(claims, { priority })));
  const volumes = await volumesWith(objects);
  assert.equal(volumes.obstacle(pod), undefined);
  const placer = new Placer(cluster, volumes);
  const found = placer.candidates(pod);
  if (found.kind === "candidates") {
    assert.deepEqual(
      found.candidates.map(({ node }) => node),
      expect,
    );
    return;
  }
  assert.equal(explain(pod, cluster, found.evaluation, found.verdicts).message, expect);
  const preemption = preempt(pod, { cluster, placer, hasDevices: () => true }, found.verdicts, [], 0);
  const going = preemption.kind === "possible" ? preemption.victims.map(({ name }) => name) : undefined;
  assert.deepEqual(going, victims);
}

const boundTo = (volumeName: string, spec: object = {}): object => ({
  metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
  spec: { accessModes: ["ReadWriteOnce"], volumeName, storageClassName: "disks", ...spec },
  status: { phase: "Bound" },
});
const disk = (labels: object = {}): object => ({
  metadata: { labels },
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    storageClassName: "disks",
    csi: { driver: "disks.example.com", volumeHandle: `handle-${JSON.stringify(labels)}` },
  },
});
const handle = (volumeHandle: string): object => ({
  spec: { capacity: { storage: "1Gi" }, storageClassName: "disks", csi: { driver: "disks.example.com", volumeHandle } },
});
const holds = (count: number): object => ({
  spec: { drivers: [{ name: "disks.example.com", nodeID: "n", topologyKeys: [], allocatable: { count } }] },
});
const disks = { disks: { provisioner: "disks.example.com", volumeBindingMode: "WaitForFirstConsumer" } };
const waiting = {
  spec: {
    accessModes: ["ReadWriteOnce"],
    storageClassName: "disks",
    resources: { requests: { storage: "5Gi" } },
  },
};
const zoneOf = (zone: string): object => ({ "topology.kubernetes.io/zone": zone });
const capacity = (zone: string, size: object): object => ({
  storageClassName: "disks",
  nodeTopology: { matchLabels: zoneOf(zone) },
  ...size,
});

const scenarios: readonly Scenario[] = [
  {
    name: "a driver attaches only so many volumes to a node, those of claims that still wait among them",
    nodes: { n1: {}, n2: {}, n3: {} },
    objects: {
      storageclasses: disks,
      csinodes: { n1: holds(1), n2: holds(2) },
      persistentvolumes: { v1: handle("1"), v2: handle("2"), v3: handle("3") },
      persistentvolumeclaims: { c1: boundTo("v1"), c2: boundTo("v2"), c3: boundTo("v3"), later: waiting },
    },
    pods: { a: { node: "n1", claim: "c1" }, b: { node: "n2", claim: "c2" }, c: { node: "n2", claim: "later" } },
    claims: ["c3"],
    expect: ["n3"],
  },
  {
    name: "a volume that is attached already costs nothing, another one makes room where somebody goes",
    nodes: { n1: {} },
    objects: {
      storageclasses: disks,
      csinodes: { n1: holds(1) },
      persistentvolumes: { v1: handle("1") },
      persistentvolumeclaims: { c1: boundTo("v1") },
    },
    pods: { a: { node: "n1", claim: "c1" } },
    claims: ["c1"],
    expect: ["n1"],
  },
  {
    name: "a more important pod takes the place of a volume",
    nodes: { n1: {} },
    objects: {
      storageclasses: disks,
      csinodes: { n1: holds(1) },
      persistentvolumes: { v1: handle("1"), v2: handle("2") },
      persistentvolumeclaims: { c1: boundTo("v1"), c2: boundTo("v2") },
    },
    pods: { a: { node: "n1", claim: "c1" } },
    claims: ["c2"],
    priority: 5,
    expect: "0/1 nodes are available: 1 node(s) exceed max volume count.",
    victims: ["a"],
  },
  {
    name: "volumes of a zone are reached from that zone; nodes without any stand in a cluster without",
    nodes: { n1: { zone: "a" }, n2: { zone: "b" }, n3: {} },
    objects: {
      storageclasses: disks,
      persistentvolumes: { v1: disk(zoneOf("b__c")) },
      persistentvolumeclaims: { c1: boundTo("v1") },
    },
    claims: ["c1"],
    expect: ["n2", "n3"],
  },
  {
    name: "the older label of a zone counts like the newer",
    nodes: { n1: { zone: "a" } },
    objects: {
      storageclasses: disks,
      persistentvolumes: { v1: disk({ "failure-domain.beta.kubernetes.io/zone": "b" }) },
      persistentvolumeclaims: { c1: boundTo("v1") },
    },
    claims: ["c1"],
    expect: "0/1 nodes are available: 1 node(s) had no available volume zone.",
  },
  {
    name: "a volume is made where its driver says that there is room for all of it",
    nodes: { n1: { zone: "a" }, n2: { zone: "b" }, n3: { zone: "c" }, n4: { zone: "d" } },
    objects: {
      storageclasses: disks,
      csidrivers: { "disks.example.com": { spec: { storageCapacity: true } } },
      csistoragecapacities: {
        a: capacity("a", { capacity: "4Gi" }),
        b: capacity("b", { capacity: "9Gi" }),
        c: capacity("c", { capacity: "9Gi", maximumVolumeSize: "3Gi" }),
      },
      persistentvolumeclaims: { c1: waiting },
    },
    claims: ["c1"],
    expect: ["n2"],
  },
  {
    name: "too little free storage is said",
    nodes: { n1: { zone: "a" } },
    objects: {
      storageclasses: disks,
      csidrivers: { "disks.example.com": { spec: { storageCapacity: true } } },
      csistoragecapacities: { a: capacity("a", { capacity: "4Gi" }) },
      persistentvolumeclaims: { c1: waiting },
    },
    claims: ["c1"],
    expect: "0/1 nodes are available: 1 node(s) did not have enough free storage.",
  },
  {
    name: "what a driver does not publish holds nobody up",
    nodes: { n1: { zone: "a" } },
    objects: {
      storageclasses: disks,
      csidrivers: { "disks.example.com": { spec: { storageCapacity: false } } },
      persistentvolumeclaims: { c1: waiting },
    },
    claims: ["c1"],
    expect: ["n1"],
  },
  {
    name: "a claim for one pod at a time goes over to a more important one",
    nodes: { n1: {}, n2: {} },
    objects: {
      storageclasses: disks,
      persistentvolumes: { v1: handle("1") },
      persistentvolumeclaims: { c1: boundTo("v1", { accessModes: ["ReadWriteOncePod"] }) },
    },
    pods: { a: { node: "n1", claim: "c1" } },
    claims: ["c1"],
    priority: 5,
    expect:
      "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
    victims: ["a"],
  },
];

for (const scenario of scenarios) test(scenario.name, () => check(scenario));

test("what keeps a pod's claims from every node is said in one sentence", async () => {
  const lost = { spec: { volumeName: "gone", storageClassName: "disks" }, status: { phase: "Lost" } };
  const volumes = await volumesWith({
    storageclasses: disks,
    persistentvolumeclaims: { "new-scratch": waiting, lost, now: { spec: { storageClassName: "other" } } },
  });
  const ephemeral = (name: string): PodWords => ({
    spec: { volumes: [{ name, ephemeral: { volumeClaimTemplate: { metadata: {}, spec: { resources: {} } } } }] },
  });
  const said = (words: PodWords): string | undefined => volumes.obstacle(podView(makePod("new", words)))?.message;
  assert.equal(said(using(["none"])), 'persistentvolumeclaim "none" not found');
  assert.equal(said(using(["lost"])), 'persistentvolumeclaim "lost" bound to non-existent persistentvolume "gone"');
  assert.equal(said(using(["now"])), "pod has unbound immediate PersistentVolumeClaims");
  assert.equal(
    said(ephemeral("cache")),
    'waiting for ephemeral volume controller to create the persistentvolumeclaim "new-cache"',
  );
  assert.equal(
    said(ephemeral("scratch")),
    "PVC default/new-scratch was not created for pod default/new (pod is not owner)",
  );
});
