/** How an attempt to place a pod ended. */
export interface Attempt {
  readonly result: "scheduled" | "unschedulable" | "error";
  readonly schedulerName: string;
  /** From when the pod was taken until it was bound or it was clear that it cannot be. */
  readonly seconds: number;
  readonly sinceCreationSeconds: number;
  /** Attempts for this pod so far, this one among them. */
  readonly attempts: number;
}

/** Parts of an attempt that are measured by themselves, under upstream's names. */
export type Step = "PostFilter" | "PreBind" | "Bind";

/** Who is told of the scheduler's work while it happens. */
export interface SchedulerObserver {
  attempted(attempt: Attempt): void;
  /** The search for a node alone. */
  searched(seconds: number): void;
  stepped(step: Step, schedulerName: string, isSuccess: boolean, seconds: number): void;
  /** Pods were looked for that could make room; so many have to go, none when it would not help. */
  preempted(victims: number): void;
}

/** Attempts under way, by the pod's key: since when, and how many there were. Bounded by the pods that wait or are being bound. */
export class Attempts {
  readonly #begun = new Map<string, { readonly atMs: number; readonly count: number }>();

  begin(key: string, atMs: number, count: number): void {
    this.#begun.set(key, { atMs, count });
  }

  /** Undefined where the attempt was told already. */
  end(key: string): { readonly atMs: number; readonly count: number } | undefined {
    const begun = this.#begun.get(key);
    this.#begun.delete(key);
    return begun;
  }
}
