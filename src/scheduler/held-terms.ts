import type { PodAffinityTerm } from "#api/generated/core-v1.ts";
import type { Labels } from "#api/label-match.ts";
import { SparseCounter } from "./counters.ts";
import type { PodShape } from "./pod-view.ts";
import { SelectorIndex } from "./selector-index.ts";

/** A term of affinity that some pod holds towards others, and how much of it stands on which node. */
export interface HeldTerm {
  readonly kind: "affinity" | "anti-affinity" | "preferred";
  readonly term: PodAffinityTerm;
  /** Of the pods that hold it. */
  readonly namespace: string;
  readonly topologyKey: string;
  /** How often, or with which weight, it is held. */
  readonly counter: SparseCounter;
  holders: number;
}

interface Holding extends Pick<HeldTerm, "kind" | "term" | "namespace" | "topologyKey"> {
  readonly id: string;
  readonly amount: number;
}

/** The terms of affinity that placed pods hold towards others. A pod counts for its own terms alone, however many there are. */
export class HeldTerms {
  /** Grows when a term is held that was not before, or no longer. */
  known = 0;
  readonly #terms = new Map<string, HeldTerm>();
  readonly #index = new SelectorIndex<HeldTerm>();
  readonly #ofShape = new WeakMap<PodShape, readonly Holding[]>();

  /** A pod of this shape came to (1) or left (-1) the node in a slot. */
  count(shape: PodShape, slot: number, sign: 1 | -1): void {
    for (const holding of this.#holdings(shape)) {
      const held = this.#terms.get(holding.id) ?? this.#hold(holding);
      held.counter.add(slot, sign * holding.amount);
      held.holders += sign;
      if (held.holders === 0) this.#drop(holding.id, held);
    }
  }

  /** Terms that may speak of pods with these labels. */
  mayConcern(labels: Labels): readonly HeldTerm[] {
    return this.#index.mayMatch(labels);
  }

  #hold({ id, kind, term, namespace, topologyKey }: Holding): HeldTerm {
    const held = { kind, term, namespace, topologyKey, counter: new SparseCounter(), holders: 0 };
    this.#terms.set(id, held);
    this.#index.add(term.labelSelector, held);
    this.known += 1;
    return held;
  }

  #drop(id: string, held: HeldTerm): void {
    this.#terms.delete(id);
    this.#index.remove(held.term.labelSelector, held);
    this.known += 1;
  }

  #holdings(shape: PodShape): readonly Holding[] {
    let holdings = this.#ofShape.get(shape);
    if (holdings === undefined) this.#ofShape.set(shape, (holdings = holdingsOf(shape)));
    return holdings;
  }
}

function holdingsOf({ namespace, ...shape }: PodShape): Holding[] {
  const hold = (kind: Holding["kind"], term: PodAffinityTerm, amount: number): Holding => {
    const id = `${kind} ${namespace} ${JSON.stringify(term)}`;
    return { id, kind, term, namespace, topologyKey: term.topologyKey, amount };
  };
  return [
    ...shape.affinity.map((term) => hold("affinity", term, 1)),
    ...shape.antiAffinity.map((term) => hold("anti-affinity", term, 1)),
    ...shape.preferredAffinity.map(({ podAffinityTerm, weight }) => hold("preferred", podAffinityTerm, weight)),
    ...shape.preferredAntiAffinity.map(({ podAffinityTerm, weight }) => hold("preferred", podAffinityTerm, -weight)),
  ];
}
