import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * SQLite ends its write-ahead log at the first frame whose checksum is wrong, and rightly so after a power loss. A damaged
 * frame in the middle would silently take all later commits with it. Here it is told apart: a commit is written only after
 * the one before it was synced, so two whole commits behind a bad frame mean damage, not a torn end.
 * https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
const headerBytes = 32;
const frameHeaderBytes = 24;
const bigEndianMagic = 0x377f0683;
const littleEndianMagic = 0x377f0682;
/** Commits that may stand whole behind a bad frame after a power loss: the end of the torn one itself. */
const tornCommitsMax = 1;

interface Sums {
  readonly first: number;
  readonly second: number;
}

/** Whether the write-ahead log beside `path` lost commits to damage. No log: no damage. */
export function isWalDamaged(path: string): boolean {
  let file: number;
  try {
    file = openSync(`${path}-wal`, "r");
  } catch {
    return false;
  }
  try {
    return check(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function check(file: number, size: number): boolean {
  if (size < headerBytes + frameHeaderBytes) return false;
  const header = new DataView(new ArrayBuffer(headerBytes));
  readSync(file, header, 0, headerBytes, 0);
  const magic = header.getUint32(0);
  const pageBytes = header.getUint32(8);
  const usable = (magic === bigEndianMagic || magic === littleEndianMagic) && isPageSize(pageBytes);
  if (magic === 0) return false;
  // Without a usable header nothing tells where frames begin: an empty log begins with a header that was synced.
  if (!usable) return true;
  const littleEndian = magic === littleEndianMagic;
  const ofHeader = sum(header, 24, { first: 0, second: 0 }, littleEndian);
  let whole = ofHeader.first === header.getUint32(24) && ofHeader.second === header.getUint32(28);
  let previous: Sums = { first: header.getUint32(24), second: header.getUint32(28) };
  const salts: Sums = { first: header.getUint32(16), second: header.getUint32(20) };
  const frameBytes = frameHeaderBytes + pageBytes;
  const frame = new DataView(new ArrayBuffer(frameBytes));
  let commitsBehind = 0;
  for (let at = headerBytes; at + frameBytes <= size; at += frameBytes) {
    readSync(file, frame, 0, frameBytes, at);
    const stored: Sums = { first: frame.getUint32(16), second: frame.getUint32(20) };
    const good =
      frame.getUint32(8) === salts.first &&
      frame.getUint32(12) === salts.second &&
      isSealed(frame, previous, stored, littleEndian);
    if (!good) whole = false;
    else if (!whole && frame.getUint32(4) !== 0) commitsBehind += 1;
    if (commitsBehind > tornCommitsMax) return true;
    previous = stored;
  }
  return false;
}

function isPageSize(bytes: number): boolean {
  return bytes >= 512 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
}

function isSealed(frame: DataView, previous: Sums, stored: Sums, littleEndian: boolean): boolean {
  const afterHeader = sum(frame, 8, previous, littleEndian);
  const page = new DataView(frame.buffer, frameHeaderBytes);
  const after = sum(page, page.byteLength, afterHeader, littleEndian);
  return after.first === stored.first && after.second === stored.second;
}

/** SQLite's running sums over pairs of 32-bit words. */
function sum(view: DataView, length: number, from: Sums, littleEndian: boolean): Sums {
  let { first, second } = from;
  for (let i = 0; i < length; i += 8) {
    first = (first + view.getUint32(i, littleEndian) + second) >>> 0;
    second = (second + view.getUint32(i + 4, littleEndian) + first) >>> 0;
  }
  return { first, second };
}
