import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { isTerminal, oldestViewMsOf } from "./facts.ts";

const perNode = "kubernetes.io/hostname";

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly whenUnsatisfiable: string;
  readonly labelSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

/** A pod on its node. */
interface Placed {
  readonly pod: Stored;
  readonly node: string;
  /** When it went; Infinity: it is there. */
  goneMs: number;
}

/**
 * 55: no pod is bound to a node that then has more than `maxSkew` pods beyond another one. The simulation spreads over nodes alone.
 * What went a while ago the scheduler may still have counted, and a node that came it may not have.
 */
export function spreadChecker(view: View, report: Report): Checker {
  const placed = new Map<string, Placed>();
  const nodesSinceMs = new Map<string, number>();
  const checkBound = ({ key, current, revision }: Change & { readonly current: Stored }, node: string): void => {
    const sinceMs = view.now() - oldestViewMsOf(view.swarm);
    const constraints = (current.spec?.["topologySpreadConstraints"] ?? []) as readonly Constraint[];
    for (const constraint of constraints) {
      if (constraint.whenUnsatisfiable !== "DoNotSchedule" || constraint.topologyKey !== perNode) continue;
      const alike = [...placed.values()].filter(({ pod }) => isAlike(constraint, current, pod));
      const own = alike.filter((one) => one.node === node && one.goneMs === Infinity).length;
      for (const [other, fromMs] of nodesSinceMs) {
        if (fromMs > sinceMs) continue;
        const there = alike.filter((one) => one.node === other && one.goneMs >= sinceMs).length;
        if (own - there > constraint.maxSkew)
          report("55 spread", `${key} was bound at ${revision}: ${node} has ${own} such pods then, ${other} ${there}`);
      }
    }
  };
  return {
    name: "spreading",
    changed(changes) {
      for (const change of changes) {
        const { resource, current, before } = change;
        const { name, uid } = (current ?? before)!.metadata;
        if (resource === "nodes") {
          if (current === undefined) nodesSinceMs.delete(name);
          else if (!nodesSinceMs.has(name)) nodesSinceMs.set(name, view.now());
        }
        if (resource !== "pods") continue;
        const known = placed.get(uid);
        const node = current?.spec?.["nodeName"] as string | undefined;
        const isGone = current === undefined || current.metadata.deletionTimestamp !== undefined || isTerminal(current);
        if (isGone && known !== undefined) known.goneMs = Math.min(known.goneMs, view.now());
        if (isGone || known !== undefined || node === undefined) continue;
        placed.set(uid, { pod: current, node, goneMs: Infinity });
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
