import type { Cidr } from "#base/cidr.ts";
import { nodes } from "#api/generated/resources.ts";
import type { Action } from "#reconcile/action.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Entry } from "#reconcile/indexed-map.ts";
import { createLoop, type LoopDependencies } from "#reconcile/loop.ts";
import { nodesDeclaration, type NodeView } from "../observed.ts";
import { tellAgainFirstMs, tellAgainLongestMs } from "../limits.ts";
import { allocate } from "./allocate.ts";

/** One pass looks at all Nodes: a range is free only if no Node has it. */
const allNodes = "nodes";

/** Gives each new Node its range of pod addresses (`spec.podCIDR`), `nodeBits` long, out of `clusterPods`. */
export function createNodeRangeController(
  dependencies: LoopDependencies,
  clusterPods: Cidr,
  nodeBits: number,
): Controller {
  const informer = dependencies.informers.of(nodesDeclaration);
  const told = new Told();
  return createLoop(dependencies, {
    room: "network",
    name: "node-range",
    needs: [informer as never],
    pass: (_, { now }) => {
      const mayTell = (uid: string): boolean => told.mayTell(uid, now);
      return { actions: planNodeRanges(informer.entries(), clusterPods, nodeBits, mayTell) };
    },
    watch: (enqueue) => [
      informer.handle((_, old, current) => {
        if (old !== undefined && (current === undefined || current.podRange !== undefined)) told.forget(old.uid);
        if (old?.podRange !== current?.podRange || old === undefined) enqueue(allNodes);
      }),
    ],
  });
}

/** Which Nodes, by uid, were told that nothing is left for them: again after a pause that doubles. Bounded by their number. */
class Told {
  readonly #pauses = new Map<string, { readonly pauseMs: number; readonly endMs: number }>();

  mayTell(uid: string, now: number): boolean {
    const last = this.#pauses.get(uid);
    if (last !== undefined && now < last.endMs) return false;
    const pauseMs = last === undefined ? tellAgainFirstMs : Math.min(tellAgainLongestMs, last.pauseMs * 2);
    this.#pauses.set(uid, { pauseMs, endMs: now + pauseMs });
    return true;
  }

  forget(uid: string): void {
    this.#pauses.delete(uid);
  }
}

/** The writes that give Nodes their ranges. `mayTell`: whether the Node of a uid may be told now that none is left. */
export function planNodeRanges(
  entries: readonly Entry<NodeView>[],
  clusterPods: Cidr,
  nodeBits: number,
  mayTell: (uid: string) => boolean,
): Action[] {
  const { ranges, exhausted } = allocate(
    entries.map(({ view }) => view),
    clusterPods,
    nodeBits,
  );
  return entries.flatMap(({ name, uid, revision }): Action[] => {
    const range = ranges.get(name);
    if (range !== undefined) {
      const metadata = { uid, resourceVersion: String(revision) };
      const patch = { metadata, spec: { podCIDR: range, podCIDRs: [range] } };
      const reason = `Node ${name} has no pod range; ${range} of ${clusterPods} is free`;
      return [{ verb: "patch", resource: nodes, name, type: "merge", patch, reason }];
    }
    if (!exhausted.has(name) || !mayTell(uid)) return [];
    const about = { apiVersion: "v1", kind: "Node", name, uid };
    const message = `No range of /${nodeBits} is free in ${clusterPods}`;
    return [{ verb: "event", about, type: "Warning", eventReason: "CIDRNotAvailable", message }];
  });
}
