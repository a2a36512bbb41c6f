import type { Connection } from "#world/sockets.ts";
import { spdyFrameBytesMax, spdyStreamsMax } from "./limits.ts";
import { concatenate } from "./websocket-frames.ts";

export interface SpdyStreamEvents {
  data(payload: Uint8Array): void;
  /** The other side sends nothing more on this stream (it ended it or reset it). */
  end(): void;
}

export interface SpdyStream {
  /** False: the connection's buffer is full, wait for the client's `drain`. */
  write(payload: Uint8Array): boolean;
  /** Sends nothing more; the other side may go on. */
  end(): void;
}

const types = {
  synStream: 1,
  synReply: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
const finFlag = 1;
const encoder = new TextEncoder();
/**
 * The beginning of a zlib stream that names SPDY/3's dictionary (SPDY draft 3, section 2.6.10.1). Header blocks follow as stored
 * deflate blocks, which no inflater can tell from compressed ones: the protocol needs no compressor from us.
 */
const zlibStart = Uint8Array.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2);
/** An empty stored block: inflaters hand out what they hold when they meet it, and wait for no more bytes. */
const flush = Uint8Array.of(0, 0, 0, 0xff, 0xff);

/**
 * The client's end of a SPDY/3.1 connection, as far as container runtimes' streaming servers speak it: streams opened by us,
 * data both ways, resets, pings. Nothing of the other side's header blocks is needed, so they are not inflated.
 */
export class SpdyClient {
  readonly #connection: Connection;
  readonly #streams = new Map<number, SpdyStreamEvents>();
  #buffered: Uint8Array = new Uint8Array(0);
  #nextId = 1;
  #sentHeaders = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Begins to read. `closed` comes once, when the connection is gone; streams get no `end` for that. */
  start(events: { closed(): void; drain(): void }): void {
    this.#connection.start({
      data: (chunk) => this.#receive(chunk),
      end: () => this.#connection.end(),
      close: () => events.closed(),
      drain: () => events.drain(),
    });
  }

  open(headers: Readonly<Record<string, string>>, events: SpdyStreamEvents): SpdyStream {
    if (this.#streams.size >= spdyStreamsMax)
      throw new Error(`Cannot open a stream: ${spdyStreamsMax} are open already`);
    const id = this.#nextId;
    // Streams of the side that opened the connection have odd numbers.
    this.#nextId += 2;
    this.#streams.set(id, events);
    const block = this.#headerBlock(headers);
    const payload = new Uint8Array(10 + block.length);
    new DataView(payload.buffer).setUint32(0, id);
    payload.set(block, 10);
    this.#connection.write(controlFrame(types.synStream, 0, payload));
    return {
      write: (data) => this.#connection.write(dataFrame(id, 0, data)),
      end: () => void this.#connection.write(dataFrame(id, finFlag, new Uint8Array(0))),
    };
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Ends the connection after what was written. */
  end(): void {
    this.#connection.end();
  }

  #headerBlock(headers: Readonly<Record<string, string>>): Uint8Array {
    const parts: Uint8Array[] = [numberBytes(Object.keys(headers).length)];
    for (const [name, value] of Object.entries(headers)) {
      for (const text of [name.toLowerCase(), value]) {
        const bytes = encoder.encode(text);
        parts.push(numberBytes(bytes.length), bytes);
      }
    }
    const plain = parts.reduce(concatenate);
    const length = plain.length;
    const head = Uint8Array.of(0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255);
    const stored = [head, plain, flush].reduce(concatenate);
    const block = this.#sentHeaders ? stored : concatenate(zlibStart, stored);
    this.#sentHeaders = true;
    return block;
  }

  #receive(chunk: Uint8Array): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : concatenate(this.#buffered, chunk);
    let at = 0;
    while (this.#buffered.length - at >= 8) {
      const view = new DataView(this.#buffered.buffer, this.#buffered.byteOffset + at);
      const length = view.getUint32(4) & 0xffffff;
      if (length > spdyFrameBytesMax) {
        this.#connection.destroy(new Error(`SPDY frame of ${length} bytes is too big`));
        return;
      }
      if (this.#buffered.length - at < 8 + length) break;
      this.#take(view.getUint32(0), view.getUint8(4), this.#buffered.slice(at + 8, at + 8 + length));
      at += 8 + length;
    }
    this.#buffered = this.#buffered.subarray(at);
  }

  #take(head: number, flags: number, payload: Uint8Array): void {
    if (head < 0x80000000) {
      const stream = this.#streams.get(head);
      if (payload.length > 0) stream?.data(payload);
      if ((flags & finFlag) !== 0) this.#finish(head);
      return;
    }
    const type = head & 0xffff;
    if (type === types.ping) this.#connection.write(controlFrame(types.ping, 0, payload));
    else if (type === types.reset && payload.length >= 4) this.#finish(new DataView(payload.buffer).getUint32(0));
    else if (type === types.synReply && payload.length >= 4 && (flags & finFlag) !== 0)
      this.#finish(new DataView(payload.buffer).getUint32(0));
    // Settings, window updates and goodbyes change nothing for us: the servers at hand do not control flow.
  }

  #finish(id: number): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.end();
  }
}

function controlFrame(type: number, flags: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint16(0, 0x8003);
  view.setUint16(2, type);
  view.setUint32(4, payload.length);
  view.setUint8(4, flags);
  frame.set(payload, 8);
  return frame;
}

function dataFrame(id: number, flags: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, id);
  view.setUint32(4, payload.length);
  view.setUint8(4, flags);
  frame.set(payload, 8);
  return frame;
}

function numberBytes(value: number): Uint8Array {
  return Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}
