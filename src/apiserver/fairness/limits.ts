/** Requests that are carried out at once, shared among the priority levels. */
export const seatsTotal = 600;
/** A request waits for its turn no longer than this, in milliseconds. */
export const queueWaitMs = 15_000;
/** Requests of one flow that wait, where a level does not say; and the most that it may say. */
export const queueLengthDefault = 50;
export const queueLengthMax = 1_000;
/** Flows of one level that wait at once; beyond them requests are turned away. */
export const flowsMax = 1_000;
