import type { Entry } from "#store/store.ts";
import type { Timers } from "#world/clock.ts";
import type { Call } from "./call.ts";
import { turnsBytesMin } from "./limits.ts";

/** Whether what a request brings, or what it changes, is so large that others get their turn between the steps. */
export function isLarge(call: Call, stored?: Entry): boolean {
  return turnsBytesMin < call.request.body.length || (stored !== undefined && turnsBytesMin < stored.value.length);
}

/** Goes through the steps, with a turn for others between them. */
export async function inTurns<T>(steps: Generator<void, T>, timers: Pick<Timers, "yield">): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await timers.yield();
  }
}
