import type { Clock, Timers } from "#world/clock.ts";
import type { Connection, Sockets } from "#world/sockets.ts";
import { mirrorAnswerBytesMax, mirrorAnswerHeadBytesMax, mirrorAnswerMs, mirrorConnectMs } from "./limits.ts";

/** What a server answered to a copy: its status and milliseconds until then, or why there is none. */
export type CopyAnswer =
  | { readonly status: number; readonly answerMs: number }
  | { readonly status: undefined; readonly fault: string };

export interface SendCopyOptions {
  readonly sockets: Sockets;
  readonly timers: Timers;
  readonly clock: Clock;
}

/**
 * Sends one copy on a connection of its own and throws the answer away, all but its status. The answer is read to its end, within
 * bounds, so that the server sees an ordinary client. Never rejects; `abort` gives it up without an answer.
 */
export function sendCopy(
  options: SendCopyOptions,
  to: { readonly address: string; readonly port: number },
  bytes: Uint8Array,
): { readonly answer: Promise<CopyAnswer | undefined>; abort(): void } {
  const { clock, timers } = options;
  const { promise, resolve } = Promise.withResolvers<CopyAnswer | undefined>();
  const begunMs = clock.monotonic();
  const reading = new AnswerReading();
  let connection: Connection | undefined;
  let isOver = false;
  const finish = (answer: CopyAnswer | undefined): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    connection?.destroy();
    resolve(answer);
  };
  const told = (fault: string): CopyAnswer => reading.answer ?? { status: undefined, fault };
  const timer = timers.after(mirrorAnswerMs, () => finish(told(`no answer within ${mirrorAnswerMs / 1000} s`)));
  const read = (chunk: Uint8Array): void => {
    reading.add(chunk, clock.monotonic() - begunMs);
    if (reading.fault !== undefined) finish(told(reading.fault));
    else if (reading.bytes > mirrorAnswerBytesMax) finish(told("an answer without an end"));
  };
  options.sockets.connect({ host: to.address, port: to.port }, mirrorConnectMs).then(
    (opened) => {
      connection = opened;
      if (isOver) return opened.destroy();
      opened.start({
        data: read,
        end: () => finish(told("the connection ended without an answer")),
        close: () => finish(told("the connection broke without an answer")),
        drain: () => undefined,
      });
      opened.write(bytes);
    },
    () => finish(told("no connection")),
  );
  return { answer: promise, abort: () => finish(undefined) };
}

/** Finds the status in the bytes of an answer. */
class AnswerReading {
  answer: { readonly status: number; readonly answerMs: number } | undefined;
  fault: string | undefined;
  bytes = 0;
  #head = "";

  add(chunk: Uint8Array, atMs: number): void {
    this.bytes += chunk.length;
    if (this.answer !== undefined || this.fault !== undefined) return;
    this.#head += String.fromCharCode(...chunk.subarray(0, mirrorAnswerHeadBytesMax));
    // Interim answers (100, 103) come before the one that counts.
    for (;;) {
      const found = /^HTTP\/1\.[01] ([1-9]\d\d)[ \r]/.exec(this.#head);
      if (found === null) {
        if (this.#head.length >= 13) this.fault = "no answer of HTTP";
        return;
      }
      const status = Number(found[1]);
      if (status >= 200) {
        this.answer = { status, answerMs: atMs };
        this.#head = "";
        return;
      }
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) {
        if (this.#head.length > mirrorAnswerHeadBytesMax) this.fault = "no answer of HTTP";
        return;
      }
      this.#head = this.#head.slice(end + 4);
    }
  }
}
