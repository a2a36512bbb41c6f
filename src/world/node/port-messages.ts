import { concatBytes } from "#base/bytes.ts";
import type { MessagePort, Worker } from "node:worker_threads";
import type { Headers } from "../http.ts";

/** Either end of a pair of threads. */
export type Port = Pick<MessagePort | Worker, "on" | "postMessage">;

/** Bytes of a message: a part of its batch's bytes. */
export interface Part {
  readonly offset: number;
  readonly length: number;
}

/** What threads say to each other about exchanges; `id` is the asking side's. */
export type PortMessage =
  | {
      readonly kind: "request";
      readonly id: number;
      /** As whom, in words that both sides agreed on. */
      readonly as: string;
      readonly method: string;
      readonly target: string;
      readonly headers: Headers;
      readonly body: Part;
    }
  | {
      readonly kind: "response";
      readonly id: number;
      readonly status: number;
      readonly headers: Headers;
      /** Undefined: the body comes in chunks. */
      readonly body: Part | undefined;
    }
  | { readonly kind: "refused"; readonly id: number; readonly message: string }
  | { readonly kind: "chunk"; readonly id: number; readonly body: Part }
  | { readonly kind: "end"; readonly id: number }
  | { readonly kind: "abort"; readonly id: number; readonly message: string }
  /** The reader has taken so many bytes of a stream. */
  | { readonly kind: "taken"; readonly id: number; readonly bytes: number }
  /** The reader wants no more of a stream. */
  | { readonly kind: "close"; readonly id: number };

interface Batch {
  readonly messages: readonly PortMessage[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Messages of one turn of the event loop go over together: their bytes as one array that is handed over, not copied again. (A
 * view of a larger buffer would be copied with the whole buffer.)
 */
export class Outbox {
  readonly #port: Port;
  #messages: PortMessage[] = [];
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(port: Port) {
    this.#port = port;
  }

  /** Takes bytes into the batch that is being made. They must not change until the turn ends. */
  part(bytes: Uint8Array): Part {
    const part = { offset: this.#length, length: bytes.length };
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return part;
  }

  /** The same for bytes in pieces. */
  parts(pieces: readonly Uint8Array[]): Part {
    const offset = this.#length;
    for (const piece of pieces) this.part(piece);
    return { offset, length: this.#length - offset };
  }

  add(message: PortMessage): void {
    if (this.#messages.length === 0) setImmediate(() => this.#send());
    this.#messages.push(message);
  }

  #send(): void {
    const bytes = concatBytes(this.#parts);
    const batch: Batch = { messages: this.#messages, bytes };
    this.#messages = [];
    this.#parts = [];
    this.#length = 0;
    this.#port.postMessage(batch, [bytes.buffer]);
  }
}

/** Calls back for each message of the other side, in order. What is no batch of messages is left to others. */
export function onMessages(
  port: Port,
  receive: (message: PortMessage, bytesOf: (part: Part) => Uint8Array) => void,
): void {
  port.on("message", (value: unknown) => {
    if (!isBatch(value)) return;
    const bytesOf = ({ offset, length }: Part): Uint8Array => value.bytes.subarray(offset, offset + length);
    for (const message of value.messages) receive(message, bytesOf);
  });
}

function isBatch(value: unknown): value is Batch {
  return typeof value === "object" && value !== null && "messages" in value && "bytes" in value;
}
