export interface FileStat {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

/** Files. Paths are absolute. Rejects with the operating system's error, whose `code` is e.g. `ENOENT`. */
export interface Disk {
  read(path: string): Promise<Uint8Array>;
  readText(path: string): Promise<string>;
  /** Reads up to `length` bytes from `offset`. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array>;
  write(path: string, content: Uint8Array | string, mode?: number): Promise<void>;
  append(path: string, content: Uint8Array | string): Promise<void>;
  /** Resolves when what was written to the file survives a power loss. */
  sync(path: string): Promise<void>;
  /** Writes beside the file, syncs, renames: readers see the old or the new content, also after a power loss. */
  writeAtomically(path: string, content: Uint8Array | string, mode?: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with all it holds; nothing to remove is no error. Does not cross mounts' contents. */
  remove(path: string): Promise<void>;
  makeDirectory(path: string, mode?: number): Promise<void>;
  list(path: string): Promise<string[]>;
  /** Undefined when nothing is there. Follows no symlink. */
  stat(path: string): Promise<FileStat | undefined>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** Calls `changed` when something at or directly below `path` changes. Best effort: look again, never trust it alone. */
  watch(path: string, changed: () => void): { close(): void };
}
