/** The first revision is one above this, so that every resourceVersion has 13 digits. */
export const baseRevision = 1_000_000_000_000;
/** Digits of a stamped revision. */
export const revisionDigits = 13;

/** How long events and exact snapshots are kept. */
export const historyWindowMs = 5 * 60_000;
/** Bytes that the history may hold: replaced values, and `eventOverheadBytes` for each event. */
export const historyBytesMax = 96 * 1024 * 1024;
/** What one event costs beside its value: objects, key, and its share of kept tree nodes. */
export const eventOverheadBytes = 1_024;
/** Replaced entries lose their attachment after this time: by then whoever follows has seen them. */
export const attachmentWindowMs = 10_000;
/** Roots of the tree are kept at least this many events apart; exact snapshots between are rolled back from the next. */
export const eventsBetweenRoots = 2_048;
/** Exact snapshots that were asked for, kept so that the next page finds them. */
export const rolledSnapshotsMax = 16;
/** Events that a follower which is catching up gets in one turn (whole revisions: may be exceeded by one transaction). */
export const catchUpEventsPerTurn = 1_000;

/** Writers that get their answer in one turn; the others of a group follow in the next ones. */
export const answersPerTurn = 16;

/** Operations of one transaction. */
export const operationsMax = 1_000;
/** Bytes of one value. */
export const valueBytesMax = 16 * 1024 * 1024;
/** Bytes of a key as UTF-8. */
export const keyBytesMax = 4_096;

/** Reason records kept for one subject. */
export const recordsPerSubjectMax = 128;
/** Reason records kept in total. */
export const recordsMax = 50_000;

/** Bytes that may wait for the disk. The API server bounds its requests far below; beyond this the caller has no bound. */
export const pendingBytesMax = 1024 * 1024 * 1024;
/** A group of transactions is handed to the disk when it reaches this size, also while it could still gather. */
export const groupBytesMax = 8 * 1024 * 1024;
/** So many old rows wait until they are dropped together … */
export const dropRowsWorthAStep = 512;
/** … in a moment when nothing else waits for the disk, or when this many wait … */
export const dropRowsWaitingMax = 131_072;
/** … and so many go in one step. */
export const dropRowsPerStepMax = 2_048;
/** The write-ahead log is checkpointed beside the commits from here on … */
export const checkpointBytes = 32 * 1024 * 1024;
/** … and by the committing thread itself from here on: the bound of the log. */
export const walBytesMax = 256 * 1024 * 1024;
/** Bytes of one message while the store is loaded. */
export const loadChunkBytes = 1024 * 1024;
