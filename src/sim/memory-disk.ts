import type { Clock } from "#world/clock.ts";
import type { Disk, FileStat } from "#world/disk.ts";

interface Node {
  kind: "file" | "directory" | "symlink";
  content: Uint8Array;
  target: string;
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  readonly inode: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The operating system's error for a missing file, as `Disk` promises it. */
class MissingFileError extends Error {
  readonly code = "ENOENT";
}

/** Files in memory, for simulated machines. Symlinks in the middle of a path are followed. */
export class MemoryDisk implements Disk {
  readonly #nodes = new Map<string, Node>();
  /** Names in each folder, so that no folder costs what the others hold. */
  readonly #names = new Map<string, Set<string>>();
  readonly #clock: Clock;
  #inodes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async read(path: string): Promise<Uint8Array> {
    const node = this.#nodes.get(this.#resolve(path, true));
    if (node === undefined || node.kind !== "file") throw new MissingFileError(`No file ${path}`);
    return node.content;
  }

  async readText(path: string): Promise<string> {
    return decoder.decode(await this.read(path));
  }

  async readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
    return (await this.read(path)).subarray(offset, offset + length);
  }

  async write(path: string, content: Uint8Array | string, mode?: number): Promise<void> {
    const bytes = typeof content === "string" ? encoder.encode(content) : content.slice();
    this.#put(this.#resolve(path, true), { kind: "file", content: bytes, ...(mode === undefined ? {} : { mode }) });
  }

  /** Nothing is ever lost here. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  async append(path: string, content: Uint8Array | string): Promise<void> {
    const before = this.#nodes.get(this.#resolve(path, true))?.content ?? new Uint8Array();
    const added = typeof content === "string" ? encoder.encode(content) : content;
    const whole = new Uint8Array(before.length + added.length);
    whole.set(before);
    whole.set(added, before.length);
    await this.write(path, whole);
  }

  writeAtomically(path: string, content: Uint8Array | string, mode?: number): Promise<void> {
    return this.write(path, content, mode);
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.#resolve(from, false);
    const target = this.#resolve(to, false);
    if (!this.#nodes.has(source)) throw new MissingFileError(`No file ${from}`);
    await this.remove(to);
    const moved = this.#below(source).map((path) => [path, this.#nodes.get(path)!] as const);
    for (const [path] of moved) this.#drop(path);
    for (const [path, node] of moved) this.#set(target + path.slice(source.length), node);
  }

  async remove(path: string): Promise<void> {
    for (const each of this.#below(this.#resolve(path, false))) this.#drop(each);
  }

  async makeDirectory(path: string, mode?: number): Promise<void> {
    const resolved = this.#resolve(path, true);
    const parts = resolved.split("/").slice(1);
    for (let count = 1; count <= parts.length; count += 1) {
      const folder = `/${parts.slice(0, count).join("/")}`;
      if (!this.#nodes.has(folder)) this.#put(folder, { kind: "directory", mode: mode ?? 0o755 });
    }
  }

  async list(path: string): Promise<string[]> {
    const resolved = this.#resolve(path, true);
    if (this.#nodes.get(resolved)?.kind !== "directory") throw new MissingFileError(`No folder ${path}`);
    return [...(this.#names.get(resolved) ?? [])];
  }

  async stat(path: string): Promise<FileStat | undefined> {
    const node = this.#nodes.get(this.#resolve(path, false));
    return node === undefined ? undefined : { ...node, size: node.content.length };
  }

  async symlink(target: string, path: string): Promise<void> {
    this.#put(this.#resolve(path, false), { kind: "symlink", target, mode: 0o777 });
  }

  async readlink(path: string): Promise<string> {
    const node = this.#nodes.get(this.#resolve(path, false));
    if (node?.kind !== "symlink") throw new MissingFileError(`No symlink ${path}`);
    return node.target;
  }

  async chmod(path: string, mode: number): Promise<void> {
    this.#change(path, { mode });
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    this.#change(path, { uid, gid });
  }

  watch(): { close(): void } {
    // Nobody but the agent itself writes on a simulated machine.
    return { close: () => undefined };
  }

  #change(path: string, change: Partial<Node>): void {
    const resolved = this.#resolve(path, true);
    const node = this.#nodes.get(resolved);
    if (node === undefined) throw new MissingFileError(`No file ${path}`);
    this.#nodes.set(resolved, { ...node, ...change });
  }

  /** A path and all that lies below it, as far as it is there; folders before what they hold. */
  #below(path: string): string[] {
    const names = this.#names.get(path) ?? [];
    return [...(this.#nodes.has(path) ? [path] : []), ...[...names].flatMap((name) => this.#below(`${path}/${name}`))];
  }

  #set(path: string, node: Node): void {
    this.#nodes.set(path, node);
    const slash = path.lastIndexOf("/");
    const folder = path.slice(0, slash);
    const names = this.#names.get(folder);
    if (names === undefined) this.#names.set(folder, new Set([path.slice(slash + 1)]));
    else names.add(path.slice(slash + 1));
  }

  #drop(path: string): void {
    this.#nodes.delete(path);
    const slash = path.lastIndexOf("/");
    const names = this.#names.get(path.slice(0, slash));
    names?.delete(path.slice(slash + 1));
    if (names?.size === 0) this.#names.delete(path.slice(0, slash));
  }

  #put(path: string, node: Partial<Node>): void {
    this.#inodes += 1;
    const defaults = { kind: "file" as const, content: new Uint8Array(), target: "", mode: 0o644, uid: 0, gid: 0 };
    this.#set(path, { ...defaults, mtimeMs: this.#clock.now(), inode: this.#inodes, ...node });
  }

  /** Without `.`, `..` and symlinks; the last part's symlink only when asked. */
  #resolve(path: string, followLast: boolean): string {
    const parts: string[] = [];
    const rest = path
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .reverse();
    for (let steps = 0; rest.length > 0 && steps < 1000; steps += 1) {
      const part = rest.pop() ?? "";
      if (part === "..") {
        parts.pop();
        continue;
      }
      parts.push(part);
      const node = this.#nodes.get(`/${parts.join("/")}`);
      if (node?.kind !== "symlink" || (rest.length === 0 && !followLast)) continue;
      parts.pop();
      if (node.target.startsWith("/")) parts.length = 0;
      rest.push(
        ...node.target
          .split("/")
          .filter((piece) => piece !== "" && piece !== ".")
          .reverse(),
      );
    }
    return `/${parts.join("/")}`;
  }
}
