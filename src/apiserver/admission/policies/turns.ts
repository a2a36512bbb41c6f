import type { Clock, Timers } from "#world/clock.ts";
import { sliceMs } from "../../limits.ts";

/** How long the expressions for one request have had the loop for themselves. */
export class Turn {
  readonly #clock: Pick<Clock, "monotonic">;
  #until: number;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    this.#until = clock.monotonic() + sliceMs;
  }

  /** After an expression: ends once others should get their turn, and goes on with a turn of its own. */
  *pause(): Generator<void, void> {
    if (this.#clock.monotonic() < this.#until) return;
    yield;
    this.#until = this.#clock.monotonic() + sliceMs;
  }
}

/** What takes turns; the turn of others comes wherever it yields. */
export type Steps<T> = Generator<void, T>;

export type TurnTimers = Pick<Timers, "yield">;
