import { concatBytes } from "#base/bytes.ts";

/** A file, folder or link in an archive. Exactly one of the three makes its kind; folders have none. */
export interface TarEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly content?: Uint8Array;
  readonly symlink?: string;
  /** Default: 0755 for folders, 0644 for files, 0777 for links. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

const blockBytes = 512;
const encoder = new TextEncoder();

/** Writes a tar archive in the ustar format; names too long for it get a pax header. All times are zero. */
export function writeTar(entries: readonly TarEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const longName = encoder.encode(entry.path).length > 100;
    const longLink = entry.symlink !== undefined && encoder.encode(entry.symlink).length > 100;
    if (longName || longLink) {
      const records = [
        ...(longName ? [paxRecord("path", entry.path)] : []),
        ...(longLink ? [paxRecord("linkpath", entry.symlink ?? "")] : []),
      ];
      const content = encoder.encode(records.join(""));
      parts.push(header({ path: "pax" }, "x", content.length), ...padded(content));
    }
    const type = entry.symlink !== undefined ? "2" : entry.content !== undefined ? "0" : "5";
    parts.push(header(entry, type, entry.content?.length ?? 0), ...padded(entry.content ?? new Uint8Array(0)));
  }
  parts.push(new Uint8Array(2 * blockBytes));
  return concatBytes(parts);
}

function header(entry: TarEntry, type: string, size: number): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (text: string, at: number, length: number): void =>
    block.set(encoder.encode(text).subarray(0, length), at);
  const octal = (value: number, at: number, length: number): void =>
    put(value.toString(8).padStart(length - 1, "0"), at, length);
  const modes: Readonly<Record<string, number>> = { "5": 0o755, "2": 0o777 };
  put(type === "5" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path, 0, 100);
  octal(entry.mode ?? modes[type] ?? 0o644, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  put("        ", 148, 8);
  put(type, 156, 1);
  put(entry.symlink ?? "", 157, 100);
  put("ustar\u000000", 257, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, 8);
  return block;
}

function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const bodyBytes = encoder.encode(body).length;
  let total = bodyBytes + 1;
  // The record's length counts its own digits.
  while (String(total).length + bodyBytes !== total) total = String(total).length + bodyBytes;
  return `${total}${body}`;
}

function padded(content: Uint8Array): Uint8Array[] {
  const rest = content.length % blockBytes;
  return rest === 0 ? [content] : [content, new Uint8Array(blockBytes - rest)];
}
