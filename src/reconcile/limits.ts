/** Bounds of this room; each with its unit. */
export const limits = {
  /** Objects asked for in one page of an informer's list: about 1.5 MB of pods, some 10 ms of parsing. */
  listPageObjects: 500,
  /** Back-off between attempts to list or watch. Milliseconds. */
  watchRetryMinMs: 100,
  watchRetryMaxMs: 15_000,
  /** A watch that ends sooner than this counts as failed. Milliseconds. */
  watchLifeMinMs: 1_000,
  /** How long one watch may live; jittered up to twice that. Seconds. */
  watchTimeoutSeconds: 1_800,
  /** Back-off of a key after a failed pass. Milliseconds. */
  retryMinMs: 10,
  retryMaxMs: 60_000,
  /** Between attempts to learn whether a write without an answer happened. Milliseconds. */
  lookAgainMs: 1_000,
  /** The longest uninterrupted run of planning before requests get their turn. Milliseconds. */
  sliceMs: 5,
  /** Writes of one plan under way at once (slow start doubles up to here). */
  writesInFlightMax: 64,
  /** Keys of one controller whose actions are carried out at once. */
  keysInFlight: 16,
  /** Events waiting to be written; beyond, the oldest are dropped. About half a kilobyte each. */
  eventsWaitingMax: 10_000,
  /** A write of an Event that took this long shows a busy server: then a pause of so many times as long. Milliseconds. */
  eventBusyMs: 20,
  eventPauseFactor: 4,
  eventPauseMaxMs: 500,
  /** An Event that nobody answered is written so often, and after such a pause: the numbers of client-go. Milliseconds. */
  eventTriesMax: 12,
  eventRetryMs: 10_000,
  /** Distinct texts of one object, type and reason within the window before they are combined into one Event. */
  eventSimilarMax: 10,
  eventWindowMs: 600_000,
  /** Token bucket per object and source: burst, and milliseconds for one more. */
  eventBurst: 25,
  eventRefillMs: 300_000,
  /** Remembered series of events; the least recently used are forgotten. */
  eventSeriesMax: 4_096,
  /** Leader election. Milliseconds. */
  leaseDurationMs: 15_000,
  leaseRenewMs: 5_000,
  leaseRetryMs: 2_000,
} as const;
