import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { Cluster } from "./cluster.ts";
import { explain } from "./explain.ts";
import { nodeView } from "./node-view.ts";
import { Placer } from "./placement.ts";
import { podView } from "./pod-view.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import { makeNode, makePod, type NodeWords, type PodWords } from "./testing/objects.ts";

interface Scenario {
  readonly name: string;
  readonly nodes: Readonly<Record<string, NodeWords>>;
  /** Pods that stand already, by name. */
  readonly pods?: Readonly<Record<string, PodWords>>;
  readonly pod: PodWords;
  /** A node, several that are equally good, or the message. */
  readonly expect: string | readonly string[];
  /** What the scheduler is set to. */
  readonly profile?: Partial<Profile>;
  /** What would help, by node. */
  readonly changes?: Readonly<Record<string, string>>;
}

function check(scenario: Scenario): void {
  const cluster = new Cluster();
  for (const [name, words] of Object.entries(scenario.nodes)) cluster.setNode(nodeView(makeNode(name, words)));
  for (const [name, words] of Object.entries(scenario.pods ?? {}))
    cluster.placePod(podView(makePod(name, words)), words.node!);
  const pod = podView(makePod("new", scenario.pod));
  const placer = new Placer(cluster, undefined, { ...defaultProfile, ...scenario.profile });
  const seen = new Set<string>();
  for (let turn = 0; turn < 40; turn += 1) {
    const placement = placer.place(pod, turn);
    if (placement.kind === "placed") {
      seen.add(placement.node);
      continue;
    }
    const explanation = explain(pod, cluster, placement.evaluation, placement.verdicts);
    assert.equal(explanation.message, scenario.expect);
    if (scenario.changes !== undefined) {
      assert.deepEqual(
        Object.fromEntries(explanation.nodes.map(({ node, change }) => [node, change])),
        scenario.changes,
      );
    }
    return;
  }
  assert.deepEqual([...seen].toSorted(), typeof scenario.expect === "string" ? [scenario.expect] : scenario.expect);
}

const required = (key: string, operator: string, values?: string[]): Partial<Pod["spec"]> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] }],
      },
    },
  },
});
const gpu = { key: "dedicated", value: "gpu", effect: "NoSchedule" };
const web = { matchLabels: { app: "web" } };
const spreadWeb = (more: object): Partial<Pod["spec"]> => ({
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "topology.kubernetes.io/zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: web,
      ...more,
    },
  ],
});

const scenarios: readonly Scenario[] = [
  {
    name: "without nodes there is nothing to choose",
    nodes: {},
    pod: {},
    expect: "no nodes available to schedule pods",
  },
  {
    name: "the emptier node wins",
    nodes: { n1: {}, n2: {} },
    pods: { a: { node: "n1", requests: { cpu: "1", memory: "2Gi" } } },
    pod: { requests: { cpu: "1" } },
    expect: "n2",
  },
  { name: "equals take turns", nodes: { n1: {}, n2: {}, n3: {} }, pod: {}, expect: ["n1", "n2", "n3"] },
  {
    name: "what is missing is counted by reason, and the smallest change is named",
    nodes: { n1: { cpu: "1" }, n2: { taints: [gpu] }, n3: { taints: [gpu] } },
    pod: { requests: { cpu: "2" } },
    expect: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).",
    changes: {
      n1: "1 more cpu",
      n2: "a toleration for dedicated=gpu:NoSchedule",
      n3: "a toleration for dedicated=gpu:NoSchedule",
    },
  },
  {
    name: "what would help names all that the node asks for, though the message counts the first",
    nodes: { n1: { cpu: "1", taints: [gpu, { key: "old", effect: "NoExecute" }] } },
    pod: { requests: { cpu: "3" }, spec: { nodeSelector: { disk: "ssd" } } },
    expect: "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
    changes: {
      n1: "a toleration for dedicated=gpu:NoSchedule and a toleration for old:NoExecute and the label disk=ssd on the node and 2 more cpu",
    },
  },
  {
    name: "a cordoned node is uncordoned, not tolerated",
    nodes: {
      n1: {
        cpu: "1",
        unschedulable: true,
        taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }],
      },
    },
    pod: { requests: { cpu: "2" } },
    expect: "0/1 nodes are available: 1 node(s) were unschedulable.",
    changes: { n1: "the node being uncordoned and 1 more cpu" },
  },
  {
    name: "one node may lack several resources",
    nodes: { n1: { cpu: "1", memory: "1Gi" } },
    pod: { requests: { cpu: "1500m", memory: "1536Mi", "example.com/gpu": "2" } },
    expect: "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/gpu, 1 Insufficient memory.",
    changes: { n1: "500m more cpu and 512Mi more memory and 2 more example.com/gpu" },
  },
  {
    name: "a node holds only so many pods",
    nodes: { n1: { pods: "1" } },
    pods: { a: { node: "n1" } },
    pod: {},
    expect: "0/1 nodes are available: 1 Too many pods.",
    changes: { n1: "room for 1 more pod" },
  },
  {
    name: "extended resources are counted",
    nodes: { n1: { other: { "example.com/gpu": "1" } }, n2: {} },
    pod: { requests: { "example.com/gpu": "1" } },
    expect: "n1",
  },
  {
    name: "a cordoned node takes nothing",
    nodes: { n1: { unschedulable: true } },
    pod: {},
    expect: "0/1 nodes are available: 1 node(s) were unschedulable.",
    changes: { n1: "the node being uncordoned" },
  },
  {
    name: "unless the pod tolerates it",
    nodes: { n1: { unschedulable: true } },
    pod: {
      spec: { tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" }] },
    },
    expect: "n1",
  },
  {
    name: "the node selector decides",
    nodes: { n1: { labels: { disk: "ssd" } }, n2: {} },
    pod: { spec: { nodeSelector: { disk: "ssd" } } },
    expect: "n1",
  },
  {
    name: "no node has the label",
    nodes: { n1: {}, n2: {} },
    pod: { spec: { nodeSelector: { disk: "ssd" } } },
    expect: "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    changes: { n1: "the label disk=ssd on the node", n2: "the label disk=ssd on the node" },
  },
  {
    name: "node affinity compares numbers",
    nodes: { n1: { labels: { cores: "8" } }, n2: { labels: { cores: "16" } } },
    pod: { spec: required("cores", "Gt", ["8"]) },
    expect: "n2",
  },
  {
    name: "node affinity by exclusion",
    nodes: { n1: { labels: { disk: "hdd" } }, n2: {} },
    pod: { spec: required("disk", "NotIn", ["hdd"]) },
    expect: "n2",
  },
  {
    name: "a pod of a DaemonSet names its node by a field",
    nodes: { n1: {}, n2: {} },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] }],
            },
          },
        },
      },
    },
    expect: "n2",
  },
  {
    name: "preferred node affinity outweighs an emptier node",
    nodes: { n1: { labels: { disk: "ssd" } }, n2: {} },
    pods: { a: { node: "n1", requests: { cpu: "1" } } },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] } },
            ],
          },
        },
      },
    },
    expect: "n1",
  },
  {
    name: "a disliked taint is avoided where possible",
    nodes: { n1: { taints: [{ key: "old", effect: "PreferNoSchedule" }] }, n2: {} },
    pods: { a: { node: "n2", requests: { cpu: "2", memory: "4Gi" } } },
    pod: {},
    expect: "n2",
  },
  {
    name: "host ports collide on the same address only",
    nodes: { n1: {} },
    pods: {
      a: {
        node: "n1",
        spec: { containers: [{ name: "c", resources: {}, ports: [{ containerPort: 80, hostPort: 80 }] }] },
      },
    },
    pod: {
      spec: {
        containers: [{ name: "c", resources: {}, ports: [{ containerPort: 80, hostPort: 80, hostIP: "10.0.0.1" }] }],
      },
    },
    expect: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    changes: { n1: "host port 80/TCP becoming free" },
  },
  {
    name: "init containers count at their peak, sidecars stay",
    nodes: { n1: { cpu: "3" }, n2: { cpu: "2900m" } },
    pod: {
      spec: {
        initContainers: [
          { name: "side", restartPolicy: "Always", resources: { requests: { cpu: "1" } } },
          { name: "init", resources: { requests: { cpu: "2" } } },
        ],
        containers: [{ name: "main", resources: { requests: { cpu: "1" } } }],
      },
    },
    expect: "n1",
  },
  {
    name: "overhead comes on top, pod-level requests instead of the containers'",
    nodes: { n1: { cpu: "1100m" }, n2: { cpu: "1" } },
    pod: {
      spec: {
        containers: [{ name: "main", resources: { requests: { cpu: "200m" } } }],
        resources: { requests: { cpu: "1" } },
        overhead: { cpu: "100m" },
      },
    },
    expect: "n1",
  },
  {
    name: "pods of one owner are spread over hosts and zones",
    nodes: { a1: { zone: "a" }, a2: { zone: "a" }, b1: { zone: "b" } },
    pods: { x: { node: "a1", owner: "rs" } },
    pod: { owner: "rs" },
    expect: "b1",
  },
  {
    name: "anti-affinity keeps away from its own kind",
    nodes: { n1: {}, n2: {} },
    pods: { a: { node: "n1", labels: { app: "web" } } },
    pod: {
      labels: { app: "web" },
      spec: {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: web, topologyKey: "kubernetes.io/hostname" },
            ],
          },
        },
      },
    },
    expect: "n2",
  },
  {
    name: "anti-affinity of others holds as well",
    nodes: { a1: { zone: "a" }, a2: { zone: "a" } },
    pods: {
      a: {
        node: "a1",
        spec: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { labelSelector: web, topologyKey: "topology.kubernetes.io/zone" },
              ],
            },
          },
        },
      },
    },
    pod: { labels: { app: "web" } },
    expect: "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.",
  },
  {
    name: "affinity follows the pod it asks for into its zone",
    nodes: { a1: { zone: "a" }, a2: { zone: "a" }, b1: { zone: "b" } },
    pods: { a: { node: "a1", labels: { app: "web" }, requests: { cpu: "3" } } },
    pod: {
      spec: {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: web, topologyKey: "topology.kubernetes.io/zone" },
            ],
          },
        },
      },
    },
    expect: "a2",
  },
  {
    name: "affinity in another namespace is none",
    nodes: { n1: {} },
    pods: { a: { node: "n1", namespace: "other", labels: { app: "web" } } },
    pod: {
      spec: {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: web, topologyKey: "kubernetes.io/hostname" },
            ],
          },
        },
      },
    },
    expect: "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
  },
  {
    name: "the first of a group may start anywhere, too, while others of it stand outside of all domains",
    nodes: { n1: {}, a1: { zone: "a" } },
    pods: { x: { node: "n1", labels: { app: "web" } } },
    pod: {
      labels: { app: "web" },
      spec: {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: "topology.kubernetes.io/zone", labelSelector: web },
            ],
          },
        },
      },
    },
    expect: "a1",
  },
  {
    name: "pods of a controller are spread as strictly as the cluster wants where they ask for nothing themselves",
    nodes: { a1: { zone: "a", pods: "1" }, b1: { zone: "b" }, n1: {} },
    pods: { x: { node: "b1", owner: "set" } },
    pod: { owner: "set", requests: { cpu: "1" }, spec: { nodeSelector: {} } },
    profile: {
      spread: {
        constraints: [{ maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule" }],
        isSystem: false,
      },
    },
    expect: "a1",
  },
  {
    name: "the first of a group that wants to be together may start anywhere",
    nodes: { n1: {}, n2: {} },
    pod: {
      labels: { app: "web" },
      spec: {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: web, topologyKey: "kubernetes.io/hostname" },
            ],
          },
        },
      },
    },
    expect: ["n1", "n2"],
  },
  {
    name: "topology spread keeps zones within the skew, and nodes without a zone out",
    nodes: { a1: { zone: "a" }, b1: { zone: "b", unschedulable: true }, n1: {} },
    pods: { x: { node: "a1", labels: { app: "web" } } },
    pod: {
      labels: { app: "web" },
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "topology.kubernetes.io/zone",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: web,
          },
        ],
      },
    },
    expect:
      "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, " +
      "1 node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) were unschedulable.",
  },
  {
    name: "too few domains count as an empty one",
    nodes: { a1: { zone: "a" } },
    pods: { x: { node: "a1", labels: { app: "web" } } },
    pod: {
      labels: { app: "web" },
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            minDomains: 2,
            topologyKey: "topology.kubernetes.io/zone",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: web,
          },
        ],
      },
    },
    expect: "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.",
  },
  {
    name: "zones that the pod's own selector excludes do not count for spreading",
    nodes: { a1: { zone: "a", labels: { disk: "ssd" } }, b1: { zone: "b" } },
    pods: { x: { node: "a1", labels: { app: "web" } } },
    pod: { labels: { app: "web" }, spec: { nodeSelector: { disk: "ssd" }, ...spreadWeb({}) } },
    expect: "a1",
  },
  {
    name: "unless the policy for affinity says Ignore",
    nodes: { a1: { zone: "a", labels: { disk: "ssd" } }, b1: { zone: "b" } },
    pods: { x: { node: "a1", labels: { app: "web" } } },
    pod: {
      labels: { app: "web" },
      spec: { nodeSelector: { disk: "ssd" }, ...spreadWeb({ nodeAffinityPolicy: "Ignore" }) },
    },
    expect:
      "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, " +
      "1 node(s) didn't match pod topology spread constraints.",
  },
  {
    name: "zones with taints that the pod does not tolerate count for spreading",
    nodes: { a1: { zone: "a" }, b1: { zone: "b", taints: [gpu] } },
    pods: { x: { node: "a1", labels: { app: "web" } } },
    pod: { labels: { app: "web" }, spec: spreadWeb({}) },
    expect:
      "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, " +
      "1 node(s) had untolerated taint(s).",
  },
  {
    name: "unless the policy for taints says Honor",
    nodes: { a1: { zone: "a" }, b1: { zone: "b", taints: [gpu] } },
    pods: { x: { node: "a1", labels: { app: "web" } } },
    pod: { labels: { app: "web" }, spec: spreadWeb({ nodeTaintsPolicy: "Honor" }) },
    expect: "a1",
  },
  {
    name: "where spreading is only wished, pods on nodes that the policies leave out do not count either",
    nodes: { a1: { zone: "a" }, a2: { zone: "a", taints: [gpu] }, b1: { zone: "b" } },
    pods: {
      x: { node: "a2", labels: { app: "web" } },
      y: { node: "a2", labels: { app: "web" } },
      z: { node: "b1", labels: { app: "web" } },
    },
    pod: {
      labels: { app: "web" },
      spec: spreadWeb({ whenUnsatisfiable: "ScheduleAnyway", nodeTaintsPolicy: "Honor" }),
    },
    expect: "a1",
  },
  {
    name: "matchLabelKeys narrow what is spread to pods with the same values",
    nodes: { a1: { zone: "a" }, b1: { zone: "b", unschedulable: true } },
    pods: { x: { node: "a1", labels: { app: "web", revision: "1" } } },
    pod: { labels: { app: "web", revision: "2" }, spec: spreadWeb({ matchLabelKeys: ["revision"] }) },
    expect: "a1",
  },
  {
    name: "a node that has the pod's large image is better than an emptier one",
    nodes: { n1: { images: { "app:1": 800 << 20 } }, n2: {} },
    pods: { a: { node: "n1", requests: { cpu: "100m", memory: "200Mi" } } },
    pod: { requests: { cpu: "100m", memory: "200Mi" } },
    expect: "n1",
  },
];

for (const scenario of scenarios) test(scenario.name, () => check(scenario));
