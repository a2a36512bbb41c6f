import type { Clock } from "#world/clock.ts";
import type { PodView } from "./pod-view.ts";

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

/** Attempts under way, by the pod's key, and how they went told to the observer. Bounded by the pods that wait or are being bound. */
export class Attempts {
  readonly #clock: Clock;
  readonly #observer: SchedulerObserver | undefined;
  readonly #begun = new Map<string, { readonly atMs: number; readonly count: number }>();

  constructor(clock: Clock, observer: SchedulerObserver | undefined) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** `count`: attempts for the pod so far, this one among them. */
  begin(key: string, atMs: number, count: number): void {
    this.#begun.set(key, { atMs, count });
  }

  /** Nothing where the attempt was told already. */
  end({ key, schedulerName, createdMs }: PodView, result: Attempt["result"]): void {
    const begun = this.#begun.get(key);
    if (begun === undefined) return;
    this.#begun.delete(key);
    const sinceCreationSeconds = Math.max(0, this.#clock.now() - createdMs) / 1000;
    const seconds = this.#secondsSince(begun.atMs);
    this.#observer?.attempted({ result, schedulerName, seconds, sinceCreationSeconds, attempts: begun.count });
  }

  /** The pod is gone. */
  forget(key: string): void {
    this.#begun.delete(key);
  }

  /** A node was looked for since then. */
  searched(sinceMs: number): void {
    this.#observer?.searched(this.#secondsSince(sinceMs));
  }

  /** A part of the attempt begins; what it answers is to be called when it ends. */
  step(step: Step, { schedulerName }: PodView): (isSuccess: boolean) => void {
    const beganMs = this.#clock.monotonic();
    return (isSuccess) => this.#observer?.stepped(step, schedulerName, isSuccess, this.#secondsSince(beganMs));
  }

  preempted(victims: number): void {
    this.#observer?.preempted(victims);
  }

  #secondsSince(beganMs: number): number {
    return (this.#clock.monotonic() - beganMs) / 1000;
  }
}
