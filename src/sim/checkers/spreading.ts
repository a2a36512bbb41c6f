import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { isTerminal, oldestViewMsOf, podKeyOf } from "./facts.ts";

const perNode = "kubernetes.io/hostname";

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly whenUnsatisfiable: string;
  readonly labelSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

interface Binding {
  readonly target: { readonly name: string };
}

/** A pod on its node, or on the one that a bind was asked for. */
interface Placed {
  readonly pod: Stored;
  readonly node: string;
  /** When it went, or its bind was asked for last; Infinity: it is there. */
  lastMs: number;
}

/**
 * 55: no pod is bound to a node that then has more than `maxSkew` pods beyond another one. The simulation spreads over nodes alone.
 * What went a while ago the scheduler may still have counted, and a node that came it may not have. It counts a pod from when it
 * asks for its bind: of several at once a later one may arrive first, and any may get lost.
 */
export function spreadChecker(view: View, report: Report): Checker {
  /** By uid and node. */
  const placed = new Map<string, Placed>();
  /** Each pod as it was last. */
  const pods = new Map<string, Stored>();
  const nodesSinceMs = new Map<string, number>();
  const nodesLost = new Set<string>();
  const checkBound = ({ key, current, revision }: Change & { readonly current: Stored }, node: string): void => {
    const sinceMs = view.now() - oldestViewMsOf(view.swarm);
    const constraints = (current.spec?.["topologySpreadConstraints"] ?? []) as readonly Constraint[];
    for (const constraint of constraints) {
      if (constraint.whenUnsatisfiable !== "DoNotSchedule" || constraint.topologyKey !== perNode) continue;
      const alike = [...placed.values()].filter(({ pod }) => isAlike(constraint, current, pod));
      const own = alike.filter((one) => one.node === node && one.lastMs === Infinity).length;
      for (const [other, fromMs] of nodesSinceMs) {
        if (fromMs > sinceMs) continue;
        const there = alike.filter(
          (one) => one.node === other && one.lastMs >= sinceMs && one.pod.metadata.uid !== current.metadata.uid,
        ).length;
        if (own - there > constraint.maxSkew)
          report("55 spread", `${key} was bound at ${revision}: ${node} has ${own} such pods then, ${other} ${there}`);
      }
    }
  };
  return {
    name: "spreading",
    asked(client, { method, target, body }) {
      const key = client === "scheduler" && method === "POST" ? podKeyOf(target, "binding") : undefined;
      if (key === undefined) return;
      const { name: node } = (JSON.parse(new TextDecoder().decode(body)) as Binding).target;
      // A node that it names it knows; of one that came again it may mean the one before.
      if (nodesSinceMs.has(node) && !nodesLost.has(node)) nodesSinceMs.set(node, -Infinity);
      const pod = pods.get(key);
      if (pod === undefined) return;
      const id = `${pod.metadata.uid} ${node}`;
      if (placed.get(id)?.lastMs !== Infinity) placed.set(id, { pod, node, lastMs: view.now() });
    },
    changed(changes) {
      for (const change of changes) {
        const { resource, current, before, key } = change;
        const { metadata, spec } = (current ?? before)!;
        const { name, uid } = metadata;
        if (resource === "nodes") {
          if (current === undefined) {
            nodesSinceMs.delete(name);
            nodesLost.add(name);
          } else if (!nodesSinceMs.has(name)) nodesSinceMs.set(name, view.now());
        }
        if (resource !== "pods") continue;
        if (current !== undefined) pods.set(key, current);
        const node = spec?.["nodeName"] as string | undefined;
        if (node === undefined) continue;
        const id = `${uid} ${node}`;
        const known = placed.get(id);
        const isThere = known?.lastMs === Infinity;
        const isGone = current === undefined || current.metadata.deletionTimestamp !== undefined || isTerminal(current);
        if (isGone && isThere) known.lastMs = view.now();
        if (isGone || isThere) continue;
        placed.set(id, { pod: current, node, lastMs: Infinity });
        checkBound({ ...change, current }, node);
      }
    },
  };
}

function isAlike({ labelSelector }: Constraint, { metadata }: Stored, other: Stored): boolean {
  return (
    other.metadata.namespace === metadata.namespace &&
    Object.entries(labelSelector?.matchLabels ?? {}).every(([key, value]) => other.metadata.labels?.[key] === value)
  );
}
