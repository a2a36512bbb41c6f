import { Heap } from "#base/heap.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";

interface Task {
  readonly atMs: number;
  /** Order of arrival: tasks of the same time run in the order in which they were asked for. */
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Virtual tasks in one moment beyond this are a loop that never lets time pass. */
const tasksPerMomentMax = 200_000;

/** Timers of one simulated process; `stop` forgets all that it waits for, as a crash does. */
export type ProcessTimers = Timers & { stop(): void };

/**
 * Time that passes only when nothing is left to do now. All waiting of the simulated cluster is in one queue; promises settle
 * in a real macrotask between two tasks (`settle`), so that the order of everything follows from the queue alone.
 */
export class VirtualTime implements Clock {
  readonly #tasks = new Heap<Task>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order));
  readonly #settle: () => Promise<void>;
  readonly #epochMs: number;
  #elapsedMs = 0;
  #order = 0;
  #tasksThisMoment = 0;
  #tasksRun = 0;

  constructor(options: { readonly epochMs: number; readonly settle: () => Promise<void> }) {
    this.#epochMs = options.epochMs;
    this.#settle = options.settle;
  }

  /** Tasks that have run so far: how much work a seed was. */
  get tasksRun(): number {
    return this.#tasksRun;
  }

  now(): number {
    return this.#epochMs + Math.floor(this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  processTimers(): ProcessTimers {
    let isStopped = false;
    const after = (delayMs: number, run: () => void): Timer => {
      if (isStopped) return { cancel: () => undefined };
      const task = this.#add(delayMs, () => {
        if (!isStopped) run();
      });
      return { cancel: () => (task.cancelled = true) };
    };
    return {
      after,
      soon: (run) => void after(0, run),
      sleep: (delayMs, signal) => sleep(after, delayMs, signal),
      yield: () => new Promise((resolve) => after(0, resolve)),
      stop: () => {
        isStopped = true;
      },
    };
  }

  /** Runs tasks until `done` says so or `limitMs` virtual milliseconds have passed; answers whether it was done. */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.#elapsedMs + limitMs;
    await this.#settle();
    while (!done()) {
      const task = this.#tasks.peek();
      if (task === undefined || task.atMs > endMs) {
        this.#elapsedMs = endMs;
        return done();
      }
      this.#tasks.pop();
      if (task.cancelled) continue;
      this.#advance(task.atMs);
      this.#tasksRun += 1;
      task.run();
      await this.#settle();
    }
    return true;
  }

  #add(delayMs: number, run: () => void): Task {
    this.#order += 1;
    const task: Task = { atMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order, run, cancelled: false };
    this.#tasks.push(task);
    return task;
  }

  #advance(toMs: number): void {
    this.#tasksThisMoment = toMs > this.#elapsedMs ? 0 : this.#tasksThisMoment + 1;
    if (this.#tasksThisMoment > tasksPerMomentMax) {
      throw new Error(`Time stands still at ${this.#elapsedMs} ms: ${tasksPerMomentMax} tasks in one moment`);
    }
    this.#elapsedMs = toMs;
  }
}

function sleep(
  after: (delayMs: number, run: () => void) => Timer,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = after(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
