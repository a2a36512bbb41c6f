/**
 * What happened, folded into one number: every request, answer and delivered event in order. The same seed gives the same hash;
 * a difference means that something outside of the seed had a say.
 */
export class Trace {
  #high = 0x811c9dc5;
  #low = 0x9dc5811c;
  #entries = 0;
  readonly #keep: number;
  readonly #recent: string[] = [];
  readonly #tell: ((entry: string) => void) | undefined;

  /** `keep`: how many of the newest entries stay readable, for the report of a failure; `tell` gets each. */
  constructor(keep: number, tell?: (entry: string) => void) {
    this.#keep = keep;
    this.#tell = tell;
  }

  get entries(): number {
    return this.#entries;
  }

  add(entry: string): void {
    this.#entries += 1;
    this.#tell?.(entry);
    for (let index = 0; index < entry.length; index += 1) {
      const unit = entry.charCodeAt(index);
      this.#high = Math.imul(this.#high ^ unit, 0x01000193);
      this.#low = Math.imul(this.#low ^ unit ^ (this.#high >>> 15), 0x01000193);
    }
    if (this.#keep === 0) return;
    this.#recent.push(entry);
    if (this.#recent.length > 2 * this.#keep) this.#recent.splice(0, this.#keep);
  }

  addBytes(head: string, bytes: Uint8Array): void {
    let hash = 0x811c9dc5;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
    this.add(`${head} ${bytes.length} ${(hash >>> 0).toString(16)}`);
  }

  /** Sixteen hexadecimal digits. */
  hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  recent(): readonly string[] {
    return this.#recent.slice(-this.#keep);
  }
}
