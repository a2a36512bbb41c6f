import type { ModelObject } from "#client/testing/model-api.ts";
import { isReady, runPod, type ModelCluster } from "./model-cluster.ts";

/** One look of all node agents: pods run and become ready, terminating ones go when nothing holds them. For tests. */
export function agentsWork(cluster: ModelCluster): void {
  for (const pod of cluster.api.list("pods")) {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const isHeld = (pod.metadata.finalizers ?? []).length > 0;
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (!isHeld) cluster.api.remove("pods", key);
    } else if (!isReady(pod) && !isEnded(pod)) runPod(cluster, pod, true, targetOf(pod));
  }
}

/** Lets agents and controllers work in turns for `seconds`. */
export async function live(cluster: ModelCluster, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds * 2; passed++) {
    await cluster.time.advance(500);
    agentsWork(cluster);
  }
  await cluster.time.advance(500);
}

export function podNames(cluster: ModelCluster): string[] {
  return cluster.api
    .list("pods")
    .map((pod) => pod.metadata.name)
    .sort();
}

/** Ends a pod as its node would report it. */
export function endPod(
  cluster: ModelCluster,
  pod: ModelObject,
  phase: "Succeeded" | "Failed",
  exitCode = phase === "Failed" ? 1 : 0,
): void {
  const finishedAt = `${new Date(cluster.time.clock.now()).toISOString().slice(0, 19)}Z`;
  const state = { terminated: { exitCode, finishedAt } };
  const current = cluster.api.get("pods", `${pod.metadata.namespace}/${pod.metadata.name}`);
  if (current === undefined) return;
  cluster.api.put("pods", {
    metadata: current.metadata,
    spec: { ...current.spec, nodeName: "n1" },
    status: { phase, containerStatuses: [{ name: "main", restartCount: 0, state }] },
  });
}

export function isEnded(pod: ModelObject): boolean {
  return pod.status?.["phase"] === "Succeeded" || pod.status?.["phase"] === "Failed";
}

function targetOf(pod: ModelObject): string {
  return (
    /"matchFields":\[\{"key":"metadata.name","operator":"In","values":\["([^"]+)"\]/.exec(
      JSON.stringify(pod.spec),
    )?.[1] ?? "n1"
  );
}

export function conditionsOf(cluster: ModelCluster, resource: string, key: string): string[] {
  const conditions = (cluster.api.get(resource, key)?.status?.["conditions"] ?? []) as {
    type: string;
    status: string;
    reason: string;
  }[];
  return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`).sort();
}

/** Deletes a workload alone, as with `--cascade=orphan`, and makes it anew; answers the uids of its pods before that. */
export async function makeAnew(cluster: ModelCluster, plural: string, key: string): Promise<string[]> {
  const { metadata, spec } = cluster.api.get(plural, key)!;
  cluster.api.remove(plural, key);
  for (const kind of ["pods", "controllerrevisions"])
    for (const left of cluster.api.list(kind))
      cluster.api.put(kind, { ...left, metadata: { ...left.metadata, ownerReferences: [] } });
  const before = podUids(cluster);
  cluster.api.put(plural, { metadata: { name: metadata.name, namespace: metadata.namespace }, spec });
  await live(cluster, 6);
  return before;
}

export function podUids(cluster: ModelCluster): string[] {
  return cluster.api
    .list("pods")
    .map((pod) => String(pod.metadata.uid))
    .sort();
}
