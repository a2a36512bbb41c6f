import { setTimeout as sleepFor } from "node:timers/promises";
import type { Clock, Timer, Timers } from "../clock.ts";

/** The real clock of the machine. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Longest delay Node's timers accept, in milliseconds; longer ones are waited for in pieces. */
const delayMsMax = 2 ** 31 - 1;

/** Real waiting. Timers do not keep the process alive by themselves when `keepAlive` is false. */
export function realTimers(options: { readonly keepAlive: boolean }): Timers {
  return {
    after: (delayMs, task) => startTimer(delayMs, task, options.keepAlive),
    soon: (task) => {
      setImmediate(task);
    },
    sleep: async (delayMs, signal) => {
      await sleepFor(Math.min(delayMs, delayMsMax), undefined, signal === undefined ? {} : { signal });
    },
    yield: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

function startTimer(delayMs: number, task: () => void, keepAlive: boolean): Timer {
  let handle: NodeJS.Timeout;
  const arm = (remainingMs: number): void => {
    const partMs = Math.min(Math.max(remainingMs, 0), delayMsMax);
    handle = setTimeout(() => (remainingMs > partMs ? arm(remainingMs - partMs) : task()), partMs);
    if (!keepAlive) handle.unref();
  };
  arm(delayMs);
  return { cancel: () => clearTimeout(handle) };
}
