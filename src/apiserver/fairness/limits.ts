/** Requests that are carried out at once, shared among the priority levels. */
export const seatsTotal = 600;
/** A request waits for its turn no longer than this, in milliseconds. */
export const queueWaitMs = 15_000;
/** Requests of one flow that wait, where a level does not say; and the most that it may say. */
export const queueLengthDefault = 50;
export const queueLengthMax = 1_000;
/** Flows of one level at once; beyond them requests are turned away. */
export const flowsMax = 10_000;
/** Objects of a list for which it takes a seat; and the most seats that one list takes. */
export const objectsPerSeat = 100;
export const listSeatsMax = 10;
/** Bytes sent to a flow that count as much as one seat for a millisecond. */
export const bytesPerSeatMs = 100_000;
/** A list that is still being sent, or a watch that still brings what exists, gives its seats back after this, in milliseconds. */
export const streamSeatMs = 10_000;
/** Watches of one user; those of exempt levels have only the server's own bound. */
export const watchesOfUserMax = 20_000;
/** Flow schemas that are counted one by one. */
export const flowCountsMax = 500;
/** Bytes of large bodies that are carried out at once, whoever sent them; decoded they take several times as much. */
export const largeWriteBytesMax = 4 * 1024 * 1024;
/** Bytes of large bodies that wait for that; a user's own wait only while as many more would find room. */
export const waitingBytesMax = 768 * 1024 * 1024;
/** Bytes of a large body that take one seat among the large writes. */
export const bytesPerWriteSeat = 128 * 1024;
