/** The audit log is written this long after an entry at the latest, in milliseconds. */
export const logFlushMs = 200;
/** A larger log file is put aside, in bytes. */
export const logFileBytesMax = 100 * 1024 * 1024;
/** Log files that were put aside and are kept. */
export const logFilesMax = 10;
/** Entries that wait for the disk; beyond them entries are lost and counted, in characters. */
export const logBacklogBytesMax = 16 * 1024 * 1024;
