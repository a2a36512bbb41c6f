import { backOffMsFirst, backOffMsForgiven, backOffMsMax, retryMsFirst, retryMsMax } from "../limits.ts";
import type { BackOffEntry, Failure } from "./observed.ts";

export type RestartDecision =
  | { readonly start: true; readonly next: BackOffEntry }
  | { readonly start: false; readonly at: number; readonly delayMs: number };

/**
 * When a container that ended at `finishedAt` may start again: at once the first time, then after 10 s doubling up to 5 min,
 * counted from its end, forgiven after it ran for 10 min. After a restart of the agent the number of restarts tells.
 */
export function decideRestart(
  entry: BackOffEntry | undefined,
  restarts: number,
  finishedAt: number,
  now: number,
): RestartDecision {
  const known =
    entry ??
    (restarts === 0
      ? undefined
      : { delayMs: Math.min(backOffMsMax, backOffMsFirst * 2 ** (restarts - 1)), at: finishedAt });
  if (known === undefined || finishedAt - known.at > backOffMsForgiven)
    return { start: true, next: { delayMs: backOffMsFirst, at: now } };
  const at = finishedAt + known.delayMs;
  if (now < at) return { start: false, at, delayMs: known.delayMs };
  return { start: true, next: { delayMs: Math.min(backOffMsMax, known.delayMs * 2), at: now } };
}

/** The next failure in a row of what is retried soon: 1 s doubling up to a minute. */
export function failAgain(previous: Failure | undefined, reason: string, message: string, now: number): Failure {
  const count = (previous?.count ?? 0) + 1;
  return { reason, message, count, retryAt: now + Math.min(retryMsMax, retryMsFirst * 2 ** (count - 1)) };
}

/** The next failure in a row of an image pull: 10 s doubling up to 5 min. */
export function failPull(previous: Failure | undefined, reason: string, message: string, now: number): Failure {
  const count = (previous?.count ?? 0) + 1;
  return { reason, message, count, retryAt: now + Math.min(backOffMsMax, backOffMsFirst * 2 ** (count - 1)) };
}

/** `10s`, `1m20s`, `5m0s`: as Go prints durations. */
export function goDuration(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds}s`;
  return seconds < 3600
    ? `${Math.floor(seconds / 60)}m${seconds % 60}s`
    : `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`;
}
