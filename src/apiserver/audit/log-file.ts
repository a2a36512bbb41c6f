import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import { logBacklogBytesMax, logFileBytesMax, logFilesMax, logFlushMs, logSyncMs, logTailBytes } from "./limits.ts";

export interface AuditLogOptions {
  readonly disk: Pick<Disk, "append" | "chmod" | "rename" | "list" | "readAt" | "remove" | "stat" | "sync">;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Pick<Timers, "after">;
  /** Folder of the log; it exists. */
  readonly folder: string;
  readonly log: (message: string, error: unknown) => void;
}

const rotatedName = /^audit-.+\.log$/;

/**
 * `audit.log` in a folder, written in groups and synced each second; a full file gets its time into its name, and the oldest
 * ones go.
 */
export class AuditLogFile {
  readonly #options: AuditLogOptions;
  readonly #path: string;
  #lines: string[] = [];
  #bytes = 0;
  #written = Promise.resolve();
  #next: Promise<void> | undefined;
  #timer: Timer | undefined;
  #syncTimer: Timer | undefined;
  #syncing = Promise.resolve();
  /** Entries that never reached the file. */
  lost = 0;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#path = `${options.folder}/audit.log`;
  }

  /** Takes an entry that is safe elsewhere; it is in the file soon. */
  note(line: string): void {
    if (!this.#take(line)) return;
    this.#timer ??= this.#options.timers.after(logFlushMs, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  /** Resolves when the entry is in the file, where it outlives this process. Never rejects. */
  write(line: string): Promise<void> {
    return this.#take(line) ? this.flush() : Promise.resolve();
  }

  #take(line: string): boolean {
    if (logBacklogBytesMax < this.#bytes) {
      this.#lose(1, "the audit log was too slow and lost an entry");
      return false;
    }
    this.#lines.push(line);
    this.#bytes += line.length;
    return true;
  }

  /** Resolves when what was taken so far is in the file. Whoever comes while it is written shares the next group. */
  flush(): Promise<void> {
    if (this.#lines.length === 0) return this.#next ?? this.#written;
    this.#next ??= this.#written.then(() => {
      this.#next = undefined;
      this.#written = this.#appendGroup();
      return this.#written;
    });
    return this.#next;
  }

  async #appendGroup(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    if (lines.length === 0) return;
    try {
      await this.#append(`${lines.join("\n")}\n`);
    } catch (error) {
      this.#lose(lines.length, error);
      return;
    }
    this.#syncTimer ??= this.#options.timers.after(logSyncMs, () => {
      this.#syncTimer = undefined;
      this.#syncing = this.sync();
    });
  }

  #lose(count: number, error: unknown): void {
    this.lost += count;
    this.#options.log("audit entries were lost", error);
  }

  /** Resolves when what is in the file survives a power loss. Never rejects. */
  async sync(): Promise<void> {
    try {
      await this.#options.disk.sync(this.#path);
    } catch (error) {
      this.#options.log("cannot sync the audit log", error);
    }
  }

  /** Writes and syncs what is left. */
  async close(): Promise<void> {
    await this.flush();
    const isSynced = this.#syncTimer === undefined;
    this.#syncTimer?.cancel();
    this.#syncTimer = undefined;
    await this.#syncing;
    if (!isSynced) await this.sync();
  }

  /**
   * The last lines of the log, those of the file before it first. A line that a crash cut off is left out, and ended in the file, so
   * that the next entry gets a line of its own.
   */
  async tail(): Promise<string[]> {
    const { disk, folder } = this.#options;
    const rotated = (await disk.list(folder)).filter((name) => rotatedName.test(name)).sort();
    const before = rotated.at(-1);
    const older = before === undefined ? "" : await this.#end(`${folder}/${before}`);
    const newest = await this.#end(this.#path);
    if (newest !== "" && !newest.endsWith("\n")) await disk.append(this.#path, "\n");
    return [...older.split("\n"), ...newest.split("\n").slice(0, -1)].filter((line) => line.endsWith("}"));
  }

  async #end(path: string): Promise<string> {
    const { disk } = this.#options;
    const stat = await disk.stat(path);
    if (stat === undefined) return "";
    const from = Math.max(0, stat.size - logTailBytes);
    return new TextDecoder().decode(await disk.readAt(path, from, stat.size - from));
  }

  async #append(text: string): Promise<void> {
    const { disk } = this.#options;
    const before = await disk.stat(this.#path);
    const isFull = before !== undefined && logFileBytesMax < before.size;
    if (isFull) await this.#rotate();
    await disk.append(this.#path, text);
    if (isFull || before === undefined) await disk.chmod(this.#path, 0o600);
  }

  async #rotate(): Promise<void> {
    const { disk, clock, folder } = this.#options;
    await this.sync();
    const time = new Date(clock.now()).toISOString().replaceAll(":", "-");
    await disk.rename(this.#path, `${folder}/audit-${time}.log`);
    const old = (await disk.list(folder)).filter((name) => rotatedName.test(name)).sort();
    for (const name of old.slice(0, Math.max(0, old.length - logFilesMax))) await disk.remove(`${folder}/${name}`);
  }
}
