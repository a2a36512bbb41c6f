import type { Store } from "#store/store.ts";
import type { Log } from "#telemetry/log.ts";
import type { Clock, Timers } from "#world/clock.ts";
import { endOf } from "../keys.ts";
import { revisionOffset } from "../objects/stored.ts";
import { markedPerTurn, resealBatchMax, resealPauseMs } from "./limits.ts";
import type { SealedAtRest } from "./value-cipher.ts";

export interface ResealParts {
  readonly store: Store;
  readonly cipher: SealedAtRest;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Pick<Timers, "after" | "yield">;
  readonly log: Log;
}

/** Seals anew what lies in the store otherwise than it should, beside the work: one round after the other. */
export class Resealer {
  readonly #parts: ResealParts;
  #working = Promise.resolve();
  /** Plugins whose key has changed, until their values' turn comes. */
  readonly #rotated = new Set<string>();
  #rotatedAt = -Infinity;

  constructor(parts: ResealParts) {
    this.#parts = parts;
  }

  /** What was found to be stale, and everything below these prefixes. */
  reseal(prefixes: readonly string[]): void {
    const { store, cipher, timers, log } = this.#parts;
    const round = (): Promise<number> => resealPrefixes(store, cipher, prefixes, timers);
    this.#working = this.#working.then(round).then(
      (count) => log.info("values were sealed as configured", { count }),
      // What is not sealed anew is found again at the next start.
      (error: unknown) => log.error("cannot seal values as configured", error),
    );
  }

  /** The plugin of this name seals with another key. Whoever changes keys all the time is not followed each time. */
  rotated(name: string): void {
    this.#rotated.add(name);
    if (1 < this.#rotated.size) return;
    const { clock, timers } = this.#parts;
    const waitMs = this.#rotatedAt + resealPauseMs - clock.monotonic();
    timers.after(Math.max(0, waitMs), () => {
      this.#rotatedAt = clock.monotonic();
      const prefixes = [...this.#rotated].flatMap((each) => this.#parts.cipher.prefixesOf(each));
      this.#rotated.clear();
      this.reseal(prefixes);
    });
  }
}

/**
 * Writes what is stale again, so that it lies in the file as its rule says, some at a time so that requests get their turn.
 * Answers how many values that were.
 */
export async function resealStale(store: Store, cipher: SealedAtRest): Promise<number> {
  const keys = [...cipher.stale];
  let count = 0;
  for (let from = 0; from < keys.length; from += resealBatchMax) {
    const batch = keys.slice(from, from + resealBatchMax);
    const results = await Promise.all(batch.map((key) => reseal(store, key)));
    count += results.filter((isWritten) => isWritten).length;
  }
  return count;
}

/** Writes everything below these prefixes again that is not, in turns with others. Answers how many values that were. */
async function resealPrefixes(
  store: Store,
  cipher: SealedAtRest,
  prefixes: readonly string[],
  timers: Pick<Timers, "yield">,
): Promise<number> {
  let count = 0;
  for (const prefix of prefixes) {
    for (const { key } of store.snapshot().range(prefix, endOf(prefix))) {
      cipher.markStale(key);
      count += 1;
      if (count % markedPerTurn === 0) await timers.yield();
    }
  }
  return resealStale(store, cipher);
}

/** False when the value is gone, somebody who was faster has sealed it, or nothing can be sealed now. */
async function reseal(store: Store, key: string): Promise<boolean> {
  const entry = store.latest(key);
  if (entry === undefined) return false;
  const value = entry.value.slice();
  const stampAt = revisionOffset(value);
  return (await store.commit({ operations: [{ type: "put", key, value, stampAt, expect: entry.modified }] })).ok;
}
