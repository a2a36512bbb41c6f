import type { Node, Pod } from "#api/generated/core-v1.ts";
import { nodes as nodeResource, pods as podResource } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { parseQuantity, quantityToNumber } from "#codec/quantity.ts";

const resourceMetrics = "/apis/metrics.k8s.io/v1beta1";
export const historyPath = "/apis/observability.steersman.dev/v1/histories/prometheus/proxy/api/v1";

/** Cores and bytes. */
export interface Amount {
  readonly cpu: number;
  readonly memory: number;
}

export const nothing: Amount = { cpu: 0, memory: 0 };

export interface SeenContainer {
  readonly name: string;
  readonly requests: Partial<Amount>;
  /** Undefined while nothing was measured. */
  readonly used: Amount | undefined;
}

export interface SeenPod {
  readonly namespace: string;
  readonly name: string;
  /** `deployment/web`: what made it, seen through its ReplicaSet; `pod/NAME` when nothing did. */
  readonly workload: string;
  readonly node: string;
  readonly priority: number;
  readonly isDaemon: boolean;
  readonly containers: readonly SeenContainer[];
}

export interface SeenNode {
  readonly name: string;
  readonly allocatable: Amount;
  readonly used: Amount | undefined;
}

/** What is there now: nodes, running pods, what they asked for and what they use. */
export interface Scene {
  readonly nodes: readonly SeenNode[];
  readonly pods: readonly SeenPod[];
}

interface Metrics {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace?: string };
    readonly usage?: Readonly<Record<string, string>>;
    readonly containers?: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
  }[];
}

/** Reads the cluster once. Without measurements what is used stays unknown. */
export async function readScene(client: Client): Promise<Scene> {
  const [nodes, pods, nodeMetrics, podMetrics] = await Promise.all([
    client.list(nodeResource),
    client.list(podResource),
    measured(client, "nodes"),
    measured(client, "pods"),
  ]);
  const nodeUse = new Map(nodeMetrics.items.map(({ metadata, usage }) => [metadata.name, amountOf(usage)]));
  const podUse = new Map(
    podMetrics.items.map(({ metadata, containers = [] }) => [
      `${metadata.namespace ?? ""}/${metadata.name}`,
      new Map(containers.map(({ name, usage }) => [name, amountOf(usage)])),
    ]),
  );
  return {
    nodes: nodes.items.map((node) => seenNode(node, nodeUse.get(node.metadata.name ?? ""))),
    pods: pods.items
      .filter(({ status }) => status.phase === "Running" || status.phase === "Pending")
      .map((pod) => seenPod(pod, podUse.get(`${pod.metadata.namespace ?? ""}/${pod.metadata.name ?? ""}`))),
  };
}

async function measured(client: Client, resource: string): Promise<Metrics> {
  try {
    return (await client.request("GET", `${resourceMetrics}/${resource}`)) as Metrics;
  } catch {
    // No metrics API: what is used stays unknown.
    return { items: [] };
  }
}

function seenNode({ metadata, status }: Node, used: Amount | undefined): SeenNode {
  return { name: metadata.name ?? "", allocatable: amountOf(status.allocatable), used };
}

function seenPod({ metadata, spec }: Pod, used: ReadonlyMap<string, Amount> | undefined): SeenPod {
  const { namespace = "", name = "", ownerReferences = [], labels = {} } = metadata;
  const owner = ownerReferences.find(({ controller }) => controller === true);
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return {
    namespace,
    name,
    workload: workloadOf(name, owner, labels["pod-template-hash"]),
    node: spec.nodeName ?? "",
    priority: spec.priority ?? 0,
    isDaemon: owner?.kind === "DaemonSet",
    containers: [...spec.containers, ...sidecars].map(({ name: container, resources }) => ({
      name: container,
      requests: partialOf(resources?.requests),
      used: used?.get(container),
    })),
  };
}

function workloadOf(pod: string, owner: { kind: string; name: string } | undefined, hash: string | undefined): string {
  if (owner === undefined) return `pod/${pod}`;
  const isDeployment = owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`);
  return isDeployment
    ? `deployment/${owner.name.slice(0, -hash.length - 1)}`
    : `${owner.kind.toLowerCase()}/${owner.name}`;
}

function partialOf(amounts: Readonly<Record<string, string>> | undefined): Partial<Amount> {
  const cpu = numberOf(amounts?.["cpu"]);
  const memory = numberOf(amounts?.["memory"]);
  return { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
}

export function amountOf(amounts: Readonly<Record<string, string>> | undefined): Amount {
  return { ...nothing, ...partialOf(amounts) };
}

function numberOf(text: string | undefined): number | undefined {
  const parsed = parseQuantity(text ?? "");
  return parsed.ok ? quantityToNumber(parsed.quantity) : undefined;
}

export function plus(left: Amount, right: Partial<Amount>): Amount {
  return { cpu: left.cpu + (right.cpu ?? 0), memory: left.memory + (right.memory ?? 0) };
}

export function requestOf({ containers }: SeenPod): Amount {
  return containers.reduce((sum, { requests }) => plus(sum, requests), nothing);
}

/** `1.25` cores, `250m` below one. */
export function coresText(cores: number): string {
  return cores < 0.9995 ? `${Math.round(cores * 1000)}m` : String(Math.round(cores * 100) / 100);
}

/** `12Mi`, `1.5Gi`. */
export function bytesText(bytes: number): string {
  const mebi = bytes / 1024 ** 2;
  return mebi < 1024 ? `${Math.round(mebi)}Mi` : `${Math.round((mebi / 1024) * 10) / 10}Gi`;
}
