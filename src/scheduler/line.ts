import type { Pace } from "#reconcile/pace.ts";
import type { Timers } from "#world/clock.ts";

/** Whether a turn is over: others get theirs at the next yield. */
export type IsOver = () => boolean;
export type Steps<T> = Generator<void, T>;

/** What came of steps: at once, or when their turns have come (undefined when the line ends before). */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "later"; readonly value: Promise<T | undefined> };

/**
 * Work in steps: what is soon done is done at once, all else aside and in turns, one after the other, so that what costs much holds up
 * neither other pods nor requests. Bounded by who begins it.
 */
export class Line {
  readonly #pace: Pace;
  readonly #timers: Pick<Timers, "yield">;
  readonly #isOver: IsOver;
  #length = 0;
  #isStopped = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(pace: Pace, timers: Pick<Timers, "yield">) {
    this.#pace = pace;
    this.#timers = timers;
    this.#isOver = () => pace.breathe() !== undefined;
  }

  /** Who yields now comes after others. */
  get isBusy(): boolean {
    return this.#length > 0;
  }

  begin<T>(make: (isOver: IsOver) => Steps<T>): Outcome<T> {
    const steps = make(this.#isOver);
    const first = steps.next();
    if (first.done === true) return { kind: "done", value: first.value };
    this.#length += 1;
    const before = this.#last;
    const value = before.then(() => this.#goOn(steps)).finally(() => (this.#length -= 1));
    // Who waits for these steps gets their error; the next ones have nothing to do with it.
    this.#last = value.catch(() => undefined);
    return { kind: "later", value };
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #goOn<T>(steps: Steps<T>): Promise<T | undefined> {
    for (;;) {
      await (this.#pace.breathe() ?? this.#timers.yield());
      if (this.#isStopped) return undefined;
      const next = steps.next();
      if (next.done === true) return next.value;
    }
  }
}
