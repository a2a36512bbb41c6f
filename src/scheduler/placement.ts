import type { Cluster } from "./cluster.ts";
import { Constraints } from "./constraints.ts";
import { Evaluation } from "./evaluation.ts";
import { limits } from "./limits.ts";
import type { PodShape, PodView } from "./pod-view.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import { verdict } from "./verdict.ts";
import type { Volumes } from "./volumes.ts";

export type Placement =
  | {
      readonly kind: "placed";
      readonly node: string;
      readonly score: number;
      /** How many nodes fit, of how many. */
      readonly feasible: number;
      readonly nodes: number;
    }
  | { readonly kind: "unschedulable"; readonly evaluation: Evaluation; readonly verdicts: Uint8Array };

export interface Candidate {
  readonly node: string;
  readonly score: number;
}

export interface Candidates {
  readonly kind: "candidates";
  readonly candidates: readonly Candidate[];
  readonly evaluation: Evaluation;
  readonly verdicts: Uint8Array;
}

interface Judged {
  readonly kind: "judged";
  readonly evaluation: Evaluation;
  readonly verdicts: Uint8Array;
  readonly feasible: number;
}

/**
 * Finds the best node for a pod: every node is judged and scored for every pod. What one node alone decides is kept per
 * shape of pods, so that a pod costs a few passes over typed arrays and the judgement of the nodes that changed.
 */
export class Placer {
  readonly #cluster: Cluster;
  /** By the node part of the shape; most recently used last. */
  readonly #evaluations = new Map<string, Evaluation>();
  /** By shape; most recently used last. */
  readonly #constraints = new Map<string, Constraints>();
  #countersDropped = 0;
  #verdicts = new Uint8Array(0);
  #scores = new Float64Array(0);

  readonly #volumes: Volumes | undefined;
  readonly #profile: Profile;

  /** Without `volumes` the claims of pods do not count. Resource claims are looked at by others. */
  constructor(cluster: Cluster, volumes?: Volumes, profile: Profile = defaultProfile) {
    this.#cluster = cluster;
    this.#profile = profile;
    this.#volumes = volumes;
  }

  /** Whether pods of this profile may push others out. */
  get preempts(): boolean {
    return this.#profile.preempts;
  }

  #evaluationFor(shape: PodShape): Evaluation {
    return recent(
      this.#evaluations,
      shape.nodePartId,
      limits.evaluationsMax,
      () => new Evaluation(shape, this.#cluster, this.#profile),
    );
  }

  #constraintsFor(shape: PodShape): Constraints {
    if (this.#countersDropped !== this.#cluster.countersDropped) {
      this.#countersDropped = this.#cluster.countersDropped;
      this.#constraints.clear();
    }
    return recent(
      this.#constraints,
      shape.id,
      limits.constraintsMax,
      () => new Constraints(shape, this.#cluster, this.#profile),
    );
  }

  /** Judges all nodes. `turn` decides between equals, so that they take turns. */
  place(pod: PodView, turn: number): Placement {
    const judged = this.#judge(pod);
    if (judged.kind === "unschedulable") return judged;
    const best = this.#best(judged.verdicts, pod, turn);
    const { nodeCount: nodes } = this.#cluster;
    const node = this.#cluster.nodeAt(best)!.name;
    return { kind: "placed", node, score: this.#scores[best]!, feasible: judged.feasible, nodes };
  }

  /** All nodes that fit, with their points: for somebody else who has a say. */
  candidates(pod: PodView): Candidates | (Placement & { kind: "unschedulable" }) {
    const judged = this.#judge(pod);
    if (judged.kind === "unschedulable") return judged;
    const found: Candidate[] = [];
    for (let slot = 0; slot < this.#cluster.slotCount; slot += 1)
      if (judged.verdicts[slot] === verdict.fits)
        found.push({ node: this.#cluster.nodeAt(slot)!.name, score: this.#scores[slot]! });
    const verdicts = judged.verdicts.slice(0, this.#cluster.slotCount);
    return { kind: "candidates", candidates: found, evaluation: judged.evaluation, verdicts };
  }

  #judge(pod: PodView): Judged | (Placement & { kind: "unschedulable" }) {
    const cluster = this.#cluster;
    const evaluation = this.#evaluationFor(pod.shape);
    const constraints = this.#constraintsFor(pod.shape);
    evaluation.refresh();
    const verdicts = this.#judgedBy(evaluation, constraints, pod);
    const { slotCount } = cluster;
    const scores = this.#scores;
    let feasible = 0;
    let preferenceMax = 0;
    let dislikeMax = 0;
    for (let slot = 0; slot < slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits) continue;
      feasible += 1;
      scores[slot] = evaluation.scores[slot]!;
      if (evaluation.preferences[slot]! > preferenceMax) preferenceMax = evaluation.preferences[slot]!;
      if (evaluation.dislikes[slot]! > dislikeMax) dislikeMax = evaluation.dislikes[slot]!;
    }
    if (feasible === 0) return { kind: "unschedulable", evaluation, verdicts: verdicts.slice(0, slotCount) };
    const { NodeAffinity, TaintToleration } = this.#profile.weights;
    for (let slot = 0; preferenceMax + dislikeMax > 0 && slot < slotCount; slot += 1) {
      if (preferenceMax > 0)
        scores[slot]! += NodeAffinity * Math.floor((100 * evaluation.preferences[slot]!) / preferenceMax);
      if (dislikeMax > 0)
        scores[slot]! += TaintToleration * (100 - Math.floor((100 * evaluation.dislikes[slot]!) / dislikeMax));
    }
    if (feasible > 1) constraints.score(evaluation, verdicts, scores);
    return { kind: "judged", evaluation, verdicts, feasible };
  }

  /** Whether the node in a slot has enough for the pod when nobody else stands there. */
  isLargeEnough(pod: PodView, slot: number): boolean {
    return this.#evaluationFor(pod.shape).isLargeEnough(slot);
  }

  /** Whether the pod would fit on the node in a slot as the cluster is now. */
  fitsAt(pod: PodView, slot: number): boolean {
    const evaluation = this.#evaluationFor(pod.shape);
    const constraints = this.#constraintsFor(pod.shape);
    if (evaluation.verdictAt(slot) !== verdict.fits) return false;
    if (!constraints.filters && this.#cluster.nominations === 0 && pod.claims.length === 0) return true;
    evaluation.refresh();
    return this.#judgedBy(evaluation, constraints, pod, slot)[slot] === verdict.fits;
  }

  /** Verdicts with what other pods, claims and nominations exclude; claims are looked at for all nodes or `only` one. */
  #judgedBy(evaluation: Evaluation, constraints: Constraints, pod: PodView, only?: number): Uint8Array {
    const { capacity, nominations } = this.#cluster;
    if (this.#scores.length < capacity) {
      this.#scores = new Float64Array(capacity);
      this.#verdicts = new Uint8Array(capacity);
    }
    if (!constraints.filters && nominations === 0 && pod.claims.length === 0) return evaluation.verdicts;
    const verdicts = this.#verdicts;
    verdicts.set(evaluation.verdicts);
    if (nominations > 0) this.#keepRoomForNominated(evaluation, pod, verdicts);
    if (pod.claims.length > 0) this.#volumes?.filter(pod, this.#cluster, verdicts, only);
    constraints.filter(evaluation, verdicts);
    return verdicts;
  }

  /** Pods of at least the same priority that wait for a node count as if they stood there. */
  #keepRoomForNominated(evaluation: Evaluation, pod: PodView, verdicts: Uint8Array): void {
    const cluster = this.#cluster;
    for (const slot of cluster.nominatedSlots()) {
      if (verdicts[slot] !== verdict.fits) continue;
      const ahead = cluster.aheadOf(pod, slot);
      if (ahead.length > 0 && evaluation.shortages(slot, ahead).length > 0) verdicts[slot] = verdict.resources;
    }
  }

  /** The first of the best, beginning at a place that `turn` moves; the nominated node wins where it fits. */
  #best(verdicts: Uint8Array, pod: PodView, turn: number): number {
    const { slotCount } = this.#cluster;
    if (pod.nominatedNode !== "") {
      const slot = this.#cluster.slotOf(pod.nominatedNode);
      if (slot !== undefined && verdicts[slot] === verdict.fits) return slot;
    }
    const start = (turn * 7_919) % slotCount;
    let best = -1;
    let bestScore = -Infinity;
    for (let i = 0; i < slotCount; i += 1) {
      const slot = i + start < slotCount ? i + start : i + start - slotCount;
      if (verdicts[slot] !== verdict.fits || this.#scores[slot]! <= bestScore) continue;
      best = slot;
      bestScore = this.#scores[slot]!;
    }
    return best;
  }
}

/** The value of a key, made when it is missing; the least recently used leaves beyond `max`. */
function recent<V>(map: Map<string, V>, key: string, max: number, make: () => V): V {
  const known = map.get(key);
  const value = known ?? make();
  if (known !== undefined) map.delete(key);
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value!);
  return value;
}
