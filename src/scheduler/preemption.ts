import type { LabelSelector } from "#api/generated/meta-v1.ts";
import type { Cluster } from "./cluster.ts";
import { messageOf, preemptionReason } from "./explain.ts";
import { limits } from "./limits.ts";
import type { NodeView } from "./node-view.ts";
import type { Placer } from "./placement.ts";
import type { PodView } from "./pod-view.ts";
import { labelsMatch } from "#api/label-match.ts";
import { mayChangeByEviction, verdict } from "./verdict.ts";

/** A PodDisruptionBudget, as far as preemption looks at it. */
export interface Budget {
  readonly namespace: string;
  readonly selector: LabelSelector | undefined;
  readonly disruptionsAllowed: number;
}

export type Preemption =
  | {
      readonly kind: "possible";
      readonly node: string;
      readonly victims: readonly PodView[];
      readonly violations: number;
    }
  /** Nobody has to go for this pod now. `message`: what follows `preemption: ` in the condition. */
  | { readonly kind: "ineligible"; readonly message: string }
  /** Whoever went, it would not help: also not on the node where room was kept. */
  | { readonly kind: "impossible"; readonly message: string };

interface Candidate {
  readonly slot: number;
  /** Highest priority first. */
  readonly victims: readonly PodView[];
  /** Victims whose budget does not allow it. */
  readonly violations: number;
}

interface PreemptionPlace {
  readonly cluster: Cluster;
  readonly placer: Placer;
  /** Nobody who goes gives devices back at once: a node without them does not help. */
  hasDevices(node: NodeView): boolean;
}

/**
 * Which less important pods would have to go, and where, so that the pod fits: budgets are respected where another set of
 * victims exists, then the least important and fewest go. Tries on `cluster` and leaves it as it was.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
 */
export function preempt(
  pod: PodView,
  where: PreemptionPlace,
  verdicts: Uint8Array,
  budgets: readonly Budget[],
  turn: number,
): Preemption {
  const { cluster, placer, hasDevices } = where;
  if (!placer.preempts) return { kind: "ineligible", message: "not enabled for this scheduler." };
  if (!pod.mayPreempt) return { kind: "ineligible", message: "not eligible due to preemptionPolicy=Never." };
  if (waitsForVictims(pod, cluster)) {
    return { kind: "ineligible", message: "not eligible due to a terminating pod on the nominated node." };
  }
  const counts = new Map<string, number>();
  const count = (reason: string): void => void counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const anyLower = cluster.lowestPriority < pod.priority;
  let best: Candidate | undefined;
  let found = 0;
  for (let i = 0; i < verdicts.length && found < limits.preemptionNodesMax; i += 1) {
    const slot = (i + turn * 7_919) % verdicts.length;
    if (verdicts[slot] === verdict.absent) continue;
    const mayHelp = mayChangeByEviction(verdicts[slot]!) && placer.isLargeEnough(pod, slot);
    if (!mayHelp || !hasDevices(cluster.nodeAt(slot)!)) {
      count(preemptionReason.helpless);
      continue;
    }
    const candidate = !anyLower ? undefined : candidateAt(slot, pod, cluster, placer, budgets);
    if (candidate === undefined) {
      count(preemptionReason.noVictims);
      continue;
    }
    found += 1;
    if (best === undefined || isBetter(candidate, best)) best = candidate;
  }
  if (best === undefined) return { kind: "impossible", message: messageOf(cluster.nodeCount, counts) };
  return {
    kind: "possible",
    node: cluster.nodeAt(best.slot)!.name,
    victims: best.victims,
    violations: best.violations,
  };
}

/** Victims of an earlier attempt are still leaving: their room comes soon. */
function waitsForVictims(pod: PodView, cluster: Cluster): boolean {
  const slot = pod.nominatedNode === "" ? undefined : cluster.slotOf(pod.nominatedNode);
  if (slot === undefined) return false;
  for (const other of cluster.podsAt(slot)) if (other.deleting && other.priority < pod.priority) return true;
  return false;
}

function candidateAt(
  slot: number,
  pod: PodView,
  cluster: Cluster,
  placer: Placer,
  budgets: readonly Budget[],
): Candidate | undefined {
  const { name } = cluster.nodeAt(slot)!;
  const lower = [...cluster.podsAt(slot)].filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return undefined;
  for (const other of lower) cluster.removePod(other.key);
  try {
    if (!placer.fitsAt(pod, slot)) return undefined;
    const violating = overBudget(lower, budgets);
    // Whoever may stay stays: first those whose budget forbids to go, then the more important, then the older.
    const order = lower.toSorted((a, b) => Number(violating.has(b)) - Number(violating.has(a)) || importance(a, b));
    const victims: PodView[] = [];
    for (const other of order) {
      cluster.placePod(other, name);
      if (placer.fitsAt(pod, slot)) continue;
      cluster.removePod(other.key);
      victims.push(other);
    }
    const violations = victims.filter((victim) => violating.has(victim)).length;
    return victims.length === 0 ? undefined : { slot, victims: victims.toSorted(importance), violations };
  } finally {
    for (const other of lower) if (cluster.pod(other.key) === undefined) cluster.placePod(other, name);
  }
}

/** Negative: `a` is more important. */
function importance(a: PodView, b: PodView): number {
  return b.priority - a.priority || a.startedMs - b.startedMs || (a.key < b.key ? -1 : 1);
}

/** Pods whose eviction, one after the other, some budget would not allow. */
function overBudget(pods: readonly PodView[], budgets: readonly Budget[]): ReadonlySet<PodView> {
  const left = budgets.map((budget) => budget.disruptionsAllowed);
  const violating = new Set<PodView>();
  for (const pod of pods.toSorted(importance)) {
    for (const [index, budget] of budgets.entries()) {
      if (budget.namespace !== pod.namespace || !labelsMatch(budget.selector, pod.shape.labels)) continue;
      left[index]! -= 1;
      if (left[index]! < 0) violating.add(pod);
    }
  }
  return violating;
}

/** The rules of choice between nodes, in their order. */
function isBetter(a: Candidate, b: Candidate): boolean {
  const sum = (victims: readonly PodView[]): number => victims.reduce((total, victim) => total + victim.priority, 0);
  const youngest = ({ victims }: Candidate): number =>
    Math.min(...victims.filter((victim) => victim.priority === victims[0]!.priority).map((victim) => victim.startedMs));
  if (a.violations !== b.violations) return a.violations < b.violations;
  if (a.victims[0]!.priority !== b.victims[0]!.priority) return a.victims[0]!.priority < b.victims[0]!.priority;
  if (sum(a.victims) !== sum(b.victims)) return sum(a.victims) < sum(b.victims);
  if (a.victims.length !== b.victims.length) return a.victims.length < b.victims.length;
  return youngest(a) > youngest(b);
}
