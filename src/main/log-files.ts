import { copyFileSync, statSync, truncateSync } from "node:fs";

/** A log of a process: beyond this it begins anew. Bytes. */
const logBytesMax = 32 * 1024 * 1024;

/**
 * Keeps `path` below its bound: what is full becomes `path.1`, in place of the one before, and the file is emptied. Its writer holds
 * it open for appending and goes on; what it writes between the two steps is lost.
 */
export function rotateLog(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.size < logBytesMax) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}
