/**
 * Judges where pods were put, by the rules of placement written down once more with nothing of the scheduler's own. It looks at how
 * all pods stand in the end, so that it does not matter in which order they were bound. Knows the rules that the workloads use.
 */
import { amount } from "#sim/checkers/facts.ts";

export interface PlacedNode {
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  readonly spec: { readonly taints?: readonly Taint[] };
  readonly status: { readonly allocatable: Readonly<Record<string, string>> };
}

export interface PlacedPod {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Labels };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly resources?: { readonly requests?: Readonly<Record<string, string>> } }[];
    readonly tolerations?: readonly Toleration[];
    readonly nodeSelector?: Labels;
    readonly affinity?: {
      readonly nodeAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeTerms };
      readonly podAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodTerm[] };
      readonly podAntiAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodTerm[] };
    };
    readonly topologySpreadConstraints?: readonly Spread[];
  };
}

type Labels = Readonly<Record<string, string>>;
interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}
interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}
interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
interface NodeTerms {
  readonly nodeSelectorTerms: readonly { readonly matchExpressions?: readonly Expression[] }[];
}
interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly Expression[];
}
interface PodTerm {
  readonly topologyKey: string;
  readonly labelSelector?: Selector;
  readonly namespaces?: readonly string[];
  readonly namespaceSelector?: object;
}
interface Spread {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: string;
  readonly labelSelector?: Selector;
  readonly matchLabelKeys?: readonly string[];
  readonly minDomains?: number;
  readonly nodeAffinityPolicy?: string;
  readonly nodeTaintsPolicy?: string;
}

/** What is wrong with where the pods stand, one sentence each; none when every placement is right. */
export function misplaced(nodes: readonly PlacedNode[], pods: readonly PlacedPod[]): string[] {
  const byName = new Map(nodes.map((node) => [node.metadata.name, node]));
  const wrong: string[] = [];
  const placed: Placed[] = [];
  for (const pod of pods) {
    const node = byName.get(pod.spec.nodeName ?? "");
    if (node !== undefined) placed.push({ pod, node });
    else wrong.push(`${pod.metadata.name} is on no node that there is: "${pod.spec.nodeName ?? ""}"`);
  }
  for (const { pod, node } of placed) {
    const taint = repelling(node, pod);
    if (taint !== undefined) wrong.push(`${pod.metadata.name} does not tolerate ${taint.key} of ${node.metadata.name}`);
    if (!wantsNode(pod, node)) wrong.push(`${pod.metadata.name} does not want ${node.metadata.name}`);
  }
  return [...wrong, ...overfull(placed), ...neighbours(placed), ...skewed(nodes, placed)];
}

interface Placed {
  readonly pod: PlacedPod;
  readonly node: PlacedNode;
}

function overfull(placed: readonly Placed[]): string[] {
  return [...Map.groupBy(placed, ({ node }) => node)].flatMap(([node, here]) => {
    const { allocatable } = node.status;
    const asked = (name: string): number =>
      here
        .flatMap(({ pod }) => pod.spec.containers)
        .reduce((sum, { resources }) => sum + amount(resources?.requests?.[name] ?? "0"), 0);
    const used = { pods: here.length, cpu: asked("cpu"), memory: asked("memory") };
    return Object.entries(used)
      .filter(([name, all]) => all > amount(allocatable[name] ?? "0") * (1 + 1e-9))
      .map(([name, all]) => `${node.metadata.name} has ${allocatable[name] ?? "0"} ${name}, its pods take ${all}`);
  });
}

function repelling(node: PlacedNode, pod: PlacedPod): Taint | undefined {
  return (node.spec.taints ?? []).find((one) => repels(one, pod));
}

function repels({ key, value = "", effect }: Taint, pod: PlacedPod): boolean {
  if (effect === "PreferNoSchedule") return false;
  return !(pod.spec.tolerations ?? []).some(
    (one) =>
      (one.key === undefined || one.key === key) &&
      (one.effect === undefined || one.effect === effect) &&
      (one.operator === "Exists" || (one.value ?? "") === value),
  );
}

function wantsNode({ spec }: PlacedPod, node: PlacedNode): boolean {
  const labels = node.metadata.labels ?? {};
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return (
    Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value) &&
    (terms === undefined ||
      terms.some(({ matchExpressions = [] }) => matchExpressions.every((one) => holds(one, labels))))
  );
}

function holds({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labels[key];
  if (operator === "In") return value !== undefined && values.includes(value);
  if (operator === "NotIn") return value === undefined || !values.includes(value);
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  throw new Error(`the operator ${operator} is not known here`);
}

function selects(selector: Selector | undefined, labels: Labels = {}): boolean {
  if (selector === undefined) return false;
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every((one) => holds(one, labels))
  );
}

function meant({ labelSelector, namespaces, namespaceSelector }: PodTerm, owner: PlacedPod, other: PlacedPod): boolean {
  if (namespaceSelector !== undefined) throw new Error("a selector of namespaces is not known here");
  const among = namespaces ?? [owner.metadata.namespace];
  return among.includes(other.metadata.namespace) && selects(labelSelector, other.metadata.labels);
}

/** Required affinity and anti-affinity between pods. */
function neighbours(placed: readonly Placed[]): string[] {
  const wrong: string[] = [];
  const domains = new Map<string, Map<string, PlacedPod[]>>();
  const sharing = (topologyKey: string, node: PlacedNode): readonly PlacedPod[] => {
    let byValue = domains.get(topologyKey);
    if (byValue === undefined) {
      const groups = Map.groupBy(placed, (one) => one.node.metadata.labels?.[topologyKey] ?? "");
      byValue = new Map([...groups].map(([value, group]) => [value, group.map(({ pod }) => pod)]));
      domains.set(topologyKey, byValue);
    }
    const value = node.metadata.labels?.[topologyKey];
    return value === undefined ? [] : (byValue.get(value) ?? []);
  };
  for (const { pod, node } of placed) {
    const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
    for (const term of podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      const other = sharing(term.topologyKey, node).find((one) => one !== pod && meant(term, pod, one));
      if (other !== undefined) wrong.push(`${pod.metadata.name} is beside ${other.metadata.name}, which it avoids`);
    }
    for (const term of podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      // The first of those that seek each other may stand alone.
      const isMeant = (one: PlacedPod): boolean => one !== pod && meant(term, pod, one);
      const isBeside = sharing(term.topologyKey, node).some(isMeant);
      if (!isBeside && placed.some((one) => isMeant(one.pod)))
        wrong.push(`${pod.metadata.name} is not beside any pod that it seeks`);
    }
  }
  return wrong;
}

/** Hard spread: no domain has more than `maxSkew` pods beyond the one with the fewest. */
function skewed(nodes: readonly PlacedNode[], placed: readonly Placed[]): string[] {
  const rules = new Map<string, { readonly rule: Spread; readonly owner: PlacedPod }>();
  for (const { pod } of placed) {
    const { nodeSelector, affinity, tolerations } = pod.spec;
    for (const rule of hardSpread(pod)) {
      const same = rule.matchLabelKeys?.map((key) => pod.metadata.labels?.[key]);
      const scope = [pod.metadata.namespace, same, nodeSelector, affinity?.nodeAffinity, tolerations, hardSpread(pod)];
      rules.set(JSON.stringify([rule, scope]), { rule, owner: pod });
    }
  }
  return [...rules.values()].flatMap(({ rule, owner }) => {
    const counted = new Set(nodes.filter((node) => countsFor(rule, owner, node)));
    const counts = new Map([...counted].map((node) => [valueOf(rule, node), 0]));
    for (const { pod, node } of placed)
      if (counted.has(node) && isSpreadWith(rule, owner, pod))
        counts.set(valueOf(rule, node), counts.get(valueOf(rule, node))! + 1);
    const fewest = counts.size < (rule.minDomains ?? 1) ? 0 : Math.min(...counts.values());
    const skew = Math.max(...counts.values()) - fewest;
    return skew <= rule.maxSkew
      ? []
      : [`pods differ by ${skew} in ${rule.topologyKey}, at most ${rule.maxSkew} is allowed`];
  });
}

function hardSpread({ spec }: PlacedPod): readonly Spread[] {
  return (spec.topologySpreadConstraints ?? []).filter((rule) => rule.whenUnsatisfiable === "DoNotSchedule");
}

function valueOf({ topologyKey }: Spread, { metadata }: PlacedNode): string | undefined {
  return metadata.labels?.[topologyKey];
}

/** Whether the pods of a node are among those that the rule of a pod looks at. */
function countsFor({ nodeAffinityPolicy, nodeTaintsPolicy }: Spread, owner: PlacedPod, node: PlacedNode): boolean {
  return (
    hardSpread(owner).every((rule) => valueOf(rule, node) !== undefined) &&
    (nodeAffinityPolicy === "Ignore" || wantsNode(owner, node)) &&
    (nodeTaintsPolicy !== "Honor" || repelling(node, owner) === undefined)
  );
}

function isSpreadWith({ labelSelector, matchLabelKeys = [] }: Spread, owner: PlacedPod, pod: PlacedPod): boolean {
  const [own = {}, labels = {}] = [owner.metadata.labels, pod.metadata.labels];
  return (
    pod.metadata.namespace === owner.metadata.namespace &&
    selects(labelSelector, labels) &&
    matchLabelKeys.every((key) => own[key] === undefined || own[key] === labels[key])
  );
}
