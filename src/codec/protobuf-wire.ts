import { encodeBase64 } from "./base64.ts";

/** Something in the bytes is not protobuf; the message is meant for clients. */
export class ProtobufError extends Error {
  override readonly name = "ProtobufError";
}

/** `k8s` and a zero byte: what every body starts with. */
export const magic = [0x6b, 0x38, 0x73, 0x00] as const;

/** True when the bytes carry the envelope's prefix. */
export function isProtobuf(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads one message's fields from a range of bytes. */
export class WireReader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private at: number;
  /** Of the field last announced by `next`. */
  number = 0;
  wireType = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const key = this.smallVarint();
    this.number = Math.floor(key / 8);
    this.wireType = key % 8;
    if (this.number < 1) throw new ProtobufError(`proto: illegal tag ${this.number} (wire type ${this.wireType})`);
    return true;
  }

  /** A varint as an unsigned number, which must fit 53 bits. */
  private smallVarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new ProtobufError("proto: integer overflow");
  }

  private byte(): number {
    if (this.at >= this.end) throw new ProtobufError("unexpected EOF");
    const byte = this.bytes[this.at] as number;
    this.at += 1;
    return byte;
  }

  /** A signed 64-bit varint: exact, as a bigint beyond 2^53. */
  int64(): number | bigint {
    this.expect(0);
    const start = this.at;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 7; i += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    this.at = start;
    let exact = 0n;
    for (let i = 0n; i < 10n; i += 1n) {
      const byte = this.byte();
      exact |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) {
        const signed = BigInt.asIntN(64, exact);
        return signed <= BigInt(Number.MAX_SAFE_INTEGER) && signed >= BigInt(Number.MIN_SAFE_INTEGER)
          ? Number(signed)
          : signed;
      }
    }
    throw new ProtobufError("proto: integer overflow");
  }

  int32(): number {
    return Number(this.int64()) | 0;
  }

  double(): number {
    this.expect(1);
    if (this.end - this.at < 8) throw new ProtobufError("unexpected EOF");
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8);
    this.at += 8;
    return view.getFloat64(0, true);
  }

  /** The range of a length-delimited field. */
  private range(): { start: number; end: number } {
    this.expect(2);
    const length = this.smallVarint();
    const start = this.at;
    if (length > this.end - start) throw new ProtobufError("unexpected EOF");
    this.at = start + length;
    return { start, end: this.at };
  }

  message(): WireReader {
    const { start, end } = this.range();
    return new WireReader(this.bytes, start, end);
  }

  raw(): Uint8Array {
    const { start, end } = this.range();
    return this.bytes.subarray(start, end);
  }

  string(): string {
    const { start, end } = this.range();
    if (end - start > 24) return utf8.decode(this.bytes.subarray(start, end));
    // Short ASCII, the usual case, without the cost of a call into the decoder.
    let text = "";
    for (let i = start; i < end; i += 1) {
      const byte = this.bytes[i] as number;
      if (byte >= 0x80) return utf8.decode(this.bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  base64(): string {
    return encodeBase64(this.raw());
  }

  /** Passes over the field last announced. */
  skip(): void {
    if (this.wireType === 0) this.int64();
    else if (this.wireType === 1) this.advance(8);
    else if (this.wireType === 2) this.range();
    else if (this.wireType === 5) this.advance(4);
    else throw new ProtobufError(`proto: illegal wireType ${this.wireType}`);
  }

  private advance(count: number): void {
    if (this.end - this.at < count) throw new ProtobufError("unexpected EOF");
    this.at += count;
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType)
      throw new ProtobufError(`proto: wrong wireType = ${this.wireType} for field ${this.number}`);
  }

  /** For packed lists: treats what follows as bare values of `wireType`. */
  packed(wireType: number): WireReader {
    const inner = this.message();
    inner.wireType = wireType;
    return inner;
  }
  get atEnd(): boolean {
    return this.at >= this.end;
  }
}

/** Writes messages from their end to their beginning: lengths are known when they are needed. */
export class WireWriter {
  private bytes = new Uint8Array(4096);
  private at = 4096;

  /** Bytes written so far. */
  get length(): number {
    return this.bytes.length - this.at;
  }

  finish(): Uint8Array {
    return this.bytes.slice(this.at);
  }

  private room(count: number): void {
    if (this.at >= count) return;
    const used = this.length;
    let size = this.bytes.length * 2;
    while (size - used < count) size *= 2;
    const larger = new Uint8Array(size);
    larger.set(this.bytes.subarray(this.at), size - used);
    this.bytes = larger;
    this.at = size - used;
  }

  varint(value: number): void {
    const count = value < 128 ? 1 : Math.floor(Math.log2(value) / 7) + 1;
    this.room(count + 1);
    // Division, since shifts would cut values to 32 bits.
    const parts: number[] = [];
    let rest = value;
    while (rest >= 128) {
      parts.push((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    parts.push(rest);
    this.at -= parts.length;
    for (let i = 0; i < parts.length; i += 1) this.bytes[this.at + i] = parts[i] as number;
  }

  int64(value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) {
      this.varint(value);
      return;
    }
    const parts: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 128n) {
      parts.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    parts.push(Number(rest));
    this.room(parts.length);
    this.at -= parts.length;
    this.bytes.set(parts, this.at);
  }

  double(value: number): void {
    this.room(8);
    this.at -= 8;
    new DataView(this.bytes.buffer, this.at, 8).setFloat64(0, value, true);
  }

  raw(value: Uint8Array): void {
    this.room(value.length);
    this.at -= value.length;
    this.bytes.set(value, this.at);
  }

  key(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  /** A length-delimited field around what has been written since the length was `before`. */
  close(number: number, before: number): void {
    this.varint(this.length - before);
    this.key(number, 2);
  }

  bytesField(number: number, value: Uint8Array): void {
    const before = this.length;
    this.raw(value);
    this.close(number, before);
  }

  string(number: number, value: string): void {
    const before = this.length;
    if (!this.shortAscii(value)) this.raw(encoder.encode(value));
    this.close(number, before);
  }

  private shortAscii(value: string): boolean {
    if (value.length > 32) return false;
    this.room(value.length);
    const start = this.at - value.length;
    for (let i = 0; i < value.length; i += 1) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      this.bytes[start + i] = code;
    }
    this.at = start;
    return true;
  }
}
