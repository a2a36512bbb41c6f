import { revisionDigits } from "./limits.ts";
import type { Revision } from "./store.ts";

const zero = 48;

/** Writes the 13 digits of a revision into `bytes` at `offset`. Throws when they do not fit: the caller's offset is wrong. */
export function stampRevision(bytes: Uint8Array, offset: number, revision: Revision): void {
  if (offset < 0 || offset + revisionDigits > bytes.length) {
    throw new RangeError(`Cannot stamp a revision at ${offset} of ${bytes.length} bytes`);
  }
  let high = Math.floor(revision / 1_000_000);
  let low = revision - high * 1_000_000;
  for (let i = offset + revisionDigits - 1; i > offset + 6; i -= 1) {
    const rest = (low / 10) | 0;
    bytes[i] = zero + low - rest * 10;
    low = rest;
  }
  for (let i = offset + 6; i >= offset; i -= 1) {
    const rest = (high / 10) | 0;
    bytes[i] = zero + high - rest * 10;
    high = rest;
  }
}
