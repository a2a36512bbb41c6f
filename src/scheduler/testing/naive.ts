import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from "#api/generated/core-v1.ts";

/**
 * The rules of placement written down once more, as plainly as possible and with nothing of the scheduler's own: what a
 * property test holds the scheduler against. Slow on purpose. Knows only the words that the test's generator uses.
 */
export interface NaiveCluster {
  readonly nodes: readonly Node[];
  /** Pods with spec.nodeName. */
  readonly pods: readonly Pod[];
}

export function naiveFeasible(pod: Pod, cluster: NaiveCluster): string[] {
  return cluster.nodes.filter((node) => fits(pod, node, cluster)).map((node) => node.metadata.name!);
}

function fits(pod: Pod, node: Node, cluster: NaiveCluster): boolean {
  const here = cluster.pods.filter((other) => other.spec.nodeName === node.metadata.name);
  return (
    node.spec.unschedulable !== true &&
    toleratesAll(pod, node) &&
    nodeMatches(pod, node) &&
    hostPorts(pod).every((port) => !here.some((other) => hostPorts(other).includes(port))) &&
    here.length + 1 <= Number(node.status.allocatable!["pods"]) &&
    ["cpu", "memory"].every((resource) => {
      const asked = requested(pod, resource);
      const used = here.reduce((sum, other) => sum + requested(other, resource), 0);
      return asked === 0 || used + asked <= units(node.status.allocatable![resource]!);
    }) &&
    affinityHolds(pod, node, cluster) &&
    spreadHolds(pod, node, cluster)
  );
}

function units(text: string): number {
  if (text.endsWith("m")) return Number(text.slice(0, -1)) / 1_000;
  if (text.endsWith("Gi")) return Number(text.slice(0, -2)) * 1_024;
  if (text.endsWith("Mi")) return Number(text.slice(0, -2));
  return Number(text);
}

function requested(pod: Pod, resource: string): number {
  return pod.spec.containers.reduce(
    (sum, container) => sum + units(container.resources.requests?.[resource] ?? "0"),
    0,
  );
}

function hostPorts(pod: Pod): number[] {
  return pod.spec.containers
    .flatMap((container) => (container.ports ?? []).map((port) => port.hostPort ?? 0))
    .filter((port) => port > 0);
}

function toleratesAll(pod: Pod, node: Node): boolean {
  return (node.spec.taints ?? []).every(
    (taint) =>
      taint.effect === "PreferNoSchedule" ||
      (pod.spec.tolerations ?? []).some(
        (one) => one.key === taint.key && (one.operator === "Exists" || (one.value ?? "") === (taint.value ?? "")),
      ),
  );
}

function nodeMatches(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined) return true;
  return terms.some((term) =>
    (term.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "In") return value !== undefined && values.includes(value);
      return value === undefined || !values.includes(value);
    }),
  );
}

function selects(term: PodAffinityTerm, holder: Pod, other: Pod): boolean {
  if (holder.metadata.namespace !== other.metadata.namespace) return false;
  return Object.entries(term.labelSelector?.matchLabels ?? {}).every(
    ([key, value]) => other.metadata.labels?.[key] === value,
  );
}

function affinityHolds(pod: Pod, node: Node, { nodes, pods }: NaiveCluster): boolean {
  const domain = (of: Node | undefined, key: string): string | undefined => of?.metadata.labels?.[key];
  const nodeOf = (of: Pod): Node | undefined => nodes.find((one) => one.metadata.name === of.spec.nodeName);
  const together = (other: Pod, key: string): boolean =>
    domain(node, key) !== undefined && domain(nodeOf(other), key) === domain(node, key);
  const affinity = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const matching = pods.filter((other) => affinity.every((term) => selects(term, pod, other)));
  const isAnywhere = matching.some((other) =>
    affinity.some(({ topologyKey }) => domain(nodeOf(other), topologyKey) !== undefined),
  );
  for (const term of affinity) {
    if (domain(node, term.topologyKey) === undefined) return false;
    const first = !isAnywhere && affinity.every((one) => selects(one, pod, pod));
    if (!first && !matching.some((other) => together(other, term.topologyKey))) return false;
  }
  const anti = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (anti.some((term) => pods.some((other) => selects(term, pod, other) && together(other, term.topologyKey))))
    return false;
  return !pods.some((other) =>
    (other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some(
      (term) => selects(term, other, pod) && together(other, term.topologyKey),
    ),
  );
}

function spreadHolds(pod: Pod, node: Node, { nodes, pods }: NaiveCluster): boolean {
  const hard = (pod.spec.topologySpreadConstraints ?? []).filter((one) => one.whenUnsatisfiable === "DoNotSchedule");
  const labelled = nodes.filter((one) => hard.every(({ topologyKey }) => topologyKey in one.metadata.labels!));
  return hard.every((constraint) => {
    const { topologyKey, maxSkew, minDomains, nodeAffinityPolicy, nodeTaintsPolicy } = constraint;
    const own = node.metadata.labels![topologyKey];
    if (own === undefined) return false;
    const counts = new Map<string, number>();
    for (const one of labelled) {
      if (nodeAffinityPolicy !== "Ignore" && !nodeMatches(pod, one)) continue;
      if (nodeTaintsPolicy === "Honor" && !toleratesAll(pod, one)) continue;
      const domain = one.metadata.labels![topologyKey]!;
      const here = pods.filter(
        (other) => other.spec.nodeName === one.metadata.name && isSpreadWith(constraint, pod, other),
      );
      counts.set(domain, (counts.get(domain) ?? 0) + here.length);
    }
    const fewest = counts.size < (minDomains ?? 1) ? 0 : Math.min(...counts.values());
    return (counts.get(own) ?? 0) + (isSpreadWith(constraint, pod, pod) ? 1 : 0) - fewest <= maxSkew;
  });
}

/** Whether a constraint of a pod counts another one. */
function isSpreadWith({ labelSelector, matchLabelKeys }: TopologySpreadConstraint, pod: Pod, other: Pod): boolean {
  const own = pod.metadata.labels ?? {};
  const same = (matchLabelKeys ?? []).flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]] as const]));
  return (
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    [...Object.entries(labelSelector?.matchLabels ?? {}), ...same].every(
      ([key, value]) => other.metadata.labels?.[key] === value,
    )
  );
}
