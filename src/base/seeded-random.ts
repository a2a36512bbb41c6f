import { hexOf } from "./bytes.ts";
/**
 * A deterministic generator (xoshiro128**, Blackman and Vigna 2018), fast and of good quality, not for secrets. Streams are
 * split by name, so that a new actor does not disturb the numbers of the others.
 */
export class SeededRandom {
  readonly #state: Uint32Array;
  readonly #seed: string;

  constructor(seed: string) {
    this.#seed = seed;
    this.#state = new Uint32Array(4);
    let hash = hashText(seed);
    for (let index = 0; index < 4; index += 1) {
      hash = mix(hash + 0x9e3779b9);
      this.#state[index] = hash;
    }
    // All zeros would stay zeros for ever.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** An independent stream for one actor. The same name gives the same stream. */
  split(name: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${name}`);
  }

  /** An unsigned 32-bit number. */
  next(): number {
    const state = this.#state;
    let [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
    return result;
  }

  /** A float in [0, 1). */
  float(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.float() * limit);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** With the given probability what `make` draws, from a stream of its own: whether it does disturbs no other draw. */
  maybe<T>(name: string, probability: number, make: (own: SeededRandom) => T): T | undefined {
    const own = this.split(name);
    return own.chance(probability) ? make(own) : undefined;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("Cannot pick from an empty list");
    return item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next() & 255);
  }

  /** A version 4 UUID. */
  uuid(): string {
    const bytes = this.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = hexOf(bytes);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}

function rotate(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}

/** MurmurHash3's finalizer: every input bit changes about half of the output bits. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** FNV-1a over the text's UTF-16 units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
