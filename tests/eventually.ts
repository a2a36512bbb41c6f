import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds for what comes within a second on a machine at rest: a busy one takes its time. */
const limitUsualMs = 120_000;

/** Waits until `probe` answers something other than undefined or false, and answers it. Fails with what it was waiting for. */
export async function eventually<T>(
  what: string | (() => string),
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = limitUsualMs,
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (deadlineMs < performance.now())
      throw new Error(`Waited ${limitMs} ms in vain: ${typeof what === "string" ? what : what()}`);
    await sleep(20);
  }
}
