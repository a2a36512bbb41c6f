import type { Node, Pod, PodSpec, Taint } from "#api/generated/core-v1.ts";

/** Nodes and pods in few words, for tests and benches. */
export interface NodeWords {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly other?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly zone?: string;
  /** Names of images that it has, with their sizes in bytes. */
  readonly images?: Readonly<Record<string, number>>;
}

const nodeInfo: Node["status"]["nodeInfo"] = {
  machineID: "",
  systemUUID: "",
  bootID: "",
  kernelVersion: "",
  osImage: "",
  containerRuntimeVersion: "",
  kubeletVersion: "v1.36.0",
  kubeProxyVersion: "",
  operatingSystem: "linux",
  architecture: "amd64",
};

export function makeNode(name: string, words: NodeWords = {}): Node {
  const zone = words.zone === undefined ? {} : { "topology.kubernetes.io/zone": words.zone };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: `uid-${name}`, labels: { "kubernetes.io/hostname": name, ...zone, ...words.labels } },
    spec: {
      ...(words.taints === undefined ? {} : { taints: [...words.taints] }),
      ...(words.unschedulable === undefined ? {} : { unschedulable: words.unschedulable }),
    },
    status: {
      allocatable: { cpu: words.cpu ?? "4", memory: words.memory ?? "8Gi", pods: words.pods ?? "110", ...words.other },
      images: Object.entries(words.images ?? {}).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })),
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo,
    },
  };
}

export interface PodWords {
  readonly namespace?: string;
  readonly node?: string;
  readonly requests?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly owner?: string;
  readonly priority?: number;
  readonly spec?: Partial<PodSpec>;
  readonly status?: Partial<Pod["status"]>;
}

export function makePod(name: string, words: PodWords = {}): Pod {
  const owner = words.owner;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: words.namespace ?? "default",
      uid: `uid-${name}`,
      resourceVersion: "1000000000001",
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(words.labels === undefined ? {} : { labels: { ...words.labels } }),
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true }],
          }),
    },
    spec: {
      containers: [
        {
          name: "main",
          image: "app:1",
          resources: words.requests === undefined ? {} : { requests: { ...words.requests } },
        },
      ],
      ...(words.priority === undefined ? {} : { priority: words.priority }),
      ...(words.node === undefined ? {} : { nodeName: words.node }),
      ...words.spec,
    },
    status: { phase: words.node === undefined ? "Pending" : "Running", ...words.status },
  };
}
