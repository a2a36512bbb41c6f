import type { TopologySpreadConstraint } from "#api/generated/core-v1.ts";
import type { Cluster } from "./cluster.ts";
import { type Counter, type PodCounter, selectsNamespaces, termSelects, withOwnLabels } from "./counters.ts";
import type { Evaluation } from "./evaluation.ts";
import type { HeldTerm } from "./held-terms.ts";
import type { PodShape } from "./pod-view.ts";
import { defaultProfile, type DefaultSpread, type Profile } from "./profile.ts";
import { labelsMatch } from "#api/label-match.ts";
import { verdict } from "./verdict.ts";

interface Spread {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly counter: PodCounter;
  /** The pod itself counts once placed. */
  readonly self: number;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

interface Weighted {
  readonly topologyKey: string;
  readonly counter: Counter;
  readonly weight: number;
}

/** What terms say about the shape, its own and those that others hold: as long as nothing of that changes. */
interface Held {
  readonly known: number;
  readonly blocking: readonly HeldTerm[];
  readonly scoring: readonly Weighted[];
  /** Its own required affinity is to pods like itself. */
  readonly affinityToSelf: boolean;
}

/** What a shape of pods wants of other pods: where such pods are decides, so it is looked at anew for each pod. */
export class Constraints {
  readonly #shape: PodShape;
  readonly #cluster: Cluster;
  readonly #hardSpread: readonly Spread[];
  readonly #softSpread: readonly Spread[];
  /** Missing topology labels put a node last only for spreading that somebody asked for. */
  readonly #softSpreadIsSystem: boolean;
  readonly #affinity: readonly { readonly topologyKey: string; readonly counter: PodCounter }[];
  readonly #antiAffinity: readonly { readonly topologyKey: string; readonly counter: PodCounter }[];
  readonly #preferred: readonly Weighted[];
  readonly #profile: Profile;
  #held: Held;

  constructor(shape: PodShape, cluster: Cluster, profile: Profile = defaultProfile) {
    const { filters, spread } = profile;
    this.#shape = shape;
    this.#profile = profile;
    this.#cluster = cluster;
    const isDefault = shape.spread.length === 0;
    const spreads = (when: string): Spread[] =>
      isDefault
        ? defaultSpreads(spread, when, shape, cluster)
        : shape.spread.filter((one) => one.whenUnsatisfiable === when).map((one) => spreadOf(one, shape, cluster));
    this.#hardSpread = filters.PodTopologySpread ? spreads("DoNotSchedule") : [];
    this.#softSpread = spreads("ScheduleAnyway");
    this.#softSpreadIsSystem = isDefault && spread.isSystem;
    this.#affinity = filters.InterPodAffinity ? affinityCounters(shape, cluster) : [];
    this.#antiAffinity = (filters.InterPodAffinity ? shape.antiAffinity : []).map((term) => ({
      topologyKey: term.topologyKey,
      counter: cluster.selected(term, shape.namespace),
    }));
    this.#preferred = [
      ...shape.preferredAffinity.map((one) => ({ one, sign: 1 })),
      ...shape.preferredAntiAffinity.map((one) => ({ one, sign: -1 })),
    ].map(({ one, sign }) => ({
      topologyKey: one.podAffinityTerm.topologyKey,
      counter: cluster.selected(one.podAffinityTerm, shape.namespace),
      weight: sign * one.weight,
    }));
    this.#held = this.#lookAtHeld();
  }

  #lookAtHeld(): Held {
    const { filters, heldAffinityWeight, heldPreferences } = this.#profile;
    const countsPreferences = heldPreferences || this.#preferred.length > 0;
    const blocking: HeldTerm[] = [];
    const scoring: Weighted[] = [];
    for (const held of this.#cluster.heldTerms(this.#shape.labels)) {
      if (!termSelects(held.term, held.namespace, this.#shape, this.#cluster.namespaces)) continue;
      if (held.kind === "anti-affinity") {
        if (filters.InterPodAffinity) blocking.push(held);
      } else if (held.kind === "affinity") scoring.push({ ...held, weight: heldAffinityWeight });
      else if (countsPreferences) scoring.push({ ...held, weight: 1 });
    }
    const { affinity, namespace } = this.#shape;
    const affinityToSelf = affinity.every((term) =>
      termSelects(term, namespace, this.#shape, this.#cluster.namespaces),
    );
    return { known: this.#cluster.heldKnown, blocking, scoring, affinityToSelf };
  }

  /** Overwrites the verdict of nodes that fit so far and that other pods exclude. */
  filter(evaluation: Evaluation, verdicts: Uint8Array): void {
    if (this.#held.known !== this.#cluster.heldKnown) this.#held = this.#lookAtHeld();
    for (const spread of this.#hardSpread) this.#filterBySpread(spread, evaluation, verdicts);
    this.#filterByAffinity(verdicts);
    for (const { topologyKey, counter } of this.#antiAffinity)
      this.#filterByCount(topologyKey, counter, verdicts, verdict.antiAffinity);
    for (const { topologyKey, counter } of this.#held.blocking) {
      this.#filterByCount(topologyKey, counter, verdicts, verdict.existingAntiAffinity);
    }
  }

  get filters(): boolean {
    if (this.#held.known !== this.#cluster.heldKnown) this.#held = this.#lookAtHeld();
    return this.#hardSpread.length + this.#affinity.length + this.#antiAffinity.length + this.#held.blocking.length > 0;
  }

  #filterBySpread(spread: Spread, evaluation: Evaluation, verdicts: Uint8Array): void {
    const { domains, values } = this.#cluster.topology(spread.topologyKey);
    const { slotCount } = this.#cluster;
    const counts = new Float64Array(values.size);
    const present = new Uint8Array(values.size);
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (domains[slot]! < 0 || !this.#counts(spread, evaluation, slot)) continue;
      counts[domains[slot]!]! += spread.counter.bySlot[slot]!;
      present[domains[slot]!] = 1;
    }
    let fewest = Infinity;
    let domainCount = 0;
    for (let domain = 0; domain < counts.length; domain += 1) {
      if (present[domain] === 0) continue;
      domainCount += 1;
      fewest = Math.min(fewest, counts[domain]!);
    }
    if (domainCount < spread.minDomains) fewest = 0;
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits) continue;
      const domain = domains[slot]!;
      if (domain < 0) verdicts[slot] = verdict.spreadLabel;
      else if (counts[domain]! + spread.self - fewest > spread.maxSkew) verdicts[slot] = verdict.spread;
    }
  }

  /** Whether the pods of a node count for a constraint: nodes that lack a label of any constraint do not. */
  #counts(spread: Spread, evaluation: Evaluation, slot: number): boolean {
    if (spread.honorsAffinity && evaluation.selected[slot] === 0) return false;
    if (spread.honorsTaints && evaluation.tolerated[slot] === 0) return false;
    for (const other of this.#hardSpread)
      if (this.#cluster.topology(other.topologyKey).domains[slot]! < 0) return false;
    return true;
  }

  #filterByAffinity(verdicts: Uint8Array): void {
    const { slotCount } = this.#cluster;
    const terms = this.#affinity.map(({ topologyKey, counter }) => {
      const { domains, values } = this.#cluster.topology(topologyKey);
      return { domains, counts: counter.byDomain(domains, values.size) };
    });
    // The first of a group that wants to be together may start anywhere that has the labels; those in no domain count for nothing.
    const mayStart = this.#held.affinityToSelf && terms.every(({ counts }) => counts.every((count) => count === 0));
    for (const { domains, counts } of terms) {
      for (let slot = 0; slot < slotCount; slot += 1) {
        const domain = domains[slot]!;
        if (verdicts[slot] === verdict.fits && (domain < 0 || (counts[domain] === 0 && !mayStart)))
          verdicts[slot] = verdict.affinity;
      }
    }
  }

  #filterByCount(topologyKey: string, counter: Counter, verdicts: Uint8Array, code: number): void {
    if (counter.total === 0) return;
    const { domains, values } = this.#cluster.topology(topologyKey);
    const { slotCount } = this.#cluster;
    const counts = counter.byDomain(domains, values.size);
    for (let slot = 0; slot < slotCount; slot += 1) {
      const domain = domains[slot]!;
      if (verdicts[slot] === verdict.fits && domain >= 0 && counts[domain]! > 0) verdicts[slot] = code;
    }
  }

  /** Adds what spreading and preferred affinity say (each 0 to 100, weighted) to the scores of nodes that fit. */
  score(evaluation: Evaluation, verdicts: Uint8Array, scores: Float64Array): void {
    this.#scoreSpread(evaluation, verdicts, scores);
    this.#scoreAffinity(verdicts, scores);
  }

  #scoreSpread(evaluation: Evaluation, verdicts: Uint8Array, scores: Float64Array): void {
    const active = this.#softSpread.filter((spread) => spread.counter.total > 0);
    if (active.length === 0) return;
    const { slotCount } = this.#cluster;
    const costs = new Float64Array(slotCount);
    const ignored = new Uint8Array(slotCount);
    for (const spread of this.#softSpread) this.#addSpreadCost(spread, evaluation, verdicts, costs, ignored);
    let least = Infinity;
    let most = -Infinity;
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits || ignored[slot] === 1) continue;
      least = Math.min(least, costs[slot]!);
      most = Math.max(most, costs[slot]!);
    }
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits || ignored[slot] === 1) continue;
      scores[slot]! +=
        this.#profile.weights.PodTopologySpread *
        (most <= 0 ? 100 : Math.floor((100 * (most + least - costs[slot]!)) / most));
    }
  }

  #addSpreadCost(
    spread: Spread,
    evaluation: Evaluation,
    verdicts: Uint8Array,
    costs: Float64Array,
    ignored: Uint8Array,
  ): void {
    const { domains, values } = this.#cluster.topology(spread.topologyKey);
    const { slotCount } = this.#cluster;
    const counts = new Float64Array(values.size);
    const present = new Uint8Array(values.size);
    let domainCount = 0;
    for (let slot = 0; slot < slotCount; slot += 1) {
      const domain = domains[slot]!;
      if (domain < 0) continue;
      if (verdicts[slot] === verdict.fits && present[domain] === 0) {
        present[domain] = 1;
        domainCount += 1;
      }
      if (spread.honorsAffinity && evaluation.selected[slot] === 0) continue;
      if (spread.honorsTaints && evaluation.tolerated[slot] === 0) continue;
      counts[domain]! += spread.counter.bySlot[slot]!;
    }
    const weight = Math.log(domainCount + 2);
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits) continue;
      const domain = domains[slot]!;
      if (domain >= 0) costs[slot]! += counts[domain]! * weight + (spread.maxSkew - 1);
      else if (!this.#softSpreadIsSystem) ignored[slot] = 1;
    }
  }

  #scoreAffinity(verdicts: Uint8Array, scores: Float64Array): void {
    const terms = [...this.#preferred, ...this.#held.scoring].filter((term) => term.counter.total !== 0);
    if (terms.length === 0) return;
    const { slotCount } = this.#cluster;
    const sums = new Float64Array(slotCount);
    for (const { topologyKey, counter, weight } of terms) {
      const { domains, values } = this.#cluster.topology(topologyKey);
      const counts = counter.byDomain(domains, values.size);
      for (let slot = 0; slot < slotCount; slot += 1)
        if (domains[slot]! >= 0) sums[slot]! += weight * counts[domains[slot]!]!;
    }
    let least = Infinity;
    let most = -Infinity;
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits) continue;
      least = Math.min(least, sums[slot]!);
      most = Math.max(most, sums[slot]!);
    }
    if (most <= least) return;
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] === verdict.fits)
        scores[slot]! +=
          this.#profile.weights.InterPodAffinity * Math.floor((100 * (sums[slot]! - least)) / (most - least));
    }
  }
}

function spreadOf(constraint: TopologySpreadConstraint, shape: PodShape, cluster: Cluster): Spread {
  const selector = withOwnLabels(constraint.labelSelector, constraint.matchLabelKeys, shape.labels);
  const { namespace } = shape;
  const id = `spread ${namespace} ${JSON.stringify(selector)}`;
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    counter: cluster.counter(id, {
      selector,
      skipsDeleting: true,
      amountOf: (other) => (other.namespace === namespace && labelsMatch(selector, other.labels) ? 1 : 0),
    }),
    self: labelsMatch(selector, shape.labels) ? 1 : 0,
    honorsAffinity: constraint.nodeAffinityPolicy !== "Ignore",
    honorsTaints: constraint.nodeTaintsPolicy === "Honor",
  };
}

function defaultSpreads(spread: DefaultSpread, when: string, { group }: PodShape, cluster: Cluster): Spread[] {
  const wanted = spread.constraints.filter((one) => one.whenUnsatisfiable === when);
  if (group === undefined || wanted.length === 0) return [];
  const counter = cluster.groupCounter(group);
  return wanted.map(({ topologyKey, maxSkew }) => ({
    topologyKey,
    maxSkew,
    minDomains: 1,
    counter,
    self: 1,
    honorsAffinity: true,
    honorsTaints: false,
  }));
}

/** A pod counts for required affinity only when it matches every term. */
function affinityCounters(shape: PodShape, cluster: Cluster): { topologyKey: string; counter: PodCounter }[] {
  const { affinity, namespace } = shape;
  if (affinity.length === 0) return [];
  const counter = cluster.counter(`affinity ${namespace} ${JSON.stringify(affinity)}`, {
    selector: affinity[0]?.labelSelector,
    selectsNamespaces: affinity.some(selectsNamespaces),
    skipsDeleting: false,
    amountOf: (other) => (affinity.every((term) => termSelects(term, namespace, other, cluster.namespaces)) ? 1 : 0),
  });
  return [...new Set(affinity.map((term) => term.topologyKey))].map((topologyKey) => ({ topologyKey, counter }));
}
