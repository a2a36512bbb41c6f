import { watch as watchFile, type Stats } from "node:fs";
import {
  appendFile,
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname } from "node:path";
import type { Disk, FileStat } from "../disk.ts";

/** The machine's file system. */
export const realDisk: Disk = {
  read: (path) => readFile(path),
  readText: (path) => readFile(path, "utf8"),
  readAt: readPart,
  write: (path, content, mode) => writeFile(path, content, mode === undefined ? {} : { mode }),
  append: (path, content) => appendFile(path, content),
  sync: async (path) => {
    const file = await open(path, "r");
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  },
  writeAtomically,
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { recursive: true, force: true }),
  makeDirectory: async (path, mode) => {
    await mkdir(path, mode === undefined ? { recursive: true } : { recursive: true, mode });
  },
  list: (path) => readdir(path),
  stat: async (path) => {
    try {
      return describe(await lstat(path));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  symlink: (target, path) => symlink(target, path),
  readlink: (path) => readlink(path),
  chmod: (path, mode) => chmod(path, mode),
  chown: (path, uid, gid) => chown(path, uid, gid),
  watch: (path, changed) => {
    const watcher = watchFile(path, { persistent: false }, changed);
    // A watched folder that goes away ends the watch; whoever asked looks again on its own schedule.
    watcher.on("error", changed);
    return { close: () => watcher.close() };
  },
};

function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

function describe(stats: Stats): FileStat {
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  return {
    kind,
    size: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    mtimeMs: stats.mtimeMs,
    inode: stats.ino,
  };
}

async function readPart(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const buffer = new Uint8Array(length);
    const { bytesRead } = await file.read(buffer, 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

let temporaryCount = 0;

async function writeAtomically(path: string, content: Uint8Array | string, mode?: number): Promise<void> {
  temporaryCount += 1;
  const temporary = `${path}.new-${process.pid}-${temporaryCount}`;
  const file = await open(temporary, "w", mode ?? 0o644);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  // The rename itself must survive a power loss: sync the folder.
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
