import type { Random } from "#world/random.ts";

/** Growing, jittered delays. */
export interface Backoff {
  /** The next delay in milliseconds: doubles from `minMs` to `maxMs`, with up to half of it random. */
  next(): number;
  reset(): void;
}

export function createBackoff(random: Random, minMs: number, maxMs: number): Backoff {
  let failures = 0;
  return {
    next: () => backoffMs(random, failures++, minMs, maxMs),
    reset: () => {
      failures = 0;
    },
  };
}

/** The delay after `failures` earlier failures, in milliseconds: between half and whole of `minMs * 2^failures`, at most `maxMs`. */
export function backoffMs(random: Random, failures: number, minMs: number, maxMs: number): number {
  const whole = Math.min(maxMs, minMs * 2 ** Math.min(failures, 30));
  return whole / 2 + (whole / 2) * random.float();
}
