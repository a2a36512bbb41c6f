import type { NodeCondition, Taint } from "#api/generated/core-v1.ts";
import { nodes as nodeResource, pods as podResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import type { NodeView } from "../views/node.ts";
import type { PodView } from "../views/pod.ts";

export interface ObservedNode {
  readonly node: NodeView;
  /** How long neither lease nor status moved, on our own clock. Milliseconds. */
  readonly silentMs: number;
  /** Pods on the node. */
  readonly pods: readonly PodView[];
  readonly eviction: Eviction;
}

/** Whether the zone's limits allow to begin evicting from this node now; else when to ask again. */
export type Eviction =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly askAgainMs: number }
  /** The whole cluster is disrupted: evictions that have begun are called off too. */
  | { readonly allowed: false; readonly isCalledOff: true };

const nodes = nodeResource as Resource<unknown>;
const pods = podResource as Resource<unknown>;
const prefix = "node.kubernetes.io/";
const judged = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;

/** Conditions, taints and the readiness of pods of one node, from how long it has been silent and what it said last. */
export function planNode(observed: ObservedNode, now: number): Plan {
  const { node, silentMs } = observed;
  const because = referenceOf(nodes, node);
  if (node.deletionMs !== undefined) return { actions: [], because };
  const isSilent = silentMs >= limits.nodeGraceMs;
  const unknown = isSilent ? unknownConditions(node, now) : [];
  // The status first; taints follow what it says, in the next pass.
  if (unknown.length > 0)
    return { actions: [...markUnknown(node, unknown, silentMs), ...markPods(observed, now)], because };
  const ready = node.conditions.find((condition) => condition.type === "Ready");
  const taints = planTaints(observed, ready, now);
  const actions = [
    ...taints.actions,
    ...(ready?.status === "True" || ready === undefined ? [] : markPods(observed, now)),
  ];
  const waits = [isSilent ? undefined : limits.nodeGraceMs - silentMs, taints.askAgainMs].filter(
    (wait) => wait !== undefined,
  );
  return { actions, because, ...(waits.length === 0 ? {} : { lookAgainMs: Math.min(...waits) }) };
}

function unknownConditions(node: NodeView, now: number): NodeCondition[] {
  const stamp = timeText(now);
  return judged.flatMap((type) => {
    const old = node.conditions.find((condition) => condition.type === type);
    if (old?.status === "Unknown") return [];
    const never = old === undefined;
    return [
      {
        type,
        status: "Unknown",
        reason: never ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
        message: never ? "Kubelet never posted node status." : "Kubelet stopped posting node status.",
        lastHeartbeatTime: old?.lastHeartbeatTime ?? timeText(node.createdMs),
        lastTransitionTime: stamp,
      },
    ];
  });
}

function markUnknown(node: NodeView, conditions: readonly NodeCondition[], silentMs: number): Action[] {
  const { name, uid, resourceVersion } = node;
  const patch = { metadata: { uid, resourceVersion }, status: { conditions } };
  const reason = `neither lease nor status moved for ${Math.floor(silentMs / 1000)} s (grace ${limits.nodeGraceMs / 1000} s)`;
  const event = {
    about: aboutOf(nodes, node),
    type: "Normal" as const,
    eventReason: "NodeNotReady",
    message: `Node ${name} status is now: NodeNotReady`,
  };
  return [{ verb: "patch", resource: nodes, name, type: "strategic", subresource: "status", patch, reason, event }];
}

/** Pods of a node that is not ready are not ready either: Services must not send traffic there. */
function markPods({ node, pods: onNode }: ObservedNode, now: number): Action[] {
  return onNode
    .filter((pod) => pod.ready)
    .map((pod) => {
      const ready = pod.conditions.find((condition) => condition.type === "Ready");
      const condition = { ...ready, type: "Ready", status: "False", lastTransitionTime: timeText(now) };
      return {
        verb: "patch" as const,
        resource: pods,
        namespace: pod.namespace,
        name: pod.name,
        type: "strategic" as const,
        subresource: "status" as const,
        patch: { metadata: { uid: pod.uid }, status: { conditions: [condition] } },
        reason: `node ${node.name} of the pod is not ready`,
        event: {
          about: aboutOf(pods, pod),
          type: "Warning" as const,
          eventReason: "NodeNotReady",
          message: "Node is not ready",
        },
      };
    });
}

function planTaints(
  { node, eviction }: ObservedNode,
  ready: NodeCondition | undefined,
  now: number,
): { readonly actions: readonly Action[]; readonly askAgainMs?: number } {
  const isCalledOff = "isCalledOff" in eviction;
  const wanted = wantedTaints(node, ready).filter((taint) => !isCalledOff || taint.effect !== "NoExecute");
  const isOurs = (taint: Taint): boolean =>
    ourKeys.has(taint.key) && (taint.effect === "NoSchedule" || taint.effect === "NoExecute");
  const kept = node.taints.filter((taint) => !isOurs(taint) || wanted.some((other) => isSame(other, taint)));
  const missing = wanted.filter((taint) => !node.taints.some((other) => isSame(other, taint)));
  const evicting = missing.filter((taint) => taint.effect === "NoExecute");
  // Swapping one NoExecute taint for another begins no eviction.
  const isEvicting = node.taints.some((taint) => isOurs(taint) && taint.effect === "NoExecute");
  const isHeld = evicting.length > 0 && !isEvicting && !eviction.allowed;
  const added = isHeld ? missing.filter((taint) => taint.effect !== "NoExecute") : missing;
  const stamp = timeText(now);
  const taints = [
    ...kept,
    ...added.map((taint) => (taint.effect === "NoExecute" ? { ...taint, timeAdded: stamp } : taint)),
  ];
  const ask = isHeld && "askAgainMs" in eviction ? { askAgainMs: eviction.askAgainMs } : {};
  if (isEqual(taints, node.taints)) return { actions: [], ...ask };
  const { name, uid, resourceVersion } = node;
  const patch = { metadata: { uid, resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } };
  const reason = `Ready is ${ready?.status ?? "not reported"}${node.unschedulable ? ", unschedulable is set" : ""}`;
  return { actions: [{ verb: "patch", resource: nodes, name, type: "merge", patch, reason }], ...ask };
}

const ourKeys: ReadonlySet<string> = new Set(
  [
    "not-ready",
    "unreachable",
    "memory-pressure",
    "disk-pressure",
    "pid-pressure",
    "network-unavailable",
    "unschedulable",
  ].map((name) => prefix + name),
);

function wantedTaints(node: NodeView, ready: NodeCondition | undefined): Taint[] {
  const is = (type: string): boolean =>
    node.conditions.some((condition) => condition.type === type && condition.status === "True");
  const taints: Taint[] = [];
  const add = (key: string, ...effects: string[]): void =>
    void taints.push(...effects.map((effect) => ({ key: prefix + key, effect })));
  if (ready?.status === "Unknown") add("unreachable", "NoSchedule", "NoExecute");
  // A node that never said anything is not ready for pods; it is not evicted from before it was given up.
  else if (ready === undefined) add("not-ready", "NoSchedule");
  else if (ready.status === "False") add("not-ready", "NoSchedule", "NoExecute");
  if (is("MemoryPressure")) add("memory-pressure", "NoSchedule");
  if (is("DiskPressure")) add("disk-pressure", "NoSchedule");
  if (is("PIDPressure")) add("pid-pressure", "NoSchedule");
  if (is("NetworkUnavailable")) add("network-unavailable", "NoSchedule");
  if (node.unschedulable) add("unschedulable", "NoSchedule");
  return taints;
}

function isSame(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect;
}
