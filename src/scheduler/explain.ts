import { amountText } from "./amounts.ts";
import type { Cluster } from "./cluster.ts";
import type { Evaluation } from "./evaluation.ts";
import { limits } from "./limits.ts";
import type { Taint } from "#api/generated/core-v1.ts";
import type { NodeView } from "./node-view.ts";
import type { PodShape, PodView } from "./pod-view.ts";
import { verdict, verdictText } from "./verdict.ts";

/** Why one node was out of the question, and the smallest change that would have helped. */
export interface NodeRefusal {
  readonly node: string;
  /** As in the message: `Insufficient cpu`, `node(s) had untolerated taint(s)`. */
  readonly reasons: readonly string[];
  /** `2 more cpu`, `a toleration for dedicated=gpu:NoSchedule`: all that the node itself asks for, not only what was met first. */
  readonly change: string;
}

/** A failed attempt, as data for people. */
export interface Explanation {
  readonly pod: string;
  /** The one line of the condition and the event. */
  readonly message: string;
  readonly nodes: readonly NodeRefusal[];
  /** The nodes grouped by what would help: what asks for the fewest things first, of those what helps the most nodes. */
  readonly changes: readonly { readonly change: string; readonly nodes: number; readonly example: string }[];
}

/** Explains a verdict over all nodes. `preemption`: what eviction could have done, in the form of the message. */
export function explain(
  pod: PodView,
  cluster: Cluster,
  evaluation: Evaluation,
  verdicts: Uint8Array,
  preemption?: string,
): Explanation {
  const counts = new Map<string, number>();
  const groups = new Map<string, { nodes: number; example: string; things: number }>();
  const nodes: NodeRefusal[] = [];
  for (let slot = 0; slot < verdicts.length; slot += 1) {
    const node = cluster.nodeAt(slot);
    if (node === undefined) continue;
    const code = verdicts[slot]!;
    const obstacles = code < verdict.resources ? evaluation.obstaclesAt(slot) : [code];
    const isShort = obstacles.includes(verdict.resources);
    const shortages = isShort ? evaluation.shortages(slot, cluster.aheadOf(pod, slot)) : [];
    const reasons = code === verdict.resources ? shortages.map(([name]) => shortageReason(name)) : [verdictText[code]!];
    const taints = obstacles.includes(verdict.taints) ? evaluation.taintsOf(node) : [];
    const met: Met = { shape: pod.shape, node, shortages, taints };
    const change = obstacles.map((obstacle) => changeFor(obstacle, met)).join(" and ");
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const group = groups.get(change);
    const things = obstacles.length - 1 + Math.max(1, shortages.length);
    if (group === undefined) groups.set(change, { nodes: 1, example: node.name, things });
    else group.nodes += 1;
    if (nodes.length < limits.explainedNodesMax) nodes.push({ node: node.name, reasons, change });
  }
  const changes = [...groups]
    .sort(([, a], [, b]) => a.things - b.things || b.nodes - a.nodes)
    .map(([change, { nodes: count, example }]) => ({ change, nodes: count, example }));
  return {
    pod: pod.key,
    message: withPreemption(pod, messageOf(cluster.nodeCount, counts), preemption),
    nodes,
    changes,
  };
}

/** Why no node at all will do, and what would have to be there instead. */
export interface Obstacle {
  readonly message: string;
  readonly change: string;
}

/** A pod whose claims keep it from every node: nothing about nodes would help, and nobody who goes. */
export function explainObstacle(pod: PodView, { nodeCount }: Cluster, { message, change }: Obstacle): Explanation {
  const preemption = messageOf(nodeCount, new Map([[preemptionReason.helpless, nodeCount]]));
  return {
    pod: pod.key,
    message: withPreemption(pod, messageOf(nodeCount, message), nodeCount === 0 ? undefined : preemption),
    nodes: [],
    changes: [{ change, nodes: nodeCount, example: "any" }],
  };
}

/** Why nobody who goes would make room, by node. */
export const preemptionReason = {
  helpless: "Preemption is not helpful for scheduling",
  noVictims: "No preemption victims found for incoming pod",
} as const;

/** The form that users of kubectl know: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).` */
export function messageOf(nodeCount: number, why: string | ReadonlyMap<string, number>): string {
  if (nodeCount === 0) return "no nodes available to schedule pods";
  const reasons =
    typeof why === "string"
      ? why
      : Array.from(why, ([reason, count]) => `${count} ${reason}`)
          .toSorted()
          .join(", ");
  return `0/${nodeCount} nodes are available: ${reasons}.`;
}

/** What could be done for the pod, in upstream's order: first claims that hold devices in vain, then pods that are less important. */
function withPreemption({ deviceClaims }: PodView, message: string, preemption: string | undefined): string {
  if (preemption === undefined) return message;
  const claims = deviceClaims.length === 0 ? "no new claims to deallocate" : "still not schedulable";
  return `${message} ${claims}, preemption: ${preemption}`;
}

/** The sentence that goes with the write: which filters said no, with the changes that would help. Bounded. */
export function ruleOf(explanation: Explanation): string {
  const named = explanation.changes.slice(0, limits.changesNamedMax).map(({ change, nodes, example }) => {
    const where = nodes === 1 ? `on ${example}` : `on each of ${nodes} nodes (such as ${example})`;
    return `${change} ${where}`;
  });
  const helps = named.length === 0 ? "" : ` It would fit with: ${named.join("; or ")}`;
  return `${explanation.message}${helps}`.slice(0, limits.ruleCharactersMax);
}

function shortageReason(resource: string): string {
  return resource === "pods" ? "Too many pods" : `Insufficient ${resource}`;
}

/** What a pod met on one node. */
interface Met {
  readonly shape: PodShape;
  readonly node: NodeView;
  readonly shortages: readonly [resource: string, missing: number][];
  readonly taints: readonly Taint[];
}

function changeFor(code: number, { shape, node, shortages, taints }: Met): string {
  switch (code) {
    case verdict.unschedulable:
      return "the node being uncordoned";
    case verdict.taints:
      return taints
        .map(({ key, value = "", effect }) => `a toleration for ${key}${value === "" ? "" : `=${value}`}:${effect}`)
        .join(" and ");
    case verdict.selector:
      return selectorChange(shape, node.labels);
    case verdict.ports:
      return `host port ${shape.hostPorts.map((port) => `${port.port}/${port.protocol}`).join(", ")} becoming free`;
    case verdict.resources:
      return shortages.map(([resource, missing]) => shortageText(resource, missing)).join(" and ");
    case verdict.spreadLabel: {
      const missing = shape.spread.find((one) => node.labels[one.topologyKey] === undefined);
      return `the label ${missing?.topologyKey} on the node`;
    }
    case verdict.spread:
      return "fewer matching pods in the topology domain, or a larger maxSkew";
    case verdict.affinity:
      return "a pod that matches the pod affinity in the topology domain";
    case verdict.antiAffinity:
      return "no pod that matches the pod anti-affinity in the topology domain";
    case verdict.claimInUse:
      return "the end of the pod that uses the pod's ReadWriteOncePod claim";
    case verdict.volumeLimit:
      return "fewer volumes of the same CSI driver on the node, or a larger allocatable count in its CSINode";
    case verdict.volumeCapacity:
      return "more free storage for the node in the CSIStorageCapacity objects of the class";
    case verdict.volumeZone:
      return "the pod's volumes being in the node's zone";
    case verdict.volumeAffinity:
      return "the pod's volumes being reachable from the node";
    case verdict.volumeBinding:
      return "a free volume, or a class that makes volumes there, for the pod's claims";
    case verdict.devices:
      return "free devices on the node that match the pod's resource claims";
    case verdict.extender:
      return "another answer of the extender for the node";
    case verdict.deviceNode:
      return "the devices of the pod's resource claims being reachable from the node";
    case verdict.existingAntiAffinity:
      return "no pod whose anti-affinity matches this pod in the topology domain";
    default:
      return "another attempt";
  }
}

function selectorChange(shape: PodShape, labels: Readonly<Record<string, string>>): string {
  const missing: string[] = [];
  const { nodeSelector, requiredNodes } = shape;
  for (const key in nodeSelector) if (labels[key] !== nodeSelector[key]) missing.push(`${key}=${nodeSelector[key]}`);
  if (missing.length > 0) return `the label ${missing.join(", ")} on the node`;
  const wanted = requiredNodes?.[0];
  const expressions = [...(wanted?.matchExpressions ?? []), ...(wanted?.matchFields ?? [])];
  const text = expressions
    .map(({ key, operator, values }) => `${key} ${operator} [${(values ?? []).join(" ")}]`)
    .join(" and ");
  return `a node for which ${text === "" ? "the node affinity holds" : text}`;
}

function shortageText(resource: string, missing: number): string {
  if (resource === "pods") return `room for ${missing} more pod${missing === 1 ? "" : "s"}`;
  return `${amountText(resource, missing)} more ${resource}`;
}
