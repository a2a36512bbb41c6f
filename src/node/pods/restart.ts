import { resourcesAnnotation } from "./labels.ts";
import type { Container, Pod, ResourceRequirements } from "#api/generated/core-v1.ts";
import type { ObservedContainer, ObservedPod } from "./observed.ts";

/** A restartable init container runs beside the others for the pod's whole life. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** Newest container of a name; `sandboxId` limits it to one sandbox. */
export function latestOf(observed: ObservedPod, name: string, sandboxId?: string): ObservedContainer | undefined {
  return observed.containers.find(
    (container) => container.metadata.name === name && (sandboxId === undefined || container.sandboxId === sandboxId),
  );
}

export function isRunning(container: ObservedContainer | undefined): boolean {
  return container?.state === "Running" || container?.state === "Unknown";
}

/** What a container runs with, as the pod wrote it when it was given; undefined when that is not known. */
export function givenResources(
  container: ObservedContainer,
  resized: ReadonlyMap<string, string>,
): ResourceRequirements | undefined {
  const text = resized.get(container.id) ?? container.annotations[resourcesAnnotation];
  return text === undefined ? undefined : (JSON.parse(text) as ResourceRequirements);
}

/** Whether a container that ended with this code is started again, by its own policy and rules before the pod's. */
export function restartsAfter(pod: Pod, container: Container, exitCode: number, init: boolean): boolean {
  const rule = container.restartPolicyRules?.find(({ exitCodes }) => {
    const listed = exitCodes?.values?.includes(exitCode) === true;
    return exitCodes?.operator === "NotIn" ? !listed : listed;
  });
  if (rule?.action === "Restart") return true;
  const policy = container.restartPolicy ?? pod.spec.restartPolicy ?? "Always";
  if (policy === "Never") return false;
  // An init container that succeeded is done; only a pod that never restarts gives up when one fails.
  if (policy === "OnFailure" || init) return exitCode !== 0;
  return true;
}
