import type { Cluster } from "./cluster.ts";
import type { Evaluation } from "./evaluation.ts";
import { explain, type Explanation } from "./explain.ts";
import { limits } from "./limits.ts";
import type { PodShape, PodView } from "./pod-view.ts";
import type { Preemption } from "./preemption.ts";

interface Explained {
  readonly change: number;
  readonly shape: PodShape;
  readonly priority: number;
  readonly why: string | undefined;
  readonly explanation: Explanation;
}

/** Why the last attempts for pods that wait failed, by `namespace/name`; the oldest leave first. */
export class Explanations {
  readonly #cluster: Cluster;
  readonly #known = new Map<string, Explanation>();
  #last: Explained | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get all(): ReadonlyMap<string, Explanation> {
    return this.#known;
  }

  /** Pods of one template that fail on the same cluster for the same reason share the work of explaining it. */
  explain(pod: PodView, evaluation: Evaluation, verdicts: Uint8Array, preemption: Preemption): Explanation {
    const why = preemption.kind === "possible" ? undefined : preemption.message;
    const { change } = this.#cluster;
    const { shape, priority } = pod;
    const last = this.#last;
    const isSame = last?.change === change && last.shape === shape && last.why === why && last.priority === priority;
    if (isSame) return { ...last.explanation, pod: pod.key };
    const explanation = explain(pod, this.#cluster, evaluation, verdicts, why);
    this.#last = { change, shape, priority, why, explanation };
    return explanation;
  }

  remember(explanation: Explanation): void {
    this.#known.delete(explanation.pod);
    this.#known.set(explanation.pod, explanation);
    if (this.#known.size > limits.explanationsMax) this.#known.delete(this.#known.keys().next().value!);
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}
