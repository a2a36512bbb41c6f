import { concatBytes } from "#base/bytes.ts";

/**
 * The little of ASN.1's distinguished encoding rules that certificates need. Lengths are definite; nothing is copied when
 * reading. Everything read comes from strangers: each reader checks its bounds and throws `DerError`.
 */

export class DerError extends Error {
  override readonly name = "DerError";
}

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: its tag, its content and its whole encoding, as views of the input. */
export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

export function encode(elementTag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = length < 0x80 ? [elementTag, length] : [elementTag, ...longLength(length)];
  return concatBytes([Uint8Array.from(header), ...parts]);
}

function longLength(length: number): number[] {
  const bytes: number[] = [];
  for (let rest = length; rest !== 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 0xff);
  return [0x80 | bytes.length, ...bytes];
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(tag.sequence, ...parts);
}

/** A context-specific constructed element, `[number] { ... }`. */
export function context(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return encode(0xa0 | number, ...parts);
}

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  const first = trimmed[0];
  if (first === undefined) return encode(tag.integer, new Uint8Array(1));
  return first < 0x80 ? encode(tag.integer, trimmed) : encode(tag.integer, new Uint8Array(1), trimmed);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return encode(tag.bitString, Uint8Array.of(unusedBits), bytes);
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return encode(tag.octetString, bytes);
}

export function boolean(value: boolean): Uint8Array {
  return encode(tag.boolean, Uint8Array.of(value ? 0xff : 0));
}

export function oid(dotted: string): Uint8Array {
  const numbers = dotted.split(".").map(Number);
  const bytes: number[] = [];
  const packed = [(numbers[0] ?? 0) * 40 + (numbers[1] ?? 0), ...numbers.slice(2)];
  for (const number of packed) {
    const group = [number & 0x7f];
    for (let rest = number >>> 7; rest !== 0; rest >>>= 7) group.unshift((rest & 0x7f) | 0x80);
    bytes.push(...group);
  }
  return encode(tag.oid, Uint8Array.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime after, as RFC 5280 asks. Whole seconds. */
export function time(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "") + "Z";
  const year = Number(text.slice(0, 4));
  if (1950 <= year && year < 2050) return encode(tag.utcTime, asciiBytes(text.slice(2)));
  return encode(tag.generalizedTime, asciiBytes(text));
}

export function text(elementTag: number, value: string): Uint8Array {
  return encode(elementTag, new TextEncoder().encode(value));
}

function asciiBytes(value: string): Uint8Array {
  return Uint8Array.from(value, (char) => char.charCodeAt(0));
}

/** Reads elements one after the other out of `bytes`. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  next(expected?: number): Element {
    const start = this.#at;
    const elementTag = this.#byte();
    if ((elementTag & 0x1f) === 0x1f) throw new DerError("Cannot read element: tag has several bytes");
    if (expected !== undefined && elementTag !== expected) {
      throw new DerError(`Cannot read element: tag is ${elementTag} instead of ${expected}`);
    }
    const length = this.#length();
    const from = this.#at;
    if (this.#bytes.length - from < length) throw new DerError("Cannot read element: it ends after its container");
    this.#at = from + length;
    return {
      tag: elementTag,
      content: this.#bytes.subarray(from, this.#at),
      whole: this.#bytes.subarray(start, this.#at),
    };
  }

  /** The next element when it has this tag. */
  optional(elementTag: number): Element | undefined {
    return this.nextTag === elementTag ? this.next() : undefined;
  }

  inside(expected: number): DerReader {
    return new DerReader(this.next(expected).content);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new DerError("Cannot read element: input is cut off");
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || 4 < count) throw new DerError("Cannot read element: length is indefinite or too long");
    let length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + this.#byte();
    return length;
  }
}

export function readOid(content: Uint8Array): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (Number.MAX_SAFE_INTEGER / 128 < value)
      throw new DerError("Cannot read object identifier: a number is too large");
    if (byte < 0x80) {
      numbers.push(value);
      value = 0;
    }
  }
  const first = numbers[0];
  if (first === undefined) throw new DerError("Cannot read object identifier: it is empty");
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...numbers.slice(1)].join(".");
}

/** Text of any of the string types that names are written in. */
export function readText(element: Element): string {
  switch (element.tag) {
    case tag.bmpString:
      return new TextDecoder("utf-16be", { fatal: true }).decode(element.content);
    case tag.teletexString:
      return Array.from(element.content, (byte) => String.fromCharCode(byte)).join("");
    case tag.universalString:
      throw new DerError("Cannot read text: UniversalString is not supported");
    default:
      return new TextDecoder("utf-8", { fatal: true }).decode(element.content);
  }
}

/** Milliseconds since 1970. */
export function readTime(element: Element): number {
  const written = Array.from(element.content, (byte) => String.fromCharCode(byte)).join("");
  const short = element.tag === tag.utcTime;
  const match = (short ? /^(\d{2})(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/).exec(written);
  if (match === null) throw new DerError("Cannot read time: it is not in the form of RFC 5280");
  const yearPart = Number(match[1]);
  const year = short ? yearPart + (yearPart < 50 ? 2000 : 1900) : yearPart;
  const part = (index: number): number => Number(match[2]?.slice(index * 2, index * 2 + 2));
  return Date.UTC(year, part(0) - 1, part(1), part(2), part(3), part(4));
}

/** The bytes of a bit string whose length is a multiple of eight bits. */
export function readBits(content: Uint8Array): Uint8Array {
  if (content[0] !== 0) throw new DerError("Cannot read bit string: it does not end at a byte");
  return content.subarray(1);
}
