import type { Entry } from "#store/store.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Call } from "./call.ts";
import { sliceMs, turnsBytesMin } from "./limits.ts";

/** Whether what a request brings, or what it changes, is so large that others get their turn between the steps. */
export function isLarge(call: Call, stored?: Entry): boolean {
  return turnsBytesMin < call.request.body.length || (stored !== undefined && turnsBytesMin < stored.value.length);
}

/** Goes through the steps, with a turn for others between them. */
export async function inTurns<T>(steps: Steps<T>, timers: TurnTimers): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await timers.yield();
  }
}

/** The same; no promise where nobody else needs a turn. */
export function soonInTurns<T>(steps: Steps<T>, timers: TurnTimers): T | Promise<T> {
  const first = steps.next();
  return first.done === true ? first.value : timers.yield().then(() => inTurns(steps, timers));
}

/** How long steps that belong together have had the loop for themselves. */
export class Turn {
  readonly #clock: Pick<Clock, "monotonic">;
  #until: number;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    this.#until = clock.monotonic() + sliceMs;
  }

  /** Whether others should get their turn. */
  readonly isOver = (): boolean => this.#until <= this.#clock.monotonic();

  /** Goes through steps, each of which gets a turn of its own. */
  *through<T>(steps: Steps<T>): Steps<T> {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      yield;
      this.#until = this.#clock.monotonic() + sliceMs;
    }
  }
}

/** What takes turns; the turn of others comes wherever it yields. */
export type Steps<T> = Generator<void, T>;

export type TurnTimers = Pick<Timers, "yield">;
