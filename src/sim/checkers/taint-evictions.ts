import { readCause } from "#client/cause-headers.ts";
import type { Change } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { deletedPodOf, oldestViewMsOf, taintsOf, toleratedMs, type Taint } from "./facts.ts";

/** Times of taints are written in whole seconds. Milliseconds. */
const earlyMsMax = 1_000;

interface Standing {
  readonly taint: Taint;
  readonly fromMs: number;
  /** Infinity: it still stands. */
  untilMs: number;
}

/** 55: a taint drives a pod away when the pod tolerates it no longer, and not before. */
export function taintEvictionChecker(view: View, report: Report): Checker {
  /** NoExecute taints by node and key, also those that went. */
  const standing = new Map<string, Map<string, Standing>>();
  const mayBeSeen = ({ untilMs }: Standing): boolean => untilMs >= view.now() - oldestViewMsOf(view.swarm);
  const follow = ({ current, before }: Change): void => {
    const { name } = (current ?? before)!.metadata;
    const known = standing.get(name) ?? new Map<string, Standing>();
    standing.set(name, known);
    const taints = (current === undefined ? [] : taintsOf(current)).filter(({ effect }) => effect === "NoExecute");
    for (const [key, one] of known)
      if (!taints.some((taint) => taint.key === key)) one.untilMs = Math.min(one.untilMs, view.now());
    for (const taint of taints) {
      const former = known.get(taint.key);
      // Who has not seen that it went counts from before.
      if (former !== undefined && mayBeSeen(former)) former.untilMs = Infinity;
      else known.set(taint.key, { taint, fromMs: view.now(), untilMs: Infinity });
    }
  };
  return {
    name: "taint evictions",
    requested(_client, request) {
      if (readCause(request.headers)?.actor !== "controllers/taint-eviction") return;
      // Whose clock was set says when a taint came and what time it is now.
      if (view.swarm.strikes["clock-stepped"] !== undefined) return;
      const pod = deletedPodOf(view.history, request);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
      const node = String(pod.spec?.["nodeName"]);
      const taints = [...(standing.get(node)?.values() ?? [])].filter(mayBeSeen);
      const dueMs = Math.min(...taints.map(({ taint, fromMs }) => fromMs + toleratedMs(pod, taint)));
      if (view.now() + earlyMsMax < dueMs)
        report("55 eviction", `${pod.metadata.name} is driven from ${node} ${(dueMs - view.now()) / 1000} s too early`);
    },
    changed(changes) {
      for (const change of changes) if (change.resource === "nodes") follow(change);
    },
  };
}
