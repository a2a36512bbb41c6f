/** How long the creation of a pod waits for the service account `default` of a namespace that was just made, in milliseconds. */
export const serviceAccountWaitMs = 1_000;

/** An address or port given to a request that has not been stored is kept for it this long, in milliseconds. */
export const reservationMs = 60_000;

/** Other servers' allocations are looked at after at most this time, in milliseconds. */
export const allocationAgeMs = 1_000;
