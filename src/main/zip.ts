import { closeSync, openSync, readSync, statSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

/** Reads one stored or deflated file out of a ZIP archive. Throws when the archive or the name is not there. */
export function readFromZip(archive: string, name: string): Buffer {
  const file = openSync(archive, "r");
  try {
    const size = statSync(archive).size;
    for (const entry of readDirectory(file, size)) {
      if (entry.name !== name) continue;
      const header = readAt(file, entry.offset, 30);
      const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
      const content = readAt(file, start, entry.compressedSize);
      return entry.method === 0 ? content : inflateRawSync(content);
    }
  } finally {
    closeSync(file);
  }
  throw new Error(`Cannot read ${name} from ${archive}: the archive does not hold it`);
}

interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly compressedSize: number;
  readonly offset: number;
}

/** The central directory: found through the record at the archive's end (PKWARE APPNOTE 4.3.16). */
function readDirectory(file: number, size: number): ZipEntry[] {
  const tail = readAt(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0) throw new Error("Cannot read ZIP archive: it has no central directory");
  const directory = readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const entries: ZipEntry[] = [];
  for (let at = 0; at + 46 <= directory.length;) {
    const nameLength = directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString("utf8", at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      compressedSize: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

function readAt(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  readSync(file, buffer, 0, length, position);
  return buffer;
}
