import type { Clock, Timer, Timers } from "#world/clock.ts";

/** Time that only moves when a test says so; everything due runs in order, promises settle in between. For tests. */
export interface VirtualTime {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Runs what is due now, and what that makes due, until nothing is. */
  settle(): Promise<void>;
  /** Moves on by `milliseconds`, running everything on the way. */
  advance(milliseconds: number): Promise<void>;
}

interface Task {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export function createVirtualTime(startMs = 1_780_000_000_000): VirtualTime {
  let nowMs = 0;
  let order = 0;
  const tasks: Task[] = [];
  const after = (delayMs: number, run: () => void): Timer => {
    const task: Task = { atMs: nowMs + Math.max(0, delayMs), order: order++, run };
    let at = tasks.length;
    while (at > 0 && tasks[at - 1]!.atMs > task.atMs) at--;
    tasks.splice(at, 0, task);
    return {
      cancel() {
        const found = tasks.indexOf(task);
        if (found !== -1) tasks.splice(found, 1);
      },
    };
  };
  const microtasks = async (): Promise<void> => {
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  };
  const runUntil = async (untilMs: number): Promise<void> => {
    await microtasks();
    for (let steps = 0; tasks.length > 0 && tasks[0]!.atMs <= untilMs; steps++) {
      if (steps > 1_000_000) throw new Error("Time stands still: tasks keep making tasks");
      const task = tasks.shift()!;
      nowMs = Math.max(nowMs, task.atMs);
      task.run();
      await microtasks();
    }
  };
  return {
    clock: { now: () => startMs + nowMs, monotonic: () => nowMs },
    timers: {
      after,
      soon: (task) => void after(0, task),
      sleep: (delayMs) => new Promise((resolve) => after(delayMs, resolve)),
      yield: () => new Promise((resolve) => after(0, resolve)),
    },
    settle: () => runUntil(nowMs),
    async advance(milliseconds) {
      const untilMs = nowMs + milliseconds;
      await runUntil(untilMs);
      nowMs = untilMs;
    },
  };
}

/** A small seeded generator (mulberry32). For tests. */
export function createTestRandom(seed: number): { float(): number; bytes(length: number): Uint8Array; uuid(): string } {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(float() * 256));
  const uuid = (): string => {
    const hex = [...bytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  };
  return { float, bytes, uuid };
}
