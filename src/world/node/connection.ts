import type { Duplex } from "node:stream";
import type { Connection, ConnectionEvents } from "../sockets.ts";

/** A `Connection` over one of Node's streams: a TCP, Unix or TLS socket, or an HTTP/1.1 connection after an upgrade. */
export class StreamConnection implements Connection {
  readonly #stream: Duplex;
  #error: Error | undefined;

  /** `head`: bytes that were read from the stream before it was handed over. */
  constructor(stream: Duplex, head?: Uint8Array) {
    this.#stream = stream;
    stream.pause();
    if (head !== undefined && head.length > 0) stream.unshift(head);
    // Without a listener an early reset would end the process.
    stream.on("error", (error) => {
      this.#error = error;
    });
  }

  start(events: ConnectionEvents): void {
    const stream = this.#stream;
    if (stream.destroyed) {
      setImmediate(() => events.close(this.#error));
      return;
    }
    stream.on("data", (chunk: Uint8Array) => events.data(chunk));
    stream.on("end", () => events.end());
    stream.on("drain", () => events.drain());
    stream.on("close", () => events.close(this.#error));
    stream.resume();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#stream.destroyed || this.#stream.writableEnded) return true;
    return this.#stream.write(chunk);
  }

  end(): void {
    this.#stream.end();
  }

  destroy(error?: Error): void {
    if (error !== undefined) this.#error = error;
    this.#stream.destroy();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }
}
