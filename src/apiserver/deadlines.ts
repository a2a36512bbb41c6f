import type { Clock, Timer, Timers } from "#world/clock.ts";

/** A task that is done unless it is cancelled before. */
export interface Deadline {
  cancel(): void;
}

/**
 * Deadlines that are all equally far away, behind one timer: requests that end in time, as nearly all do, then cost no timer of
 * their own.
 */
export class Deadlines {
  readonly #delayMs: number;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #timers: Pick<Timers, "after">;
  /** In the order in which they are due. */
  readonly #waiting = new Set<{ readonly atMs: number; readonly task: () => void }>();
  #timer: Timer | undefined;

  constructor(delayMs: number, clock: Pick<Clock, "monotonic">, timers: Pick<Timers, "after">) {
    this.#delayMs = delayMs;
    this.#clock = clock;
    this.#timers = timers;
  }

  after(task: () => void): Deadline {
    const waiting = { atMs: this.#clock.monotonic() + this.#delayMs, task };
    this.#waiting.add(waiting);
    this.#timer ??= this.#timers.after(this.#delayMs, () => this.#due());
    return { cancel: () => this.#waiting.delete(waiting) };
  }

  close(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #due(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const waiting of this.#waiting) {
      if (now < waiting.atMs) {
        this.#timer = this.#timers.after(waiting.atMs - now, () => this.#due());
        return;
      }
      this.#waiting.delete(waiting);
      waiting.task();
    }
  }
}
