import { setTimeout as sleepFor } from "node:timers/promises";
import type { Clock, Timer, Timers } from "../clock.ts";
import { createLane, type Lane } from "./lane.ts";

/** The real clock of the machine. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Longest delay Node's timers accept, in milliseconds; longer ones are waited for in pieces. */
const delayMsMax = 2 ** 31 - 1;

/**
 * Tasks run for this long before the sockets get their turn, in milliseconds. With 5 the slowest hundredth of GETs beside a busy
 * scheduler waited 17, with 2 it waits 14.
 */
const tasksSliceMs = 2;

/**
 * Real waiting. Timers do not keep the process alive by themselves when `keepAlive` is false. However many tasks are due, the
 * sockets get their turn between them.
 */
export function realTimers(options: { readonly keepAlive: boolean }): Timers {
  const soon = createLane(tasksSliceMs);
  const due = createLane(tasksSliceMs);
  return {
    after: (delayMs, task) => startTimer(due, delayMs, task, options.keepAlive),
    soon: (task) => soon.add(task),
    sleep: async (delayMs, signal) => {
      await sleepFor(Math.min(delayMs, delayMsMax), undefined, signal === undefined ? {} : { signal });
    },
    yield: () => new Promise((resolve) => soon.add(resolve)),
  };
}

function startTimer(due: Lane, delayMs: number, task: () => void, keepAlive: boolean): Timer {
  let handle: NodeJS.Timeout;
  let isCancelled = false;
  const run = (): void => {
    if (!isCancelled) task();
  };
  const arm = (remainingMs: number): void => {
    const partMs = Math.min(Math.max(remainingMs, 0), delayMsMax);
    handle = setTimeout(() => (remainingMs > partMs ? arm(remainingMs - partMs) : due.enter(run)), partMs);
    if (!keepAlive) handle.unref();
  };
  arm(delayMs);
  return {
    cancel: () => {
      isCancelled = true;
      clearTimeout(handle);
    },
  };
}
