import { readCause } from "#client/cause-headers.ts";
import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { controllerOf, deletedPodOf, isReady, isTerminal, oldestViewMsOf } from "./facts.ts";

/** Loops that make pods, and the kind whose pods are theirs to delete. */
const ownersOf: Readonly<Record<string, string>> = {
  "controllers/replicaset": "ReplicaSet",
  "controllers/replicationcontroller": "ReplicationController",
  "controllers/statefulset": "StatefulSet",
  "controllers/daemonset": "DaemonSet",
  "controllers/job": "Job",
};

/**
 * 33: a loop deletes no pod but those of its own workloads, whatever else their selectors match. 38: a ReplicaSet that shrinks
 * gives up the pods first that have not been ready for long; who became ready a moment ago may count as one of them.
 */
export function ownershipChecker(view: View, report: Report): Checker {
  /** Since when a pod is as ready as it is, by uid. */
  const readinessMs = new Map<string, number>();
  /** Pods that some loop asked to delete. */
  const asked = new Set<string>();
  return {
    name: "ownership",
    asked(_client, request) {
      const pod = deletedPodOf(view.history, request);
      if (pod !== undefined) asked.add(pod.metadata.uid);
    },
    requested(_client, request) {
      const pod = deletedPodOf(view.history, request);
      if (pod === undefined) return;
      const kind = ownersOf[readCause(request.headers)?.actor ?? ""];
      if (kind === undefined) return;
      const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
      if (owner?.kind !== kind)
        report(
          "33 foreign pods",
          `the loop of ${kind}s deletes ${pod.metadata.namespace}/${pod.metadata.name}, a pod of ${owner?.kind ?? "nobody"}`,
        );
      else if (kind === "ReplicaSet") checkOrder(pod, owner.uid);
    },
    changed(changes) {
      for (const { resource, before, current } of changes) {
        if (resource !== "pods") continue;
        const { uid } = (current ?? before)!.metadata;
        if (current === undefined) {
          asked.delete(uid);
          readinessMs.delete(uid);
        } else if (before === undefined || isReady(before) !== isReady(current)) readinessMs.set(uid, view.now());
      }
    },
  };

  function checkOrder(pod: Stored, set: string): void {
    if (!isReady(pod) || !isKnown(pod) || pod.metadata.deletionTimestamp !== undefined) return;
    for (const other of view.history.all("pods").values()) {
      const { metadata } = other;
      if (controllerOf(other) !== set || isReady(other) || !isKnown(other)) continue;
      if (metadata.deletionTimestamp !== undefined || isTerminal(other) || asked.has(metadata.uid)) continue;
      report("38 order", `${pod.metadata.name} is ready and goes before ${metadata.name}, which is not`);
    }
  }

  /** Whether every loop knows how ready a pod is. */
  function isKnown({ metadata }: Stored): boolean {
    return (readinessMs.get(metadata.uid) ?? Infinity) < view.now() - oldestViewMsOf(view.swarm);
  }
}
