// Every bound of the node agent, with its unit. Where kubelet documents a value, it is kubelet's.

/** Milliseconds until containerd's socket answers after a start; until it ends after SIGTERM; between two looks. */
export const containerdStartMsMax = 20_000;
export const containerdStopMsMax = 10_000;
export const socketProbeMs = 10;

/** Back-off of crashing containers and of image pulls: first wait, longest wait, and the run that forgives, milliseconds. */
export const backOffMsFirst = 10_000;
export const backOffMsMax = 300_000;
export const backOffMsForgiven = 600_000;

/** Wait after an attempt that failed for a reason outside the container (sandbox, volumes, config), milliseconds. */
export const retryMsFirst = 1_000;
export const retryMsMax = 60_000;

/** A comparison of the whole runtime with what was seen of it, even when no event asked for it, milliseconds: two calls. */
export const compareMs = 60_000;
/** Wait before a comparison that the runtime did not answer is tried again, milliseconds. */
export const compareRetryMs = 1_000;
/** Comparisons without an answer after which the runtime is started again; each waits `compareRetryMs` for the next. */
export const comparisonsUnansweredMax = 30;
/** The same for a runtime that takes calls and does not answer them in time: each comparison has waited for that already. */
export const comparisonsSilentMax = 3;
/** A look at every pod and for orphans even when no event asked for it, milliseconds. */
export const relistMs = 300_000;

/** Bytes of a container's termination message, and of those of all containers of a pod together. */
export const terminationMessageBytesMax = 4096;
export const terminationLogLinesMax = 80;
export const terminationLogBytesMax = 2048;

/** Size at which a container's log is rotated, files kept, and the time between two looks at the sizes, milliseconds. */
export const logBytesMax = 10 << 20;
export const logFilesMax = 5;
export const logCheckMs = 60_000;

/** Bytes read from a log at a time. */
export const logReadBytes = 64 << 10;

/** Output of a probe's command or body that is looked at, bytes. */
export const probeOutputBytesMax = 10 << 10;

/** Milliseconds after the first failed readiness probe of a new container until the second; doubles up to the probe's period. */
export const readinessAgainMs = 50;

/** Milliseconds between renewals of the node's lease, its length in seconds, and between status reports without a change. */
export const leaseRenewMs = 10_000;
export const leaseSeconds = 40;
export const statusReportMs = 300_000;
export const statusRetryMs = 1_000;
/** How long a pod's first status waits for a better one as long as its containers are only being made, milliseconds. */
export const firstStatusMs = 1_000;
/** How long the news that a pod runs waits for its end, when it may end by itself and nobody attaches to it, milliseconds. */
export const shortRunMs = 200;

/** Image pulls at a time. */
export const parallelPullsMax = 4;

/** Pods on a node by default. */
export const podsMax = 110;

/** Part of a token's life after which it is renewed, and how long a renewal that failed waits, milliseconds. */
export const tokenRenewFraction = 0.8;
export const tokenRetryMs = 10_000;

/** Disk use in percent of the image file system at which unused images are removed, and until which. */
export const imageGcHighPercent = 85;
export const imageGcLowPercent = 80;
export const imageGcMs = 300_000;
/** Images younger than this are kept, milliseconds. */
export const imageAgeMsMin = 120_000;

/** Milliseconds a preStop hook of an orphan, a stop of a sandbox and other cleanup may take. */
export const orphanGraceSeconds = 30;

/** Milliseconds an answer about a user's rights is kept. */
export const reviewKeepMs = 120_000;
export const reviewDeniedKeepMs = 10_000;
export const reviewsMax = 1_000;

/** Memory below which the node says that it has too little, bytes; share of the disk likewise. Kubelet's eviction defaults. */
export const memoryAvailableBytesMin = 100 << 20;
export const diskAvailableFractionMin = 0.1;

/** Images named in the node's status. */
export const imagesReportedMax = 50;

/** Milliseconds between two looks at a runtime that is not ready yet. */
export const unreadyCheckMs = 200;

/** Seconds that a command of `run` may take. */
export const runSecondsMax = 60;

/** Cgroups whose counters are read at the same time. */
export const usageReadsAtOnce = 16;
/** Points kept of one container's counters. */
export const usagePointsMax = 8;
/** Milliseconds between the two first readings of a counter. */
export const usageRepeatMs = 1_000;
/** Milliseconds of a window over which usage is told: shorter ones measure the scheduler, longer ones the past. */
export const usageWindowMinMs = 900;
export const usageWindowMaxMs = 60_000;

/** Milliseconds: how old counters may be that a scrape is given. */
export const scrapeAgeMs = 1_000;

/** Pods whose probes are counted; more than a node may have, with those that were there since the last look. */
export const probedPodsMax = 1_000;

/** How long devices of a plugin that is gone are still counted as there, milliseconds; upstream's five minutes. */
export const pluginGoneMs = 300_000;
/** Until a plugin that did not answer its registration is asked again, milliseconds. */
export const pluginRetryMs = 2_000;
/** Specifications of the Container Device Interface that are read. */
export const cdiSpecsMax = 1_000;
/** Pods for which images are pulled before they run for the first time: how long that took is left out of how fast they start. */
export const pullingPodsMax = 1_000;
