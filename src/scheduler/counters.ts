import type { PodAffinityTerm } from "#api/generated/core-v1.ts";
import type { LabelSelector } from "#api/generated/meta-v1.ts";
import type { PodShape, PodView } from "./pod-view.ts";
import { type Labels, labelsMatch } from "#api/label-match.ts";

/** Labels of namespaces, for terms that select namespaces. */
export type Namespaces = ReadonlyMap<string, Labels>;

/** How much pods count for something, by slot of their node: matching pods, or holders of a term. */
export class PodCounter {
  readonly id: string;
  /** Terminating pods do not count. */
  readonly skipsDeleting: boolean;
  readonly #amount: (shape: PodShape) => number;
  bySlot: Float64Array;
  total = 0;

  constructor(id: string, slots: number, skipsDeleting: boolean, amount: (shape: PodShape) => number) {
    this.id = id;
    this.skipsDeleting = skipsDeleting;
    this.#amount = amount;
    this.bySlot = new Float64Array(slots);
  }

  amountOf(shape: PodShape): number {
    return this.#amount(shape);
  }

  add(pod: PodView, slot: number, sign: 1 | -1): void {
    if (this.skipsDeleting && pod.deleting) return;
    const amount = sign * this.#amount(pod.shape);
    this.bySlot[slot]! += amount;
    this.total += amount;
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
