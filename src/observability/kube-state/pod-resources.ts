import type { Node, Pod } from "#api/generated/core-v1.ts";
import { podLimits, podRequests, type Amounts } from "#api/pod-resources.ts";
import { quantityToMillis } from "#codec/quantity.ts";
import type { FamilyBuilder } from "./builder.ts";

/** Resources that are asked for on every cluster. */
const usual: readonly string[] = ["cpu", "memory", "ephemeral-storage"];

/** What nodes have: what a pod asks for beyond it is a word that a client made up, and no label. */
export function knownResources(nodes: readonly Node[]): ReadonlySet<string> {
  return new Set([...usual, ...nodes.flatMap(({ status }) => Object.keys(status?.allocatable ?? {}))]);
}

/** What a pod asks for and is limited to as the scheduler counts it, under kube-scheduler's names; nothing once it has ended. */
export function podResourceStates(into: FamilyBuilder, pod: Pod, known: ReadonlySet<string>): void {
  const { phase } = pod.status ?? {};
  if (phase === "Succeeded" || phase === "Failed") return;
  const { nodeName = "", schedulerName = "", priority } = pod.spec;
  const labels = {
    namespace: pod.metadata.namespace ?? "",
    pod: pod.metadata.name ?? "",
    node: nodeName,
    scheduler: schedulerName,
    priority: priority === undefined ? "" : String(priority),
  };
  const show = (name: string, help: string, amounts: Amounts): void => {
    for (const resource in amounts) {
      if (!known.has(resource)) continue;
      const value = Number(quantityToMillis(amounts[resource]!)) / 1000;
      if (value > 0) into.gauge(name, help, { ...labels, resource, unit: unitOf(resource) }, value);
    }
  };
  show(
    "kube_pod_resource_request",
    "Resources requested by workloads on the cluster, broken down by pod.",
    podRequests(pod),
  );
  show("kube_pod_resource_limit", "Resources limit for workloads on the cluster, broken down by pod.", podLimits(pod));
}

function unitOf(resource: string): string {
  if (resource === "cpu") return "cores";
  return resource === "memory" || resource.endsWith("storage") || resource.startsWith("hugepages-")
    ? "bytes"
    : "integer";
}
