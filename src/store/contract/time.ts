import type { Clock, Timers } from "#world/clock.ts";

/** A clock that a test moves by hand. */
export function clockOf(time: { now: number }): Clock {
  return { now: () => time.now, monotonic: () => time.now };
}

/** Timers of the real world. */
export const realTimers: Timers = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon(task) {
    setImmediate(task);
  },
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};
