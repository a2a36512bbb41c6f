import type { Clock, Timers } from "#world/clock.ts";
import type { ByteSink, ByteStream, HttpRequest, HttpResponse, Transport, ValueLine } from "#world/http.ts";
import { inProcessBacklogBytesMax, inProcessPiecesPerTurn, sliceMs } from "./limits.ts";

/**
 * Direct calls; once in a slice of time an answer waits for a macrotask, so that a chain of them cannot starve others. What
 * watches bring comes in turns of its own: a group of commits reaches hundreds of readers of this process.
 */
export function inProcessTransport(
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
  answer: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
): Transport {
  let sliceEnd = clock.monotonic() + sliceMs;
  return {
    async send(request) {
      if (sliceEnd <= clock.monotonic()) {
        await timers.yield();
        sliceEnd = clock.monotonic() + sliceMs;
      }
      const response = await answer(request);
      if (!("open" in response.body)) return response;
      return { ...response, body: new StreamInTurns(response.body, timers) };
    },
  };
}

/** Hands a stream on some pieces a turn, in order. */
class StreamInTurns implements ByteStream {
  readonly #inner: ByteStream;
  readonly #timers: Timers;
  #waiting: (Uint8Array | ValueLine)[] = [];
  #bytes = 0;
  #isFull = false;
  #sinkIsFull = false;
  #isPlanned = false;
  #isOver = false;
  #last: ((sink: ByteSink) => void) | undefined;
  #sink: ByteSink | undefined;

  constructor(inner: ByteStream, timers: Timers) {
    this.#inner = inner;
    this.#timers = timers;
  }

  open(sink: ByteSink): void {
    this.#sink = sink;
    const take = (piece: Uint8Array | ValueLine): boolean => {
      this.#waiting.push(piece);
      this.#bytes += piece.length;
      this.#plan();
      this.#isFull = inProcessBacklogBytesMax <= this.#bytes;
      return !this.#isFull;
    };
    this.#inner.open({
      write: take,
      ...(sink.line !== undefined && { line: take }),
      end: () => this.#end((reader) => reader.end()),
      abort: (error) => this.#end((reader) => reader.abort(error)),
    });
  }

  drained(): void {
    this.#sinkIsFull = false;
    this.#plan();
  }

  close(): void {
    const hasEnded = this.#last !== undefined;
    this.#isOver = true;
    this.#waiting = [];
    if (!hasEnded) this.#inner.close();
  }

  #end(last: (sink: ByteSink) => void): void {
    this.#last = last;
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned || this.#isOver || this.#sinkIsFull) return;
    this.#isPlanned = true;
    this.#timers.soon(() => this.#turn());
  }

  #turn(): void {
    this.#isPlanned = false;
    const sink = this.#sink;
    if (this.#isOver || sink === undefined) return;
    for (let handed = 0; handed < inProcessPiecesPerTurn && !this.#isOver && !this.#sinkIsFull; handed++) {
      const piece = this.#waiting.shift();
      if (piece === undefined) break;
      this.#bytes -= piece.length;
      this.#sinkIsFull = !(piece instanceof Uint8Array ? sink.write(piece) : sink.line!(piece));
    }
    if (this.#isOver) return;
    if (this.#waiting.length > 0) this.#plan();
    else if (this.#last !== undefined) {
      this.#isOver = true;
      this.#last(sink);
    } else if (this.#isFull) {
      this.#isFull = false;
      this.#inner.drained();
    }
  }
}
