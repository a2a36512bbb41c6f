/** Entries that nobody waits for are written this long after at the latest, in milliseconds. */
export const logFlushMs = 200;
/** What was written is on the disk this long after at the latest, in milliseconds. */
export const logSyncMs = 1_000;
/** A larger log file is put aside, in bytes. */
export const logFileBytesMax = 100 * 1024 * 1024;
/** Log files that were put aside and are kept. */
export const logFilesMax = 10;
/** Entries that wait for the disk; beyond them entries are lost and counted, in characters. */
export const logBacklogBytesMax = 16 * 1024 * 1024;
/** The end of the log that is read at a start to find what it lacks, in bytes. */
export const logTailBytes = 1024 * 1024;
/** An entry in the transaction of its write has at most so many characters; a larger one leaves its objects out there. */
export const entryCharsMax = 64 * 1024;
/** Entries that wait for the webhook; beyond them entries are lost and counted. */
export const webhookBacklogMax = 10_000;
/** The same in characters. */
export const webhookBacklogBytesMax = 32 * 1024 * 1024;
/** Entries of one request to the webhook. */
export const webhookBatchMax = 400;
/** Entries go to the webhook this long after they came at the latest, in milliseconds. */
export const webhookBatchWaitMs = 1_000;
/** An answer of the webhook is waited for this long, in milliseconds. */
export const webhookTimeoutMs = 30_000;
/** After a failure the webhook is left alone for this long, then twice as long each time, in milliseconds. */
export const webhookPauseFirstMs = 500;
export const webhookPauseMaxMs = 30_000;
/** What could not be given to the webhook after this many attempts is lost and counted. */
export const webhookAttemptsMax = 8;
/** Where no log says what it has, entries of so many revisions are looked for. */
export const recoveredRevisionsMax = 10_000;
