import { concatBytes } from "#base/bytes.ts";
import type { ByteSink, ByteStream, HttpBody, ValueLine } from "#world/http.ts";
import { limits } from "./limits.ts";

const decoder = new TextDecoder();

export function isByteStream(body: HttpBody): body is ByteStream {
  return "open" in body;
}

/** Reads a whole body as text; rejects when a stream breaks off or exceeds `answerBytesMax` bytes. */
export async function readText(body: HttpBody): Promise<string> {
  if (isByteStream(body)) return decoder.decode(joined(await collect(body)));
  return decoder.decode(body instanceof Uint8Array ? body : joined(body));
}

function collect(stream: ByteStream): Promise<readonly Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    stream.open({
      write(chunk) {
        length += chunk.length;
        if (length > limits.answerBytesMax) {
          stream.close();
          reject(new Error(`Cannot read the answer: it is longer than ${limits.answerBytesMax} bytes`));
          return false;
        }
        chunks.push(chunk);
        return true;
      },
      end: () => resolve(chunks),
      abort: reject,
    });
  });
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : concatBytes(chunks);
}

/**
 * A sink that calls `line` for each line of text as it arrives, without its newline, and `done` once: with an error when the
 * stream broke off or a line exceeds `watchLineBytesMax` bytes. Push style: nothing is awaited between chunk and line.
 * `value` takes lines that come as values.
 */
export function createLineSink(
  line: (text: string) => void,
  done: (error?: Error) => void,
  value?: (value: unknown) => void,
): ByteSink {
  let pending: Uint8Array[] = [];
  let pendingLength = 0;
  let finished = false;
  const finish = (error?: Error): void => {
    if (finished) return;
    finished = true;
    pending = [];
    done(error);
  };
  const flush = (tail: Uint8Array): void => {
    const bytes = pending.length === 0 ? tail : joined([...pending, tail]);
    pending = [];
    pendingLength = 0;
    if (bytes.length > 0) line(decoder.decode(bytes));
  };
  return {
    write(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(0x0a); end !== -1 && !finished; end = chunk.indexOf(0x0a, start)) {
        flush(chunk.subarray(start, end));
        start = end + 1;
      }
      if (start < chunk.length) {
        pending.push(chunk.subarray(start));
        pendingLength += chunk.length - start;
        if (pendingLength > limits.watchLineBytesMax) finish(new Error("Cannot read the watch: a line is too long"));
      }
      return !finished;
    },
    end() {
      if (pendingLength > 0 && !finished) flush(new Uint8Array(0));
      finish();
    },
    abort: finish,
    ...(value !== undefined && {
      line(given: ValueLine) {
        if (!finished) value(given.value);
        return !finished;
      },
    }),
  };
}
