/** Endpoints of one service port that share its traffic; those beyond (in the order of their addresses) get none. */
export const endpointsPerPortMax = 1_000;
/** Clients that session affinity remembers, all Services together; beyond it new clients are balanced freely. */
export const affinityClientsMax = 262_144;
/** Seconds that session affinity may last: Kubernetes' own bound. */
export const affinitySecondsMax = 86_400;
/** Ranges of Services' addresses that a node follows, the cluster's first one among them. */
export const serviceRangesMax = 100;
/** Milliseconds that changes are gathered before they are applied together. */
export const coalesceMs = 20;
/** First and longest pause in milliseconds before a Node is told again that no range is left: shorter than Events are counted. */
export const tellAgainFirstMs = 60_000;
export const tellAgainLongestMs = 480_000;
/** First and longest wait in milliseconds before a failed change is tried again. */
export const retryFirstMs = 200;
export const retryLongestMs = 10_000;
/** Stale connections that are forgotten after one change. */
export const forgottenConnectionsMax = 200;
/** Pods whose addresses are known from the runtime and not yet from their status; the oldest beyond it must show theirs. */
export const admittedPodsMax = 1_000;
/** Milliseconds that the proxy keeps the routes of a Service that has left it, for connections that were there. */
export const serviceLeaveMs = 660_000;
/** Milliseconds that the first packet rules wait for the proxy, while those of before hold. */
export const trafficReadyMs = 5_000;
/** Changes of endpoints whose way into the kernel is timed together; those beyond go untimed. */
export const triggersMax = 1_000;
