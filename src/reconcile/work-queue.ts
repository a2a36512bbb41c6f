import type { Timer, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import { backoffMs } from "./backoff.ts";
import { limits } from "./limits.ts";

/**
 * Names of objects to look at. A name waits at most once and is worked on at most once at a time; a name added while it is
 * worked on comes back when that is done. Bounded by the number of objects that exist.
 */
export interface WorkQueue {
  readonly length: number;
  /** Names added, and retries, since the start. */
  readonly adds: number;
  readonly retries: number;
  /** How long the keys that were taken and not given back have been worked on: all together, and the longest. Seconds. */
  readonly underWay: { readonly sum: number; readonly longest: number };
  add(key: string): void;
  /** Adds the key after `delayMs` milliseconds; an earlier pending delay wins. */
  addAfter(key: string, delayMs: number): void;
  /** Adds the key after its back-off, which doubles with each call until `forget`; never before `atLeastMs` milliseconds. */
  retry(key: string, atLeastMs?: number): void;
  forget(key: string): void;
  failures(key: string): number;
  /** The next key, which the caller must give back with `done`. */
  take(): string | undefined;
  done(key: string): void;
  close(): void;
}

export interface WorkQueueOptions {
  readonly timers: Timers;
  readonly random: Random;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Called when a key can be taken. */
  readonly onReady: () => void;
  /** Told how long a key has waited when it is taken. */
  readonly onTaken?: (waitedSeconds: number) => void;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  /** Since when, in milliseconds. */
  const waiting = new Map<string, number>();
  const working = new Map<string, number>();
  const dirty = new Set<string>();
  const failures = new Map<string, number>();
  const delayed = new Map<string, { readonly atMs: number; readonly timer: Timer }>();
  let closed = false;
  let adds = 0;
  let retries = 0;

  const add = (key: string): void => {
    if (closed) return;
    if (working.has(key)) {
      dirty.add(key);
      return;
    }
    if (waiting.has(key)) return;
    waiting.set(key, options.now());
    adds += 1;
    options.onReady();
  };
  const addAfter = (key: string, delayMs: number): void => {
    if (closed) return;
    if (delayMs <= 0) return add(key);
    const atMs = options.now() + delayMs;
    const pending = delayed.get(key);
    if (pending !== undefined && pending.atMs <= atMs) return;
    pending?.timer.cancel();
    const timer = options.timers.after(delayMs, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { atMs, timer });
  };
  return {
    get length() {
      return waiting.size;
    },
    get adds() {
      return adds;
    },
    get retries() {
      return retries;
    },
    get underWay() {
      const now = options.now();
      let [sum, longest] = [0, 0];
      for (const sinceMs of working.values()) {
        sum += now - sinceMs;
        longest = Math.max(longest, now - sinceMs);
      }
      return { sum: sum / 1000, longest: longest / 1000 };
    },
    add,
    addAfter,
    retry(key, atLeastMs = 0) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      retries += 1;
      addAfter(key, Math.max(atLeastMs, backoffMs(options.random, count, limits.retryMinMs, limits.retryMaxMs)));
    },
    forget: (key) => void failures.delete(key),
    failures: (key) => failures.get(key) ?? 0,
    take() {
      if (closed) return undefined;
      for (const [key, sinceMs] of waiting) {
        const now = options.now();
        waiting.delete(key);
        working.set(key, now);
        options.onTaken?.((now - sinceMs) / 1000);
        return key;
      }
      return undefined;
    },
    done(key) {
      working.delete(key);
      if (dirty.delete(key)) add(key);
    },
    close() {
      closed = true;
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      waiting.clear();
      dirty.clear();
      failures.clear();
    },
  };
}
