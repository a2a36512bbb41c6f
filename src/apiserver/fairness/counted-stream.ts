import type { ByteSink, ByteStream } from "#world/http.ts";

/** A body that counts what it sends, and tells when it is over, however it ends. */
export class CountedStream implements ByteStream {
  readonly #inner: ByteStream;
  #ended: ((bytes: number) => void) | undefined;
  #bytes = 0;

  constructor(inner: ByteStream, ended: (bytes: number) => void) {
    this.#inner = inner;
    this.#ended = ended;
  }

  open(sink: ByteSink): void {
    this.#inner.open({
      ...(sink.returnsMemory === true && { returnsMemory: true }),
      write: (chunk) => {
        this.#bytes += chunk.length;
        return sink.write(chunk);
      },
      end: () => {
        this.#end();
        sink.end();
      },
      abort: (error) => {
        this.#end();
        sink.abort(error);
      },
    });
  }

  drained(): void {
    this.#inner.drained();
  }

  close(): void {
    this.#end();
    this.#inner.close();
  }

  #end(): void {
    this.#ended?.(this.#bytes);
    this.#ended = undefined;
  }
}
