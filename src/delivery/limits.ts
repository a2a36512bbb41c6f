/** Milliseconds after which a node that told nothing counts as a missing source. */
export const countStaleMs = 15_000;
/** Milliseconds that a new version may be without any ready pod before it is taken back. */
export const unreadyGraceMs = 10_000;
/** Milliseconds that a new version gets to its first ready pods when its Deployment says nothing. */
export const startDeadlineMs = 600_000;
/** Milliseconds that nodes get to hear that the old pods are gone: until then users are kept from these by the threshold. */
export const promotionSettleMs = 3_000;
/** Milliseconds that nodes get to say that they hold threshold 0 before the new pods go anyway. */
export const rollbackAckMs = 10_000;
/** Milliseconds between two passes over one Canary: merges the nodes' reports. */
export const canarySpacingMs = 50;
/** Milliseconds between two questions of one check: the default, and the least. */
export const checkEveryMs = 10_000;
export const checkEveryMsMin = 1_000;
/** Seconds that the source of a check gets to answer. */
export const checkAnswerSeconds = 5;
/** Questions under way at once; others wait for their next turn. */
export const checksAskedMax = 50;
/** Characters of what a check said. */
export const checkMessageMax = 300;
/** Milliseconds by which the time of a value may differ from ours. */
export const checkSkewMs = 60_000;
/** Failed requests kept in a Canary's status. */
export const samplesMax = 5;
