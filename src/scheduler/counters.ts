import type { PodAffinityTerm } from "#api/generated/core-v1.ts";
import type { LabelSelector } from "#api/generated/meta-v1.ts";
import type { PodShape, PodView } from "./pod-view.ts";
import { type Labels, labelsMatch } from "#api/label-match.ts";

/** Labels of namespaces, for terms that select namespaces. */
export type Namespaces = ReadonlyMap<string, Labels>;

/** How much stands on which node, summed over the domains of a topology. */
export interface Counter {
  readonly total: number;
  /** By the number of the domain; nodes in no domain (-1) count for nothing. */
  byDomain(domains: Int32Array, domainCount: number): Float64Array;
}

interface Counted {
  /** Which pods count. */
  readonly selector?: LabelSelector | undefined;
  /** Also by the labels of their namespaces. */
  readonly selectsNamespaces?: boolean;
  /** Terminating pods do not count. */
  readonly skipsDeleting: boolean;
  amountOf(shape: PodShape): number;
}

/** How much pods count for something, by slot of their node: matching pods of a term or a controller. */
export class PodCounter implements Counter {
  readonly counted: Counted;
  bySlot: Float64Array;
  total = 0;

  constructor(slots: number, counted: Counted) {
    this.counted = counted;
    this.bySlot = new Float64Array(slots);
  }

  add(pod: PodView, slot: number, sign: 1 | -1): void {
    if (this.counted.skipsDeleting && pod.deleting) return;
    const amount = sign * this.counted.amountOf(pod.shape);
    this.bySlot[slot]! += amount;
    this.total += amount;
  }

  byDomain(domains: Int32Array, domainCount: number): Float64Array {
    const counts = new Float64Array(domainCount);
    const { bySlot } = this;
    for (let slot = 0; slot < bySlot.length; slot += 1)
      if (domains[slot]! >= 0) counts[domains[slot]!]! += bySlot[slot]!;
    return counts;
  }
}

/** The same for what stands on few of many nodes. */
export class SparseCounter implements Counter {
  total = 0;
  readonly #bySlot = new Map<number, number>();

  add(slot: number, amount: number): void {
    this.total += amount;
    const sum = (this.#bySlot.get(slot) ?? 0) + amount;
    if (sum === 0) this.#bySlot.delete(slot);
    else this.#bySlot.set(slot, sum);
  }

  byDomain(domains: Int32Array, domainCount: number): Float64Array {
    const counts = new Float64Array(domainCount);
    for (const [slot, amount] of this.#bySlot) if (domains[slot]! >= 0) counts[domains[slot]!]! += amount;
    return counts;
  }
}

/** Whether a pod of `shape` is one that a term, held by a pod in `holderNamespace`, speaks of. */
export function termSelects(
  term: PodAffinityTerm,
  holderNamespace: string,
  shape: PodShape,
  namespaces: Namespaces,
): boolean {
  return (
    namespaceSelected(term, holderNamespace, shape.namespace, namespaces) &&
    labelsMatch(term.labelSelector, shape.labels)
  );
}

export function selectsNamespaces({ namespaceSelector }: PodAffinityTerm): boolean {
  return namespaceSelector !== undefined;
}

function namespaceSelected(
  term: PodAffinityTerm,
  holderNamespace: string,
  namespace: string,
  namespaces: Namespaces,
): boolean {
  const { namespaces: named = [], namespaceSelector } = term;
  if (named.length === 0 && namespaceSelector === undefined) return namespace === holderNamespace;
  if (named.includes(namespace)) return true;
  return namespaceSelector !== undefined && labelsMatch(namespaceSelector, namespaces.get(namespace) ?? {});
}

/** A selector with the values that the pod itself has for some keys: `matchLabelKeys`. */
export function withOwnLabels(
  selector: LabelSelector | undefined,
  keys: readonly string[] | undefined,
  labels: Labels,
): LabelSelector | undefined {
  if (selector === undefined || keys === undefined) return selector;
  const matchLabels: Record<string, string> = { ...selector.matchLabels };
  for (const key of keys) {
    const value = labels[key];
    if (value !== undefined) matchLabels[key] = value;
  }
  return { ...selector, matchLabels };
}
