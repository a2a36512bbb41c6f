import type { Container, Pod } from "./generated/core-v1.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const qosResources = ["cpu", "memory"] as const;

type Resources = Container["resources"] | undefined;

/** The quality of service class that a pod's requests and limits give it. Quantities must be in canonical form. */
export function qosClassOf(pod: Pod): QosClass {
  const all: Resources[] =
    pod.spec.resources !== undefined
      ? [pod.spec.resources]
      : [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].map((container) => container.resources);
  let any = false;
  let guaranteed = true;
  for (const resources of all) {
    for (const name of qosResources) {
      const request = nonZero(resources?.requests?.[name]);
      const limit = nonZero(resources?.limits?.[name]);
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || (request !== undefined && request !== limit)) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

function nonZero(quantity: string | undefined): string | undefined {
  return quantity === "0" ? undefined : quantity;
}
