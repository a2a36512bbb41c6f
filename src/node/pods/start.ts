import type { Pod, Volume } from "#api/generated/core-v1.ts";
import type { PodStart } from "../metrics/measures.ts";
import type { ObservedPod } from "./observed.ts";

/** Volumes that are made for the pod. */
const ownKinds: ReadonlySet<string> = new Set(["configMap", "downwardAPI", "emptyDir", "image", "projected", "secret"]);

/** What is to be told of a pod that runs for the first time. */
export function startOf(pod: Pod, observed: ObservedPod, now: number): Omit<PodStart, "seconds"> {
  const steps = new Set(
    (pod.spec.initContainers ?? []).filter((one) => one.restartPolicy !== "Always").map(({ name }) => name),
  );
  const initializingMs = observed.containers
    .filter(({ metadata, finishedAt }) => steps.has(metadata.name) && finishedAt > 0)
    .reduce((sum, { startedAt, finishedAt }) => sum + Math.max(0, finishedAt - startedAt), 0);
  return {
    uid: pod.metadata.uid ?? "",
    sinceCreation: (now - Date.parse(pod.metadata.creationTimestamp ?? "")) / 1000,
    initializing: initializingMs / 1000,
    isStateless: (pod.spec.volumes ?? []).every(isOwn),
  };
}

function isOwn(volume: Volume): boolean {
  return Object.keys(volume).every((key) => key === "name" || ownKinds.has(key));
}
