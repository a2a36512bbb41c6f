import type { Timers } from "#world/clock.ts";
import type { Connection, Sockets } from "#world/sockets.ts";
import { answerBytesMax, commandTimeoutMs, followedLineMax } from "./limits.ts";

/** HAProxy did not do what it was told, or did not answer. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
}

/** The number of the process that gave this answer to `show info`; "" when it is no such answer. */
export function pidOf(info: string): string {
  return /^Pid: (\d+)$/m.exec(info)?.[1] ?? "";
}

export interface RuntimeOptions {
  readonly sockets: Sockets;
  readonly timers: Timers;
  /** Path of HAProxy's stats socket. */
  readonly path: string;
}

/** HAProxy's runtime API. One connection for each command: an answer ends where the connection does. */
export class Runtime {
  readonly #options: RuntimeOptions;

  constructor(options: RuntimeOptions) {
    this.#options = options;
  }

  /** The same for another socket. */
  at(path: string): Runtime {
    return new Runtime({ ...this.#options, path });
  }

  /** The answer to a command; `payload` is what follows `<<`. Rejects with `RuntimeError`. */
  async command(line: string, payload?: string): Promise<string> {
    if (/[\n\r;\\\0]/.test(line)) throw new Error(`Cannot send ${JSON.stringify(line.slice(0, 200))} as one command`);
    if (payload !== undefined && /\n\n|\0|\r/.test(payload))
      throw new Error("Cannot send a payload with an empty line");
    const text = payload === undefined ? `${line}\n` : `${line} <<\n${payload}${payload.endsWith("\n") ? "" : "\n"}\n`;
    const answer = await this.#exchange(text).catch((error: unknown) => {
      throw new RuntimeError(`Cannot ask HAProxy "${line}": ${String(error)}`);
    });
    return answer.trim();
  }

  /** Sends a command and checks that its answer says success: `expected` empty means that success is silent. */
  async expect(expected: RegExp | "", line: string, payload?: string): Promise<void> {
    const answer = await this.command(line, payload);
    const isFine = expected === "" ? answer === "" : expected.test(answer);
    if (!isFine) throw new RuntimeError(`HAProxy refused "${line}": ${answer.slice(0, 500)}`);
  }

  /** Calls `gone` once when the process behind the socket ends. Rejects when it does not answer now. */
  async whenGone(gone: () => void): Promise<{ close(): void }> {
    const { sockets, path } = this.#options;
    const connection = await sockets.connect({ path }, commandTimeoutMs);
    let closed = false;
    connection.start({
      data: () => undefined,
      end: () => connection.destroy(),
      close: () => {
        if (!closed) gone();
      },
      drain: () => undefined,
    });
    connection.write(new TextEncoder().encode("prompt\n"));
    return {
      close: () => {
        closed = true;
        connection.destroy();
      },
    };
  }

  /**
   * Calls `line` for each line that a command goes on to answer, until closed or `gone`: at most `followedLineMax` characters,
   * what is longer is dropped. Nothing waits for us: the lines are of one byte a character.
   */
  follow(command: string, line: (text: string) => void, gone: () => void): { close(): void } {
    const { sockets, path } = this.#options;
    let opened: Connection | undefined;
    let closed = false;
    let rest = "";
    const end = (): void => {
      if (!closed) gone();
      closed = true;
    };
    const read = (chunk: Uint8Array): void => {
      const lines = (rest + latin1(chunk)).split("\n");
      rest = lines.pop() ?? "";
      if (followedLineMax < rest.length) rest = "";
      for (const text of lines) if (!closed && text !== "") line(text);
    };
    sockets.connect({ path }, commandTimeoutMs).then((connection) => {
      opened = connection;
      if (closed) return connection.destroy();
      connection.start({ data: read, end: () => connection.destroy(), close: end, drain: () => undefined });
      connection.write(new TextEncoder().encode(`${command}\n`));
    }, end);
    return {
      close: () => {
        closed = true;
        opened?.destroy();
      },
    };
  }

  async #exchange(text: string): Promise<string> {
    const { sockets, timers, path } = this.#options;
    const connection: Connection = await sockets.connect({ path }, commandTimeoutMs);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const decoder = new TextDecoder();
    let answer = "";
    const timer = timers.after(commandTimeoutMs, () => reject(new Error(`no answer within ${commandTimeoutMs} ms`)));
    connection.start({
      data: (chunk) => {
        answer += decoder.decode(chunk, { stream: true });
        if (answerBytesMax < answer.length) reject(new Error(`the answer is longer than ${answerBytesMax} bytes`));
      },
      end: () => resolve(answer),
      close: (error) => (error === undefined ? resolve(answer) : reject(error)),
      drain: () => undefined,
    });
    connection.write(new TextEncoder().encode(text));
    try {
      return await promise;
    } finally {
      timer.cancel();
      connection.destroy();
    }
  }
}

const latin1Decoder = new TextDecoder("latin1");

function latin1(bytes: Uint8Array): string {
  return latin1Decoder.decode(bytes);
}
