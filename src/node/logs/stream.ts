import { concatBytes } from "#base/bytes.ts";
import type { Disk } from "#world/disk.ts";
import type { ByteSink, ByteStream } from "#world/http.ts";
import { logReadBytes } from "../limits.ts";
import { LogFilter, type LogOptions } from "./filter.ts";

const newline = 10;

export interface LogSource {
  readonly disk: Disk;
  /** The file the container writes now; rotation moves it away and begins a new one. */
  readonly path: string;
  /** Whether more may be written. */
  readonly running: () => Promise<boolean>;
  /** Calls when the container may have ended, until closed. */
  readonly onChange: (changed: () => void) => { close(): void };
}

/** A container's log as a body: to its end, or, with `follow`, until the container has ended or the reader goes away. */
export function logStream(source: LogSource, options: LogOptions): ByteStream {
  return new LogReader(source, options);
}

class LogReader implements ByteStream {
  readonly #source: LogSource;
  readonly #options: LogOptions;
  readonly #filter: LogFilter;
  #closed = false;
  #wake: (() => void) | undefined;
  #changed = false;
  #room: (() => void) | undefined;
  #offset = 0;
  #inode = 0;

  constructor(source: LogSource, options: LogOptions) {
    this.#source = source;
    this.#options = options;
    this.#filter = new LogFilter(options);
  }

  open(sink: ByteSink): void {
    void this.#run(sink).then(
      () => {
        if (!this.#closed) sink.end();
      },
      (error: unknown) => {
        if (!this.#closed) sink.abort(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  drained(): void {
    this.#room?.();
  }

  close(): void {
    this.#closed = true;
    this.#room?.();
    this.#wake?.();
  }

  async #run(sink: ByteSink): Promise<void> {
    const { disk, path } = this.#source;
    const stat = await disk.stat(path);
    this.#inode = stat?.inode ?? 0;
    this.#offset = await tailOffset(disk, path, stat?.size ?? 0, this.#options.tailLines);
    if (!this.#options.follow) {
      await this.#readFile(sink, path, stat?.size ?? 0);
      return;
    }
    const changed = (): void => {
      this.#changed = true;
      this.#wake?.();
    };
    const folder = path.slice(0, path.lastIndexOf("/"));
    const watches = [disk.watch(folder, changed), this.#source.onChange(changed)];
    try {
      await this.#follow(sink);
    } finally {
      for (const watch of watches) watch.close();
    }
  }

  async #follow(sink: ByteSink): Promise<void> {
    while (!this.#closed && !this.#filter.full) {
      this.#changed = false;
      // Asked before the last read: what was written before its end is read after it.
      const running = await this.#source.running();
      await this.#readNew(sink);
      if (!running) return;
      if (!this.#changed && !this.#closed) await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  async #readNew(sink: ByteSink): Promise<void> {
    const { disk, path } = this.#source;
    const stat = await disk.stat(path);
    if (stat === undefined) return;
    if (stat.inode !== this.#inode) {
      if (this.#inode !== 0) await this.#readRotated(sink);
      this.#inode = stat.inode;
      this.#offset = 0;
      this.#filter.reset();
    }
    await this.#readFile(sink, path, undefined);
  }

  /** The rest of the file that was moved away under us. */
  async #readRotated(sink: ByteSink): Promise<void> {
    const { disk, path } = this.#source;
    const folder = path.slice(0, path.lastIndexOf("/"));
    const name = path.slice(path.lastIndexOf("/") + 1);
    for (const other of await disk.list(folder)) {
      if (!other.startsWith(`${name}.`)) continue;
      const stat = await disk.stat(`${folder}/${other}`);
      if (stat?.inode === this.#inode) await this.#readFile(sink, `${folder}/${other}`, undefined);
    }
  }

  async #readFile(sink: ByteSink, path: string, endAt: number | undefined): Promise<void> {
    while (!this.#closed && !this.#filter.full) {
      const length = endAt === undefined ? logReadBytes : Math.min(logReadBytes, endAt - this.#offset);
      if (length <= 0) return;
      const piece = await this.#source.disk.readAt(path, this.#offset, length).catch(noneIfMissing);
      if (piece.length === 0) return;
      this.#offset += piece.length;
      const output = this.#filter.push(piece);
      let room = true;
      for (const bytes of merged(output)) if (!this.#closed) room = sink.write(bytes);
      if (!room && !this.#closed) await new Promise<void>((resolve) => (this.#room = resolve));
      this.#room = undefined;
    }
  }
}

function noneIfMissing(error: { code?: unknown }): Uint8Array {
  if (error.code === "ENOENT") return new Uint8Array(0);
  throw error;
}

/** One write per piece that was read, not one per line. */
function merged(parts: readonly Uint8Array[]): Uint8Array[] {
  if (parts.length < 2) return [...parts];
  return [concatBytes(parts)];
}

/** Where the last `lines` lines of a file begin, read from its end. */
async function tailOffset(disk: Disk, path: string, size: number, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0;
  if (lines <= 0) return size;
  let seen = 0;
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - logReadBytes);
    const block = await disk.readAt(path, begin, end - begin);
    for (let at = block.lastIndexOf(newline); at >= 0; at = at === 0 ? -1 : block.lastIndexOf(newline, at - 1)) {
      // The newline at the very end closes the last line; it does not begin one.
      if (begin + at === size - 1) continue;
      seen += 1;
      if (seen === lines) return begin + at + 1;
    }
    end = begin;
  }
  return 0;
}
