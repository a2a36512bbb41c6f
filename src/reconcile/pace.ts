import type { Clock, Timers } from "#world/clock.ts";
import { limits } from "./limits.ts";

/**
 * Keeps long work from holding the process: whoever plans awaits `breathe()` between items. One pace is shared by all
 * loops of a process, because the request loop suffers from their sum.
 */
export interface Pace {
  breathe(): Promise<void> | undefined;
}

export function createPace(clock: Clock, timers: Timers): Pace {
  let sliceStart = clock.monotonic();
  let pause: Promise<void> | undefined;
  return {
    breathe() {
      if (pause !== undefined) return pause;
      if (clock.monotonic() - sliceStart < limits.sliceMs) return undefined;
      pause = timers.yield().then(() => {
        pause = undefined;
        sliceStart = clock.monotonic();
      });
      return pause;
    },
  };
}
