import type { Probe } from "#api/generated/core-v1.ts";

/** Consecutive results of one probe. */
export interface ProbeCount {
  readonly passing: boolean;
  /** Of the last result, how many in a row. */
  readonly run: number;
  /** The verdict so far; it turns only when a threshold is reached. */
  readonly verdict: boolean;
}

/** Adds one result: the verdict turns after `successThreshold` passes or `failureThreshold` failures in a row. Pure. */
export function countResult(count: ProbeCount, passed: boolean, probe: Probe): ProbeCount {
  const run = count.passing === passed ? count.run + 1 : 1;
  const needed = passed ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { passing: passed, run, verdict: run >= needed ? passed : count.verdict };
}
