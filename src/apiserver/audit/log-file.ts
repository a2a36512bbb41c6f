import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import { logBacklogBytesMax, logFileBytesMax, logFilesMax, logFlushMs } from "./limits.ts";

export interface AuditLogOptions {
  readonly disk: Pick<Disk, "append" | "chmod" | "rename" | "list" | "remove" | "stat">;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Pick<Timers, "after">;
  /** Folder of the log; it exists. */
  readonly folder: string;
  readonly log: (message: string, error: unknown) => void;
}

/** `audit.log` in a folder, written in groups; a full file gets its time into its name, and the oldest ones go. */
export class AuditLogFile {
  readonly #options: AuditLogOptions;
  #lines: string[] = [];
  #bytes = 0;
  #lost = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  write(line: string): void {
    if (logBacklogBytesMax < this.#bytes) {
      this.#lost += 1;
      return;
    }
    this.#lines.push(line);
    this.#bytes += line.length;
    this.#timer ??= this.#options.timers.after(logFlushMs, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  /** Resolves when what was written so far is in the file. Never rejects. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#bytes = 0;
    this.#writing = this.#append(text).catch((error: unknown) =>
      this.#options.log("cannot write the audit log", error),
    );
    await this.#writing;
    this.#writing = undefined;
  }

  async #append(text: string): Promise<void> {
    const { disk, folder, log } = this.#options;
    const path = `${folder}/audit.log`;
    const before = await disk.stat(path);
    if (before !== undefined && logFileBytesMax < before.size) await this.#rotate(path);
    await disk.append(path, text);
    if (before === undefined) await disk.chmod(path, 0o600);
    if (this.#lost > 0) {
      log("the audit log was too slow and lost entries", this.#lost);
      this.#lost = 0;
    }
  }

  async #rotate(path: string): Promise<void> {
    const { disk, clock, folder } = this.#options;
    const time = new Date(clock.now()).toISOString().replaceAll(":", "-");
    await disk.rename(path, `${folder}/audit-${time}.log`);
    const old = (await disk.list(folder)).filter((name) => /^audit-.+\.log$/.test(name)).sort();
    for (const name of old.slice(0, Math.max(0, old.length - logFilesMax))) await disk.remove(`${folder}/${name}`);
  }
}
