/** How long the creation of a pod waits for the service account `default` of a namespace that was just made, in milliseconds. */
export const serviceAccountWaitMs = 1_000;

/** An address or port given to a request that has not been stored is kept for it this long, in milliseconds. */
export const reservationMs = 60_000;

/** Other servers' allocations are looked at after at most this time, in milliseconds. */
export const allocationAgeMs = 1_000;

/** How many numbers of a range are kept for people: one of `each`, but no more than `most`. */
export const addressesKept = { each: 16, most: 256 };
export const portsKept = { each: 32, most: 128 };

/** Numbers that are kept for people at least; ranges with no more of them keep none. */
export const keptLeast = 16;

/** Running pods that are held against a namespace's new PodSecurity level at most. */
export const heldPodsMax = 3_000;
