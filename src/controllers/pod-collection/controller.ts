import { nodes as nodeResource } from "#api/generated/resources.ts";
import type { Controller, Plan } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { nodeDeclaration } from "../views/node.ts";
import { isFinished, podDeclaration } from "../views/pod.ts";
import { planOrphanedPod, planOutOfService, planTerminatedPods, planUnscheduledTerminating } from "./plan.ts";

const terminatedKey = "finished pods";

/** Removes pods that nobody will finish: of gone nodes, never scheduled and terminating, finished beyond the number kept. */
export function createPodCollector(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const pods = informers.of(podDeclaration);
  const nodes = informers.of(nodeDeclaration);
  /** Since when a node that pods name was first missed, on the monotonic clock. */
  const missedSince = new Map<string, number>();
  let finished = 0;

  const passNode = async (name: string, now: number): Promise<Plan | undefined> => {
    const orphans = pods.by("node", name);
    const node = nodes.get(name);
    if (node !== undefined || orphans.length === 0) {
      missedSince.delete(name);
      return node === undefined ? undefined : { actions: planOutOfService(node, orphans) };
    }
    const nowMs = dependencies.clock.monotonic();
    const since = missedSince.get(name) ?? nowMs;
    missedSince.set(name, since);
    const leftMs = since + limits.podCollectionQuarantineMs - nowMs;
    if (leftMs > 0) return { actions: [], lookAgainMs: leftMs };
    // The informer may be behind: ask before anything is deleted.
    if ((await client.find(nodeResource, { name })) !== undefined) return undefined;
    return { actions: orphans.flatMap((pod) => planOrphanedPod(pod, now)) };
  };
  return createLoop(dependencies, {
    name: "pod-collection",
    eventSource: "pod-garbage-collector",
    needs: [pods, nodes],
    watch: (enqueue) => [
      nodes.handle((key, _old, current) => {
        if (current === undefined || current.taints.length > 0) enqueue(`node/${key}`);
      }),
      pods.handle((key, old, current) => {
        finished += Number(current !== undefined && isFinished(current)) - Number(old !== undefined && isFinished(old));
        if (finished > limits.terminatedPodsMax) enqueue(terminatedKey);
        if (current === undefined) return;
        if (current.node === "" && current.deletionMs !== undefined) enqueue(`pod/${key}`);
        if (current.node === "") return;
        const node = nodes.get(current.node);
        const hasMoved = current.node !== old?.node && node === undefined;
        const isEnding = current.deletionMs !== undefined && old?.deletionMs === undefined;
        if (hasMoved || (isEnding && (node?.taints.length ?? 0) > 0)) enqueue(`node/${current.node}`);
      }),
    ],
    async pass(key, { now }) {
      if (key === terminatedKey) return { actions: planTerminatedPods(pods.list(), limits.terminatedPodsMax) };
      const name = key.slice(key.indexOf("/") + 1);
      if (key.startsWith("node/")) return passNode(name, now);
      const pod = pods.get(name);
      if (pod === undefined || pod.node !== "" || pod.deletionMs === undefined) return undefined;
      return { actions: planUnscheduledTerminating(pod) };
    },
  });
}
