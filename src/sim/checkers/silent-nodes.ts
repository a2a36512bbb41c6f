import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { isReady, isTrue, oldestViewMsOf } from "./facts.ts";

/** Pods are marked with their node; what is refused meanwhile is tried again. Milliseconds. */
const markedWithinMs = 60_000;
const lookMs = 5_000;

/** 59: pods of a node that has been found silent are not said to be ready. */
export function silentNodeChecker(view: View, report: Report): Checker {
  /** Since when a node is silent while a server was there to act on it. */
  const silentMs = new Map<string, number>();
  let lookedMs = 0;
  return {
    name: "silent nodes",
    // A new server looks at all nodes again, and takes its time.
    opened() {
      silentMs.clear();
    },
    changed(changes) {
      const now = view.now();
      for (const { resource, current, before } of changes) {
        if (resource !== "nodes") continue;
        const { name } = (current ?? before)!.metadata;
        if (current === undefined || readiness(current) !== "Unknown") silentMs.delete(name);
      }
      if (now - lookedMs < lookMs) return;
      lookedMs = now;
      for (const node of view.history.all("nodes").values()) {
        const { name } = node.metadata;
        if (readiness(node) !== "Unknown") continue;
        if (!silentMs.has(name)) silentMs.set(name, now);
        if (now - silentMs.get(name)! < markedWithinMs + oldestViewMsOf(view.swarm)) continue;
        for (const pod of view.history.all("pods").values())
          if (pod.spec?.["nodeName"] === name && isReady(pod) && isTrue(pod, "PodScheduled"))
            report(
              "59 silent nodes",
              `${pod.metadata.name} is said to be ready, and nobody has heard of ${name} for long`,
            );
      }
    },
  };
}

function readiness({ status }: Stored): string | undefined {
  const conditions = (status?.["conditions"] ?? []) as readonly { readonly type: string; readonly status: string }[];
  return conditions.find(({ type }) => type === "Ready")?.status;
}
