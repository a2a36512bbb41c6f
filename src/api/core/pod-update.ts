import type { Container, Pod } from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import { qosClassOf } from "../pod-resources.ts";
import { keepStatus } from "../strategy.ts";

/** What each of a pod's subresources may not touch stays as stored; validation judges the rest. */
export function preparePodUpdate(pod: Pod, old: Pod, context: RuleContext): void {
  switch (context.subresource) {
    case "status":
      pod.spec = old.spec;
      // A client of an older release does not know these fields and must not clear them.
      if (pod.status.qosClass === undefined && old.status.qosClass !== undefined)
        pod.status.qosClass = old.status.qosClass;
      keepOwners(pod, old);
      break;
    case "ephemeralcontainers": {
      const ephemeral = pod.spec.ephemeralContainers;
      replaceBy(pod, old);
      if (ephemeral === undefined) delete pod.spec.ephemeralContainers;
      else pod.spec.ephemeralContainers = ephemeral;
      break;
    }
    case "resize":
      prepareResize(pod, old);
      break;
    default:
      keepStatus(pod, old);
      keepEphemeralContainers(pod, old);
      pod.status = { ...pod.status, qosClass: old.status.qosClass ?? qosClassOf(pod) };
  }
}

function keepOwners(pod: Pod, old: Pod): void {
  if (old.metadata.ownerReferences === undefined) delete pod.metadata.ownerReferences;
  else pod.metadata.ownerReferences = old.metadata.ownerReferences;
}

function keepEphemeralContainers(pod: Pod, old: Pod): void {
  if (pod.spec.ephemeralContainers === undefined && old.spec.ephemeralContainers !== undefined) {
    pod.spec.ephemeralContainers = old.spec.ephemeralContainers;
  }
}

/** Makes `pod` a copy of the stored pod, but for the resourceVersion that the client named. */
function replaceBy(pod: Pod, old: Pod): void {
  const { resourceVersion, managedFields } = pod.metadata;
  pod.metadata = { ...old.metadata };
  if (resourceVersion !== undefined) pod.metadata.resourceVersion = resourceVersion;
  if (managedFields !== undefined) pod.metadata.managedFields = managedFields;
  pod.spec = { ...old.spec };
  pod.status = old.status;
}

/** /resize changes the resources of containers by name, and nothing else. */
function prepareResize(pod: Pod, old: Pod): void {
  const asked = pod.spec;
  replaceBy(pod, old);
  pod.spec.containers = resized(old.spec.containers, asked.containers);
  if (old.spec.initContainers !== undefined) {
    pod.spec.initContainers = resized(old.spec.initContainers, asked.initContainers);
  }
  if (asked.resources !== undefined) pod.spec.resources = asked.resources;
}

function resized(stored: readonly Container[], wanted: readonly Container[] | undefined): Container[] {
  return stored.map((container) => {
    const found = wanted?.find((candidate) => candidate.name === container.name);
    if (found === undefined) return container;
    const copy = { ...container, resources: found.resources };
    if (found.resizePolicy !== undefined) copy.resizePolicy = found.resizePolicy;
    return copy;
  });
}
