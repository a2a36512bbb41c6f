/** Time as the code sees it. The simulator gives virtual time. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970 (UTC). May step, also backwards. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations and deadlines. */
  monotonic(): number;
}

/** A scheduled call that can be taken back. */
export interface Timer {
  cancel(): void;
}

/** Waiting. All waiting goes through here, so that the simulator can carry it out in virtual time. */
export interface Timers {
  /** Calls `task` once after at least `delayMs` milliseconds. */
  after(delayMs: number, task: () => void): Timer;
  /** Calls `task` in a macrotask of its own, after pending input and output had their turn. */
  soon(task: () => void): void;
  /** Resolves after `delayMs` milliseconds, or rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Resolves in a macrotask of its own: what long work awaits every few milliseconds so that requests get their turn. */
  yield(): Promise<void>;
}
