import { ageColumn, column, nameColumn } from "#api/columns.ts";
import { ageOf } from "#api/human-duration.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import {
  notFound,
  unknownResource,
  virtualResource,
  type VirtualAnswer,
  type VirtualGroup,
  type VirtualKind,
  type VirtualRequest,
} from "#api/virtual-group.ts";
import { timeText } from "#reconcile/object-view.ts";
import type { Clock } from "#world/clock.ts";
import { sampleAgeMaxMs, sampleAgeMinMs } from "../limits.ts";
import type { ContainerUsage, MeasuredPod, Usage, UsageCache } from "./usage-cache.ts";

const group = "metrics.k8s.io";
const version = "v1beta1";
const apiVersion = `${group}/${version}`;

export interface MeasuredNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ResourceMetricsOptions {
  readonly clock: Clock;
  readonly cache: UsageCache;
  /** All pods of a namespace; of all namespaces for "". */
  readonly pods: (namespace: string) => readonly MeasuredPod[];
  readonly nodes: () => readonly MeasuredNode[];
}

/** metrics.k8s.io/v1beta1: what `kubectl top` and autoscalers read. https://github.com/kubernetes/metrics */
export function createResourceMetrics(options: ResourceMetricsOptions): VirtualGroup {
  return {
    group,
    version,
    kinds: [
      metricsKind({ resource: "pods", kind: "PodMetrics", namespaced: true }, "pod", podUsageText),
      metricsKind({ resource: "nodes", kind: "NodeMetrics", namespaced: false }, "node", nodeUsageText),
    ],
    answer: async (request) => {
      if (request.subresource !== "") return unknownResource();
      if (request.resource === "pods") return podMetrics(options, request);
      if (request.resource === "nodes") return nodeMetrics(options, request);
      return unknownResource();
    },
  };
}

async function podMetrics(options: ResourceMetricsOptions, request: VirtualRequest): Promise<VirtualAnswer> {
  const { namespace, name, labels } = request;
  if (request.verb === "get" && namespace === "") return unknownResource();
  const all = options.pods(namespace);
  const chosen = all.filter(
    (pod) =>
      pod.phase === "Running" &&
      (name === "" || pod.name === name) &&
      (labels === undefined || labels.matches(pod.labels)),
  );
  const usages = await options.cache.ofPods(chosen, maxAgeOf(request));
  const items = chosen.flatMap((pod) => {
    const containers = usages.get(pod.uid);
    return containers === undefined || containers.length === 0 ? [] : [podObject(pod, containers)];
  });
  if (request.verb === "list") return { kind: "list", listKind: "PodMetricsList", items };
  const [item] = items;
  return item === undefined ? notFound(group, "pods", `${namespace}/${name}`) : { kind: "object", object: item };
}

async function nodeMetrics(options: ResourceMetricsOptions, request: VirtualRequest): Promise<VirtualAnswer> {
  const { name, labels } = request;
  const chosen = options
    .nodes()
    .filter((node) => (name === "" || node.name === name) && (labels === undefined || labels.matches(node.labels)));
  const usages = await options.cache.ofNodes(
    chosen.map((node) => node.name),
    maxAgeOf(request),
  );
  const items = chosen.flatMap((node) => {
    const usage = usages.get(node.name);
    return usage === undefined ? [] : [nodeObject(node, usage)];
  });
  if (request.verb === "list") return { kind: "list", listKind: "NodeMetricsList", items };
  const [item] = items;
  return item === undefined ? notFound(group, "nodes", name) : { kind: "object", object: item };
}

/** Autoscalers ask for younger samples than people. */
function maxAgeOf({ query }: VirtualRequest): number {
  const asked = Number(query.get("maxAgeMs") ?? sampleAgeMaxMs);
  return Number.isFinite(asked) ? Math.max(sampleAgeMinMs, Math.min(asked, sampleAgeMaxMs)) : sampleAgeMaxMs;
}

function podObject({ name, namespace, labels }: MeasuredPod, containers: readonly ContainerUsage[]): ApiObject {
  const oldest = containers.reduce((left, right) => (left.atMs <= right.atMs ? left : right));
  return {
    kind: "PodMetrics",
    apiVersion,
    metadata: { name, namespace, creationTimestamp: timeText(oldest.atMs), labels: { ...labels } },
    timestamp: timeText(oldest.atMs),
    window: windowText(oldest),
    containers: containers.map((usage) => ({ name: usage.name, usage: amounts(usage) })),
  };
}

function nodeObject({ name, labels }: MeasuredNode, usage: Usage): ApiObject {
  return {
    kind: "NodeMetrics",
    apiVersion,
    metadata: { name, creationTimestamp: timeText(usage.atMs), labels: { ...labels } },
    timestamp: timeText(usage.atMs),
    window: windowText(usage),
    usage: amounts(usage),
  };
}

function windowText({ windowMs }: Usage): string {
  return `${(windowMs / 1000).toFixed(3)}s`;
}

/** Nanocores and kibibytes, as metrics-server writes them. */
function amounts({ cpuNanoCores, workingSetBytes }: Usage): Record<string, string> {
  const nano = Math.round(cpuNanoCores);
  return { cpu: nano === 0 ? "0" : `${nano}n`, memory: `${Math.floor(workingSetBytes / 1024)}Ki` };
}

function metricsKind(
  named: Pick<Resource<ApiObject>, "resource" | "kind" | "namespaced">,
  singular: string,
  usage: (object: ApiObject) => readonly [string, string],
): VirtualKind {
  return {
    resource: virtualResource({ group, version, ...named }),
    singular,
    columns: [
      nameColumn,
      column("CPU", "CPU used over the window."),
      column("Memory", "Working set."),
      column("Window", "Length of the window."),
      ageColumn,
    ],
    cells: (object, now) => {
      const age = ageOf(object["timestamp"] as string, now);
      return [object.metadata.name, ...usage(object), String(object["window"]), age];
    },
  };
}

function podUsageText(object: ApiObject): readonly [string, string] {
  let [nano, kibi] = [0, 0];
  for (const { usage } of object["containers"] as { usage: { cpu: string; memory: string } }[]) {
    nano += Number.parseInt(usage.cpu, 10);
    kibi += Number.parseInt(usage.memory, 10);
  }
  return [`${nano}n`, `${kibi}Ki`];
}

function nodeUsageText(object: ApiObject): readonly [string, string] {
  const { cpu, memory } = object["usage"] as { cpu: string; memory: string };
  return [cpu, memory];
}
