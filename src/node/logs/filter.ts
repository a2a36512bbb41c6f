/** What a reader of a log wants. */
export interface LogOptions {
  readonly follow: boolean;
  /** Undefined: all. */
  readonly tailLines?: number | undefined;
  /** Milliseconds since 1970; earlier lines are left out. */
  readonly sinceMs?: number | undefined;
  readonly timestamps: boolean;
  readonly limitBytes?: number | undefined;
  readonly stream: "All" | "Stdout" | "Stderr";
}

const space = 32;
const newline = 10;
const capitalP = 80;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Turns the bytes of a CRI log file into what the container wrote, piece by piece: whole entries only, the rest of a piece
 * waits for the next. Pure but for its own memory.
 */
export class LogFilter {
  readonly #options: LogOptions;
  #rest: Uint8Array = new Uint8Array(0);
  #left: number;
  #lineBegins = true;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Nothing more will come out. */
  get full(): boolean {
    return this.#left <= 0;
  }

  /** Output for one piece of the file. */
  push(piece: Uint8Array): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? piece : join(this.#rest, piece);
    const output: Uint8Array[] = [];
    let begin = 0;
    for (let end = bytes.indexOf(newline, begin); end >= 0 && !this.full; end = bytes.indexOf(newline, begin)) {
      this.#entry(bytes.subarray(begin, end + 1), output);
      begin = end + 1;
    }
    this.#rest = bytes.slice(begin);
    return output;
  }

  /** Another file follows: half an entry of the last one is lost. */
  reset(): void {
    this.#rest = new Uint8Array(0);
  }

  #entry(entry: Uint8Array, output: Uint8Array[]): void {
    const timeEnd = entry.indexOf(space);
    const streamEnd = entry.indexOf(space, timeEnd + 1);
    if (timeEnd < 0 || streamEnd < 0) return;
    const tagEnd = entry.indexOf(space, streamEnd + 1);
    const contentAt = tagEnd < 0 ? entry.length - 1 : tagEnd + 1;
    const partial = entry[streamEnd + 1] === capitalP;
    const { sinceMs, stream, timestamps } = this.#options;
    const time = sinceMs !== undefined || timestamps ? decoder.decode(entry.subarray(0, timeEnd)) : "";
    if (sinceMs !== undefined && Date.parse(time) < sinceMs) return;
    // `stdout` and `stderr` differ in their fourth letter.
    if (stream !== "All" && (entry[timeEnd + 4] === 111) !== (stream === "Stdout")) return;
    if (timestamps && this.#lineBegins) this.#emit(encoder.encode(`${time} `), output);
    this.#emit(entry.subarray(contentAt, partial ? entry.length - 1 : entry.length), output);
    this.#lineBegins = !partial;
  }

  #emit(bytes: Uint8Array, output: Uint8Array[]): void {
    const cut = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= cut.length;
    if (cut.length > 0) output.push(cut);
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
