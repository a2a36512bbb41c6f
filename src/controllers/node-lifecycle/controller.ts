import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { leaseDeclaration, nodeDeclaration, type NodeView } from "../views/node.ts";
import { podDeclaration } from "../views/pod.ts";
import { nodeMeasures } from "./measures.ts";
import { planNode, type ObservedNode } from "./plan.ts";
import { isHealthy, Zones } from "./zones.ts";

const leaseNamespace = "kube-node-lease";

interface Sign {
  /** What was seen last: lease and heartbeat times as text. Never compared with our clock. */
  readonly seen: string;
  readonly sinceMs: number;
}

/** Judges nodes by whether their leases and heartbeats move, and taints those that cannot run pods. */
export function createNodeLifecycleController(dependencies: Dependencies): Controller {
  const { clock, informers, metrics } = dependencies;
  const nodes = informers.of(nodeDeclaration);
  const leases = informers.of(leaseDeclaration);
  const pods = informers.of(podDeclaration);
  const zones = new Zones();
  const evicted = metrics === undefined ? undefined : nodeMeasures(metrics, zones);
  const signs = new Map<string, Sign>();
  /** By zone: when the next node may begin to be evicted from, on the monotonic clock. */
  const nextEviction = new Map<string, number>();
  /** Nodes that have had their turn, by name with their age, so that a second look does not count twice. */
  const armed = new Map<string, number>();

  const silentMs = (node: NodeView): number => {
    const ready = node.conditions.find((condition) => condition.type === "Ready");
    const seen = `${leases.get(keyOf(leaseNamespace, node.name))?.renewTime ?? ""} ${ready?.lastHeartbeatTime ?? ""} ${node.uid}`;
    const nowMs = clock.monotonic();
    const sign = signs.get(node.name);
    if (sign?.seen === seen) return nowMs - sign.sinceMs;
    // Unknown is what we wrote ourselves: no sign of life.
    signs.set(node.name, { seen, sinceMs: nowMs });
    return 0;
  };
  const eviction = (node: NodeView): ObservedNode["eviction"] => {
    if (isHealthy(node)) return { allowed: true };
    const rate = zones.evictionRate(node.zone);
    if (rate === "called off") return { allowed: false, isCalledOff: true };
    // Whoever frees the zone enqueues its nodes; this wait is for safety alone.
    if (rate === 0) return { allowed: false, askAgainMs: limits.nodeGraceMs };
    const nowMs = clock.monotonic();
    const nextMs = nextEviction.get(node.zone) ?? nowMs;
    if (nextMs > nowMs && armed.get(node.name) !== node.createdMs)
      return { allowed: false, askAgainMs: nextMs - nowMs };
    if (armed.get(node.name) !== node.createdMs) {
      nextEviction.set(node.zone, Math.max(nowMs, nextMs) + 1000 / rate);
      evicted?.add([node.zone]);
    }
    armed.set(node.name, node.createdMs);
    return { allowed: true };
  };
  return createLoop(dependencies, {
    name: "node-lifecycle",
    eventSource: "node-controller",
    needs: [nodes, leases, pods],
    watch: (enqueue) => [
      nodes.handle((key, old, current) => {
        // Zones are judged together: a node that fell or rose may free or stop evictions from the others.
        const affected = zones.change(old, current);
        if (affected !== "nobody") {
          const mine = [old?.zone, current?.zone];
          for (const other of nodes.list())
            if (!isHealthy(other) && (affected === "everybody" || mine.includes(other.zone))) enqueue(other.name);
        }
        if (current === undefined) {
          signs.delete(key);
          armed.delete(key);
          return;
        }
        if (isHealthy(current)) armed.delete(key);
        silentMs(current);
        enqueue(key);
      }),
      leases.handle((_key, _old, current) => {
        if (current?.namespace !== leaseNamespace) return;
        const node = nodes.get(current.name);
        if (node !== undefined) silentMs(node);
      }),
      pods.handle((_key, old, current) => {
        // A pod that says Ready on a node that does not answer: it was told so before the node fell silent.
        if (current?.ready !== true || old?.ready === true) return;
        const node = nodes.get(current.node);
        if (node !== undefined && !isHealthy(node)) enqueue(node.name);
      }),
    ],
    pass(key, { now }) {
      const node = nodes.get(key);
      if (node === undefined) return undefined;
      return planNode({ node, silentMs: silentMs(node), pods: pods.by("node", key), eviction: eviction(node) }, now);
    },
  });
}
