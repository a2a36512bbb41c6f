import type { ContainerUsage, MeasuredPod, Usage, UsageCache } from "../resource-metrics/usage-cache.ts";

/** Cores and bytes. */
export interface Amount {
  readonly cpu: number;
  readonly memory: number;
}

export const nothing: Amount = { cpu: 0, memory: 0 };

/** What is known of a pod before it is measured. */
export interface UsingPod extends MeasuredPod {
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly controller: { readonly kind: string; readonly name: string } | undefined;
  /** In thousandths. */
  readonly requests: {
    readonly containers: readonly { readonly name: string; readonly requests: Readonly<Record<string, number>> }[];
  };
}

export interface UsedNode {
  readonly name: string;
  readonly allocatable: Amount;
}

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

export interface SeenNode extends UsedNode {
  readonly used: Amount | undefined;
}

/** What is there now: nodes, pods that are to run, what they asked for and what they use. */
export interface Scene {
  readonly nodes: readonly SeenNode[];
  readonly pods: readonly SeenPod[];
}

/** Measures what is there. What could not be measured stays unknown. */
export async function measureScene(
  cache: Pick<UsageCache, "ofPods" | "ofNodes">,
  nodes: readonly UsedNode[],
  pods: readonly UsingPod[],
  maxAgeMs: number,
): Promise<Scene> {
  const present = pods.filter(({ phase }) => phase === "Running" || phase === "Pending");
  const [ofNodes, ofPods] = await Promise.all([
    cache.ofNodes(
      nodes.map(({ name }) => name),
      maxAgeMs,
    ),
    cache.ofPods(present, maxAgeMs),
  ]);
  return {
    nodes: nodes.map((node) => ({ ...node, used: amountOf(ofNodes.get(node.name)) })),
    pods: present.map((pod) => seenPod(pod, ofPods.get(pod.uid) ?? [])),
  };
}

function seenPod(pod: UsingPod, usages: readonly ContainerUsage[]): SeenPod {
  const { namespace, name, node, priority, controller, labels, requests } = pod;
  const used = new Map(usages.map((usage) => [usage.name, usage]));
  return {
    namespace,
    name,
    workload: workloadOf(name, controller, labels["pod-template-hash"]),
    node,
    priority,
    isDaemon: controller?.kind === "DaemonSet",
    containers: requests.containers.map((container) => ({
      name: container.name,
      requests: partialOf(container.requests),
      used: amountOf(used.get(container.name)),
    })),
  };
}

function amountOf(usage: Usage | undefined): Amount | undefined {
  return usage && { cpu: usage.cpuNanoCores / 1e9, memory: usage.workingSetBytes };
}

function partialOf({ cpu, memory }: Readonly<Record<string, number>>): Partial<Amount> {
  return {
    ...(cpu === undefined ? {} : { cpu: cpu / 1000 }),
    ...(memory === undefined ? {} : { memory: memory / 1000 }),
  };
}

function workloadOf(pod: string, owner: UsingPod["controller"], hash: string | undefined): string {
  if (owner === undefined) return `pod/${pod}`;
  const isDeployment = owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`);
  return isDeployment
    ? `deployment/${owner.name.slice(0, -hash.length - 1)}`
    : `${owner.kind.toLowerCase()}/${owner.name}`;
}

export function plus(left: Amount, right: Partial<Amount>): Amount {
  return { cpu: left.cpu + (right.cpu ?? 0), memory: left.memory + (right.memory ?? 0) };
}

export function requestOf({ containers }: SeenPod): Amount {
  return containers.reduce((sum, { requests }) => plus(sum, requests), nothing);
}
