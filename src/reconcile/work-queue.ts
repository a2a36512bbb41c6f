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
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const waiting = new Set<string>();
  const working = new Set<string>();
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
    waiting.add(key);
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
      for (const key of waiting) {
        waiting.delete(key);
        working.add(key);
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
