/** For each filter, what may help a pod that it keeps back: the pod is tried soon again, not only after minutes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodSpec } from "#api/generated/core-v1.ts";
import { limits } from "./limits.ts";
import type { PodWords } from "./testing/objects.ts";
import { nodeOf, put, putNode, stage, type Stage } from "./testing/stage.ts";

interface Scenario {
  readonly what: string;
  given(on: Stage): void;
  readonly pod: PodWords;
  helps(on: Stage): void;
}

async function check({ given, pod, helps }: Scenario): Promise<void> {
  const on = await stage();
  given(on);
  await on.time.settle();
  put(on, "waiting", pod);
  await on.time.advance(2 * limits.backoffMinMs);
  assert.equal(nodeOf(on, "waiting"), undefined, "it waits");
  helps(on);
  await on.time.advance(limits.backoffMaxMs + 1_000);
  assert.notEqual(nodeOf(on, "waiting"), undefined, on.scheduler.explanation("default/waiting")?.message ?? "");
  assert.deepEqual(on.problems, []);
}

const web = { app: "web" };
const zone = "topology.kubernetes.io/zone";
const host = "kubernetes.io/hostname";
const whole: PodWords = { requests: { cpu: "4" } };
const onPort: Partial<PodSpec> = {
  containers: [{ name: "main", image: "app:1", resources: {}, ports: [{ containerPort: 80, hostPort: 80 }] }],
};
type Rule = "podAffinity" | "podAntiAffinity";
function near(rule: Rule, topologyKey = host, more: object = {}): Partial<PodSpec> {
  const term = { topologyKey, labelSelector: { matchLabels: web }, ...more };
  return { affinity: { [rule]: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
}
const spread: Partial<PodSpec> = {
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: zone, whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels: web } },
  ],
};
const claiming = (claimName: string): Partial<PodSpec> => ({
  volumes: [{ name: "data", persistentVolumeClaim: { claimName } }],
});
const withDevices: Partial<PodSpec> = { resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }] };
const remove = (name: string) => (on: Stage) => on.api.remove("pods", `default/${name}`);
const oneNode = (on: Stage): void => putNode(on, "n1");
const twoZones = (on: Stage): void => {
  putNode(on, "a1", { zone: "a", cpu: "4" });
  putNode(on, "b1", { zone: "b", cpu: "4" });
};

function putClaim(
  { api }: Stage,
  name: string,
  words: { volume?: string; className?: string; modes?: string[] } = {},
): void {
  const { volume = "", className = "disks", modes = ["ReadWriteOnce"] } = words;
  api.put("persistentvolumeclaims", {
    metadata: {
      name,
      namespace: "default",
      uid: `uid-${name}`,
      ...(volume === "" ? {} : { annotations: { "pv.kubernetes.io/bind-completed": "yes" } }),
    },
    spec: {
      accessModes: modes,
      storageClassName: className,
      resources: { requests: { storage: "1Gi" } },
      ...(volume === "" ? {} : { volumeName: volume }),
    },
    ...(volume === "" ? { status: { phase: "Pending" } } : { status: { phase: "Bound" } }),
  });
}

function putVolume({ api }: Stage, name: string, more: { labels?: object; spec?: object } = {}): void {
  api.put("persistentvolumes", {
    metadata: { name, uid: `uid-${name}`, labels: more.labels ?? {} },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      storageClassName: "disks",
      csi: { driver: "disks.example.com", volumeHandle: name },
      ...more.spec,
    },
    status: { phase: "Available" },
  });
}

function putClass({ api }: Stage, more: object = {}): void {
  const provisioner = "disks.example.com";
  api.put("storageclasses", {
    metadata: { name: "disks" },
    provisioner,
    volumeBindingMode: "WaitForFirstConsumer",
    ...more,
  });
}

function putLimit({ api }: Stage, count: number): void {
  const driver = { name: "disks.example.com", nodeID: "n1", topologyKeys: [], allocatable: { count } };
  api.put("csinodes", { metadata: { name: "n1" }, spec: { drivers: [driver] } });
}

function putCapacity({ api }: Stage, capacity: string): void {
  api.put("csistoragecapacities", {
    metadata: { name: "all", namespace: "default" },
    storageClassName: "disks",
    capacity,
    nodeTopology: {},
  });
}

const inZone = (value: string): object => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: zone, operator: "In", values: [value] }] }] },
  },
});

function putGpu({ api }: Stage, more: object = { nodeName: "n1" }): void {
  api.put("resourceslices", {
    metadata: { name: "slice" },
    spec: {
      driver: "gpu.example.com",
      pool: { name: "pool", generation: 1, resourceSliceCount: 1 },
      devices: [{ name: "gpu-0" }],
      ...more,
    },
  });
}

function putGpuClaim({ api }: Stage, name: string, status: object = {}): void {
  const request = { name: "gpu", exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count: 1 } };
  api.put("resourceclaims", {
    metadata: { name, namespace: "default", uid: `uid-${name}` },
    spec: { devices: { requests: [request] } },
    status,
  });
}

const putGpuClass = ({ api }: Stage): void => void api.put("deviceclasses", { metadata: { name: "gpu" }, spec: {} });
const given = { devices: { results: [{ request: "gpu", driver: "gpu.example.com", pool: "pool", device: "gpu-0" }] } };

const scenarios: readonly Scenario[] = [
  {
    what: "a cordon is lifted",
    given: (on) => putNode(on, "n1", { unschedulable: true }),
    pod: {},
    helps: oneNode,
  },
  {
    what: "a taint goes",
    given: (on) => putNode(on, "n1", { taints: [{ key: "dedicated", effect: "NoSchedule" }] }),
    pod: {},
    helps: oneNode,
  },
  {
    what: "the pod tolerates more",
    given: (on) => putNode(on, "n1", { taints: [{ key: "dedicated", effect: "NoSchedule" }] }),
    pod: {},
    helps: (on) => put(on, "waiting", { spec: { tolerations: [{ operator: "Exists" }] } }),
  },
  {
    what: "a node gets a label",
    given: oneNode,
    pod: { spec: { nodeSelector: { disk: "ssd" } } },
    helps: (on) => putNode(on, "n1", { labels: { disk: "ssd" } }),
  },
  { what: "a node comes", given: () => undefined, pod: {}, helps: oneNode },
  {
    what: "a gate is lifted",
    given: oneNode,
    pod: { spec: { schedulingGates: [{ name: "wait" }] } },
    helps: (on) => put(on, "waiting", { spec: { schedulingGates: [] } }),
  },
  {
    what: "a port is free again",
    given: (on) => (oneNode(on), put(on, "other", { node: "n1", spec: onPort })),
    pod: { spec: onPort },
    helps: remove("other"),
  },
  {
    what: "a pod ends",
    given: (on) => (oneNode(on), put(on, "other", { node: "n1", ...whole })),
    pod: whole,
    helps: (on) => put(on, "other", { node: "n1", ...whole, status: { phase: "Succeeded" } }),
  },
  {
    what: "a pod is resized",
    given: (on) => (oneNode(on), put(on, "other", { node: "n1", requests: { cpu: "2" } })),
    pod: { requests: { cpu: "3" } },
    helps: (on) => put(on, "other", { node: "n1", requests: { cpu: "1" } }),
  },
  {
    what: "the pod itself asks for less",
    given: oneNode,
    pod: { requests: { cpu: "5" } },
    helps: (on) => put(on, "waiting", { requests: { cpu: "3" } }),
  },
  {
    what: "a node has more to give",
    given: oneNode,
    pod: { requests: { "example.com/gpu": "1" } },
    helps: (on) => putNode(on, "n1", { other: { "example.com/gpu": "1" } }),
  },
  {
    what: "the label that spreading needs comes",
    given: oneNode,
    pod: { labels: web, spec: spread },
    helps: (on) => putNode(on, "n1", { zone: "a" }),
  },
  {
    what: "the crowded zone empties",
    given: (on) => (
      twoZones(on),
      put(on, "full", { node: "b1", ...whole }),
      put(on, "crowd", { node: "a1", labels: web })
    ),
    pod: { labels: web, requests: { cpu: "1" }, spec: spread },
    helps: remove("crowd"),
  },
  {
    what: "the emptier zone fills",
    given: (on) => (
      twoZones(on),
      put(on, "full", { node: "b1", ...whole }),
      put(on, "crowd", { node: "a1", labels: web })
    ),
    pod: { labels: web, requests: { cpu: "1" }, spec: spread },
    helps: (on) => put(on, "crowd-2", { node: "b1", labels: web }),
  },
  {
    what: "the emptier zone goes away",
    given: (on) => (
      twoZones(on),
      put(on, "full", { node: "b1", ...whole }),
      put(on, "crowd", { node: "a1", labels: web })
    ),
    pod: { labels: web, requests: { cpu: "1" }, spec: spread },
    helps: (on) => on.api.remove("nodes", "b1"),
  },
  {
    what: "a pod of the crowded zone loses its label",
    given: (on) => (
      twoZones(on),
      put(on, "full", { node: "b1", ...whole }),
      put(on, "crowd", { node: "a1", labels: web })
    ),
    pod: { labels: web, requests: { cpu: "1" }, spec: spread },
    helps: (on) => put(on, "crowd", { node: "a1", labels: { app: "other" } }),
  },
  {
    what: "the pod to be near to comes",
    given: oneNode,
    pod: { spec: near("podAffinity") },
    helps: (on) => put(on, "friend", { node: "n1", labels: web }),
  },
  {
    what: "a pod becomes the one to be near to",
    given: (on) => (oneNode(on), put(on, "friend", { node: "n1" })),
    pod: { spec: near("podAffinity") },
    helps: (on) => put(on, "friend", { node: "n1", labels: web }),
  },
  {
    what: "the namespace of the pod to be near to is selected",
    given: (on) => {
      oneNode(on);
      on.api.put("namespaces", { metadata: { name: "other" } });
      put(on, "friend", { namespace: "other", node: "n1", labels: web });
    },
    pod: { spec: near("podAffinity", host, { namespaceSelector: { matchLabels: { team: "a" } } }) },
    helps: (on) => void on.api.put("namespaces", { metadata: { name: "other", labels: { team: "a" } } }),
  },
  {
    what: "the last of a group goes that could not be joined",
    given: (on) => (twoZones(on), put(on, "friend", { node: "b1", labels: web, ...whole })),
    pod: { labels: web, requests: { cpu: "1" }, spec: { ...near("podAffinity", zone), nodeSelector: { [zone]: "a" } } },
    helps: remove("friend"),
  },
  {
    what: "the pod to be away from goes",
    given: (on) => (oneNode(on), put(on, "foe", { node: "n1", labels: web })),
    pod: { spec: near("podAntiAffinity") },
    helps: remove("foe"),
  },
  {
    what: "the pod to be away from becomes another",
    given: (on) => (oneNode(on), put(on, "foe", { node: "n1", labels: web })),
    pod: { spec: near("podAntiAffinity") },
    helps: (on) => put(on, "foe", { node: "n1", labels: { app: "other" } }),
  },
  {
    what: "the pod that wants to be away goes",
    given: (on) => (oneNode(on), put(on, "foe", { node: "n1", spec: near("podAntiAffinity") })),
    pod: { labels: web },
    helps: remove("foe"),
  },
  {
    what: "its claim comes",
    given: (on) => (oneNode(on), putVolume(on, "v")),
    pod: { spec: claiming("data") },
    helps: (on) => putClaim(on, "data", { volume: "v" }),
  },
  {
    what: "its claim is bound",
    given: (on) => (oneNode(on), putVolume(on, "v"), putClaim(on, "data", { className: "now" })),
    pod: { spec: claiming("data") },
    helps: (on) => putClaim(on, "data", { volume: "v", className: "now" }),
  },
  {
    what: "its volume comes",
    given: (on) => (oneNode(on), putClaim(on, "data", { volume: "v" })),
    pod: { spec: claiming("data") },
    helps: (on) => putVolume(on, "v"),
  },
  {
    what: "the pod that has the claim for itself goes",
    given: (on) => {
      oneNode(on);
      putVolume(on, "v");
      putClaim(on, "data", { volume: "v", modes: ["ReadWriteOncePod"] });
      put(on, "user", { node: "n1", spec: claiming("data") });
    },
    pod: { spec: claiming("data") },
    helps: remove("user"),
  },
  {
    what: "a driver can attach more",
    given: (on) => (oneNode(on), putLimit(on, 0), putVolume(on, "v"), putClaim(on, "data", { volume: "v" })),
    pod: { spec: claiming("data") },
    helps: (on) => putLimit(on, 1),
  },
  {
    what: "a volume is attached no more",
    given: (on) => {
      oneNode(on);
      putLimit(on, 1);
      for (const name of ["data", "other"]) {
        putVolume(on, name);
        putClaim(on, name, { volume: name });
      }
      put(on, "user", { node: "n1", spec: claiming("other") });
    },
    pod: { spec: claiming("data") },
    helps: remove("user"),
  },
  {
    what: "a node comes into the reach of its volume",
    given: (on) => (oneNode(on), putVolume(on, "v", { spec: inZone("a") }), putClaim(on, "data", { volume: "v" })),
    pod: { spec: claiming("data") },
    helps: (on) => putNode(on, "n1", { zone: "a" }),
  },
  {
    what: "a volume comes into the zone of the node",
    given: (on) => {
      putNode(on, "n1", { zone: "a" });
      putVolume(on, "v", { labels: { [zone]: "b" } });
      putClaim(on, "data", { volume: "v" });
    },
    pod: { spec: claiming("data") },
    helps: (on) => putVolume(on, "v", { labels: { [zone]: "b__a" } }),
  },
];

const untilChosen: readonly Scenario[] = [
  {
    what: "a volume that suits comes",
    given: (on) => (oneNode(on), putClass(on, { provisioner: "kubernetes.io/no-provisioner" }), putClaim(on, "data")),
    pod: { spec: claiming("data") },
    helps: (on) => putVolume(on, "v"),
  },
  {
    what: "a class makes volumes there too",
    given: (on) => {
      oneNode(on);
      putClass(on, { allowedTopologies: [{ matchLabelExpressions: [{ key: zone, values: ["a"] }] }] });
      putClaim(on, "data");
    },
    pod: { spec: claiming("data") },
    helps: (on) => putClass(on, { allowedTopologies: [] }),
  },
  {
    what: "there is room for its volume",
    given: (on) => {
      oneNode(on);
      putClass(on);
      on.api.put("csidrivers", { metadata: { name: "disks.example.com" }, spec: { storageCapacity: true } });
      putCapacity(on, "1Mi");
      putClaim(on, "data");
    },
    pod: { spec: claiming("data") },
    helps: (on) => putCapacity(on, "2Gi"),
  },
];

const devices: readonly Scenario[] = [
  {
    what: "its resource claim comes",
    given: (on) => (oneNode(on), putGpu(on), putGpuClass(on)),
    pod: { spec: withDevices },
    helps: (on) => putGpuClaim(on, "gpu"),
  },
  {
    what: "the class of its device comes",
    given: (on) => (oneNode(on), putGpu(on), putGpuClaim(on, "gpu")),
    pod: { spec: withDevices },
    helps: putGpuClass,
  },
  {
    what: "a device comes",
    given: (on) => (oneNode(on), putGpuClass(on), putGpuClaim(on, "gpu")),
    pod: { spec: withDevices },
    helps: (on) => putGpu(on),
  },
  {
    what: "a device is given back",
    given: (on) => {
      oneNode(on);
      putGpu(on);
      putGpuClass(on);
      putGpuClaim(on, "gpu");
      putGpuClaim(on, "other", { allocation: given });
    },
    pod: { spec: withDevices },
    helps: (on) => putGpuClaim(on, "other"),
  },
  {
    what: "a node comes into the reach of a device",
    given: (on) => {
      oneNode(on);
      putGpu(on, {
        nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: "rack", operator: "Exists" }] }] },
      });
      putGpuClass(on);
      putGpuClaim(on, "gpu");
    },
    pod: { spec: withDevices },
    helps: (on) => putNode(on, "n1", { labels: { rack: "r1" } }),
  },
];

for (const scenario of [...scenarios, ...devices]) test(scenario.what, () => check(scenario));

for (const scenario of untilChosen)
  test(scenario.what, async () => {
    const on = await stage();
    scenario.given(on);
    await on.time.settle();
    put(on, "waiting", scenario.pod);
    await on.time.advance(2 * limits.backoffMinMs);
    assert.equal(on.scheduler.known.assumed_pods, 0, "it waits");
    scenario.helps(on);
    await on.time.advance(limits.backoffMaxMs + 1_000);
    // Its claim is to be bound by others now.
    assert.equal(on.scheduler.known.assumed_pods, 1);
  });
