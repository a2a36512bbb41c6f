import type { Informer } from "#reconcile/informer.ts";
import type { Attempts } from "./attempts.ts";
import type { Cluster } from "./cluster.ts";
import type { Wishes } from "./devices/allocation.ts";
import type { Devices, Found } from "./devices/devices.ts";
import type { Obstacle } from "./explain.ts";
import type { Extending } from "./extending.ts";
import type { IsOver, Line, Steps } from "./line.ts";
import type { NodeView } from "./node-view.ts";
import type { Candidate, Candidates, Placement, Placer } from "./placement.ts";
import { isAnotherQuestion, type PodView } from "./pod-view.ts";
import type { Unschedulable } from "./refusal.ts";
import type { Tasks } from "./tasks.ts";
import { verdict } from "./verdict.ts";

export interface ChoosingParts {
  readonly cluster: Cluster;
  readonly pods: Pick<Informer<PodView>, "get">;
  readonly nodes: Pick<Informer<NodeView>, "get">;
  readonly devices: Devices;
  readonly extending: Extending;
  readonly attempts: Attempts;
  /** Where devices are judged and searched. */
  readonly line: Line;
  /** Searches that take their turns. */
  readonly searches: Tasks;
  /** Questions to extenders. */
  readonly tasks: Tasks;
  /** Gives the pod the node; false where its devices are not to be had there any more. */
  assume(pod: PodView, placement: Placement & { kind: "placed" }, wishes: Wishes | undefined): boolean;
  /** No node is left. */
  refused(pod: PodView, placer: Placer, why: Unschedulable | Obstacle): void;
  /** The attempt came to nothing; `message`: what the pod's Event says of it. */
  failed(pod: PodView, message?: string): void;
  problem(pod: PodView, error: unknown): void;
}

type Chosen = Candidates & { readonly wishes: Wishes | undefined };

/** What an attempt came to as far as this process decides it. */
type Searched = Chosen | Unschedulable | Obstacle;

/**
 * Finds nodes for pods about which not only the placer has a say: devices are searched in turns on the nodes that fit, then extenders
 * are asked. Other pods go on meanwhile, so the best of what is left counts if it still fits.
 */
export class Choosing {
  readonly #parts: ChoosingParts;

  constructor(parts: ChoosingParts) {
    this.#parts = parts;
  }

  concerns(pod: PodView): boolean {
    return pod.deviceClaims.length > 0 || this.#parts.extending.isOn;
  }

  choose(pod: PodView, placer: Placer, turn: number, nowMs: number): void {
    const { attempts, line, problem, searches } = this.#parts;
    const outcome = line.begin((isOver) => this.#search(pod, placer, isOver));
    if (outcome.kind === "done") {
      attempts.searched(nowMs);
      return this.#decide(pod, placer, outcome.value, turn);
    }
    const wait = async (): Promise<void> => {
      const searched = await outcome.value;
      attempts.searched(nowMs);
      if (searched !== undefined && this.#stillAsks(pod)) this.#decide(pod, placer, searched, turn);
    };
    void searches.run(wait, (error) => problem(pod, error));
  }

  *#search(pod: PodView, placer: Placer, isOver: IsOver): Steps<Searched> {
    const { devices, line } = this.#parts;
    if (pod.deviceClaims.length === 0) return withWishes(placer.candidates(pod));
    const wishes = yield* devices.wishes(pod, isOver);
    if ("message" in wishes) return wishes;
    // Only the one whose turn it is keeps what it knows of all nodes.
    if (line.isBusy) yield;
    const judged = placer.candidates(pod);
    if (judged.kind === "unschedulable") return { ...judged, wishes };
    const nodes = judged.candidates.flatMap(({ node }) => this.#parts.nodes.get(node) ?? []);
    return this.#without(judged, yield* devices.search(pod, wishes, nodes, isOver));
  }

  #without(judged: Candidates, { refused, problem, wishes }: Found): Searched {
    const candidates = judged.candidates.filter(({ node }) => !refused.has(node));
    if (candidates.length === 0 && problem !== undefined) return problem;
    this.#mark(judged.verdicts, refused);
    if (candidates.length === 0) return { ...judged, kind: "unschedulable", wishes };
    return { ...judged, candidates, wishes };
  }

  #mark(verdicts: Uint8Array, refused: Iterable<readonly [node: string, code: number]>): void {
    for (const [node, code] of refused) {
      const slot = this.#parts.cluster.slotOf(node);
      if (slot !== undefined && slot < verdicts.length) verdicts[slot] = code;
    }
  }

  #decide(pod: PodView, placer: Placer, searched: Searched, turn: number): void {
    const { extending, problem, refused, tasks } = this.#parts;
    if (!("kind" in searched) || searched.kind === "unschedulable") return refused(pod, placer, searched);
    if (!extending.isOn) return this.#take(pod, placer, searched, searched.candidates, turn);
    void tasks.run(
      () => this.#askExtenders(pod, placer, searched, turn),
      (error) => problem(pod, error),
    );
  }

  async #askExtenders(pod: PodView, placer: Placer, searched: Chosen, turn: number): Promise<void> {
    const { extending, failed, refused } = this.#parts;
    const answer = await extending.judge(pod, searched.candidates);
    if (!this.#stillAsks(pod)) return;
    if (answer.kind === "failed") return failed(pod, answer.message);
    if (answer.kind === "chosen") return this.#take(pod, placer, searched, answer.candidates, turn);
    this.#mark(
      searched.verdicts,
      Array.from(answer.refused.keys(), (node) => [node, verdict.extender] as const),
    );
    refused(pod, placer, { ...searched, kind: "unschedulable" });
  }

  /** The first of the best that still fits, beginning at a place that `turn` moves; the nominated node wins where it fits. */
  #take(pod: PodView, placer: Placer, { wishes }: Chosen, candidates: readonly Candidate[], turn: number): void {
    const { assume, cluster, failed } = this.#parts;
    const start = (turn * 7_919) % candidates.length;
    const isNominated = ({ node }: Candidate): number => Number(node === pod.nominatedNode);
    const best = [...candidates.slice(start), ...candidates.slice(0, start)].sort(
      (a, b) => isNominated(b) - isNominated(a) || b.score - a.score,
    );
    const found = { kind: "placed", feasible: candidates.length, nodes: cluster.nodeCount } as const;
    for (const candidate of best) {
      const slot = cluster.slotOf(candidate.node);
      if (slot === undefined || !placer.fitsAt(pod, slot)) continue;
      if (assume(pod, { ...found, ...candidate }, wishes)) return;
    }
    failed(pod);
  }

  #stillAsks(pod: PodView): boolean {
    const current = this.#parts.pods.get(pod.key);
    return current !== undefined && current.nodeName === "" && !current.deleting && !isAnotherQuestion(pod, current);
  }
}

function withWishes(judged: Candidates | Unschedulable): Searched {
  return judged.kind === "candidates" ? { ...judged, wishes: undefined } : judged;
}
