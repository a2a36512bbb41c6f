/** Bounds of the simulator; each with its unit. All milliseconds are virtual. */
export const limits = {
  /** How long faults strike, at least and at most. Milliseconds. */
  safetyMsMin: 60_000,
  safetyMsMax: 400_000,
  /** After faults stop: unreachable nodes are tolerated for 300 s, crashing containers wait up to 300 s. Milliseconds. */
  convergenceMsMax: 900_000,
  /** No write besides leases and heartbeats for so long, once the desired state is reached. Milliseconds. */
  quietMs: 120_000,
  /** The cluster and its nodes stand, before anything is done. Milliseconds. */
  startMsMax: 60_000,
  /** Trace entries that a failure prints. */
  traceKept: 60,
  /** Story lines that a failure prints. */
  storyKept: 40,
  /** Bytes of the watch stream's unfinished line, in a checker. */
  lineBytesMax: 4 << 20,
} as const;
