import type { Node, Pod } from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import { podLimits, podRequests, type Amounts } from "#api/pod-resources.ts";
import { quantityToMillis } from "#codec/quantity.ts";
import type { Family, Sample } from "#telemetry/metrics.ts";

/** Resources that are asked for on every cluster. */
const usual: readonly string[] = ["cpu", "memory", "ephemeral-storage"];

/** What nodes have: what a pod asks for beyond it is a word that a client made up, and no label. */
export function knownResources(nodes: readonly Node[]): ReadonlySet<string> {
  return new Set([...usual, ...nodes.flatMap(({ status }) => Object.keys(status?.allocatable ?? {}))]);
}

/** What pods ask for and are limited to as the scheduler counts it, under kube-scheduler's names. */
export class PodResources {
  readonly #known: ReadonlySet<string>;
  readonly #requests: Sample[] = [];
  readonly #limits: Sample[] = [];

  constructor(known: ReadonlySet<string>) {
    this.#known = known;
  }

  /** Nothing is told of a pod that has ended. */
  add(pod: Pod): void {
    if (isTerminalPhase(pod.status?.phase)) return;
    const { nodeName = "", schedulerName = "", priority } = pod.spec;
    const labels = {
      namespace: pod.metadata.namespace ?? "",
      pod: pod.metadata.name ?? "",
      node: nodeName,
      scheduler: schedulerName,
      priority: priority === undefined ? "" : String(priority),
    };
    this.#show(this.#requests, labels, podRequests(pod));
    this.#show(this.#limits, labels, podLimits(pod));
  }

  families(): readonly Family[] {
    const family = (what: string, help: string, samples: readonly Sample[]): Family => ({
      name: `kube_pod_resource_${what}`,
      type: "gauge",
      help,
      samples,
    });
    return [
      family("request", "Resources requested by workloads on the cluster, broken down by pod.", this.#requests),
      family("limit", "Resources limit for workloads on the cluster, broken down by pod.", this.#limits),
    ];
  }

  #show(into: Sample[], labels: Sample["labels"], amounts: Amounts): void {
    for (const resource in amounts) {
      if (!this.#known.has(resource)) continue;
      const value = Number(quantityToMillis(amounts[resource]!)) / 1000;
      if (value > 0) into.push({ labels: { ...labels, resource, unit: unitOf(resource) }, value });
    }
  }
}

function unitOf(resource: string): string {
  if (resource === "cpu") return "cores";
  return resource === "memory" || resource.endsWith("storage") || resource.startsWith("hugepages-")
    ? "bytes"
    : "integer";
}
