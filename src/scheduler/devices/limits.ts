export const deviceLimits = {
  /** Devices that one claim may be given, as upstream. */
  devicesPerClaimMax: 32,
  /** Pods that may use one claim at once, as upstream. */
  consumersMax: 256,
  /** Devices tried for one pod on one node before the search gives up, also on all nodes where preemption is tried. */
  triesMax: 20_000,
  /** Lists of selectors whose answers are remembered, and answers in all: some 40 bytes each. */
  listsMax: 1_000,
  answersMax: 500_000,
  /** Cost of one selector for one device, as upstream. */
  selectorCostMax: 1_000_000,
  /** Compiled selectors that are kept. */
  programsMax: 1_000,
} as const;
