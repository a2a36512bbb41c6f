import { messageBytesMax } from "./limits.ts";

/** A frame on the wire (RFC 6455, section 5.2), unmasked. */
export interface Frame {
  readonly opcode: Opcode;
  readonly isFinal: boolean;
  readonly payload: Uint8Array;
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
export type Opcode = number;

/** The peer broke the protocol; the connection must be closed with this code (RFC 6455, section 7.4.1). */
export interface FrameError {
  readonly code: 1002 | 1009;
  readonly message: string;
}

/** Cuts a byte stream into frames. Clients must mask, servers must not. */
export class FrameParser {
  #buffered: Uint8Array = new Uint8Array(0);
  readonly #expectMask: boolean;

  constructor(options: { readonly expectMask: boolean }) {
    this.#expectMask = options.expectMask;
  }

  /** All frames that are complete after these bytes, or what is wrong with them. */
  push(chunk: Uint8Array): { readonly frames: Frame[]; readonly error?: FrameError } {
    this.#buffered = this.#buffered.length === 0 ? chunk : concatenate(this.#buffered, chunk);
    const frames: Frame[] = [];
    let at = 0;
    for (;;) {
      const step = this.#parseAt(at);
      if (step === undefined) break;
      if ("code" in step) return { frames, error: step };
      frames.push(step.frame);
      at = step.next;
    }
    this.#buffered = this.#buffered.subarray(at);
    return { frames };
  }

  #parseAt(at: number): { frame: Frame; next: number } | FrameError | undefined {
    const bytes = this.#buffered;
    if (bytes.length - at < 2) return undefined;
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    const isMasked = (second & 0x80) !== 0;
    if ((first & 0x70) !== 0) return { code: 1002, message: "reserved bits are set and no extension was agreed on" };
    if (isMasked !== this.#expectMask)
      return { code: 1002, message: `frames must ${this.#expectMask ? "" : "not "}be masked` };
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let position = at + 2;
    let length = second & 0x7f;
    if (length === 126) {
      if (bytes.length - position < 2) return undefined;
      length = view.getUint16(position);
      position += 2;
    } else if (length === 127) {
      if (bytes.length - position < 8) return undefined;
      length = view.getUint32(position) * 2 ** 32 + view.getUint32(position + 4);
      position += 8;
    }
    if (length > messageBytesMax) return { code: 1009, message: `a frame of ${length} bytes is too big` };
    const opcode = first & 0x0f;
    if (opcode >= 8 && (length > 125 || (first & 0x80) === 0))
      return { code: 1002, message: "control frames are short and whole" };
    const maskAt = position;
    if (isMasked) position += 4;
    if (bytes.length - position < length) return undefined;
    // A copy: the buffer is reused, and unmasking must not touch what the socket gave us.
    const payload = bytes.slice(position, position + length);
    if (isMasked)
      for (let index = 0; index < length; index += 1)
        payload[index] = (payload[index] ?? 0) ^ (bytes[maskAt + (index & 3)] ?? 0);
    return { frame: { opcode, isFinal: (first & 0x80) !== 0, payload }, next: position + length };
  }
}

/** A server's frame: final, not masked. */
export function encodeFrame(opcode: Opcode, payload: Uint8Array): Uint8Array {
  const extra = payload.length < 126 ? 0 : payload.length < 65536 ? 2 : 8;
  const bytes = new Uint8Array(2 + extra + payload.length);
  bytes[0] = 0x80 | opcode;
  bytes[1] = extra === 0 ? payload.length : extra === 2 ? 126 : 127;
  const view = new DataView(bytes.buffer);
  if (extra === 2) view.setUint16(2, payload.length);
  if (extra === 8) view.setUint32(6, payload.length);
  bytes.set(payload, 2 + extra);
  return bytes;
}

export function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
