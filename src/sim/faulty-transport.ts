import type { SeededRandom } from "#base/seeded-random.ts";
import type { Timers } from "#world/clock.ts";
import type { ByteSink, ByteStream, HttpRequest, HttpResponse, Transport } from "#world/http.ts";
import type { Trace } from "./trace.ts";

/** How bad the network between two processes is. Probabilities are per request or per delivered chunk. */
export interface NetworkFaults {
  readonly latencyMsMax: number;
  readonly lostRequest: number;
  /** The server did it, and nobody learns of it. */
  readonly lostAnswer: number;
  readonly brokenStream: number;
  readonly delayedChunk: number;
  readonly chunkDelayMsMax: number;
}

export const calmNetwork: NetworkFaults = {
  latencyMsMax: 2,
  lostRequest: 0,
  lostAnswer: 0,
  brokenStream: 0,
  delayedChunk: 0,
  chunkDelayMsMax: 0,
};

export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}

/** The way from one process to the server, which may be down, slow, or lose what it carries. */
export class FaultyTransport implements Transport {
  readonly #name: string;
  readonly #timers: Timers;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #server: () => Transport | undefined;
  readonly #open = new Set<() => void>();
  faults: NetworkFaults = calmNetwork;

  constructor(options: {
    readonly name: string;
    /** Of the client's process: a dead process gets no answer. */
    readonly timers: Timers;
    readonly random: SeededRandom;
    readonly trace: Trace;
    /** Undefined while the server is down. */
    readonly server: () => Transport | undefined;
  }) {
    this.#name = options.name;
    this.#timers = options.timers;
    this.#random = options.random;
    this.#trace = options.trace;
    this.#server = options.server;
  }

  /** Breaks every stream, as the end of the server's process does. */
  breakAll(): void {
    for (const breakOne of [...this.#open]) breakOne();
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    await this.#timers.sleep(this.#latency(), request.signal);
    const server = this.#server();
    if (server === undefined || this.#random.chance(this.faults.lostRequest)) throw new ConnectionLostError("connection refused");
    this.#trace.addBytes(`> ${this.#name} ${request.method} ${request.target}`, request.body);
    const response = await this.#answerOrCrash(server, request);
    await this.#timers.sleep(this.#latency());
    if (this.#random.chance(this.faults.lostAnswer)) throw new ConnectionLostError("connection reset");
    this.#trace.add(`< ${this.#name} ${response.status}`);
    return { ...response, body: "open" in response.body ? this.#carry(response.body) : response.body };
  }

  /** When the server dies under a request, its promise never settles: the connection's end is the answer. */
  #answerOrCrash(server: Transport, request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const crash = (): void => {
        this.#open.delete(crash);
        reject(new ConnectionLostError("connection reset"));
      };
      this.#open.add(crash);
      server.send(request).then(
        (response) => {
          this.#open.delete(crash);
          resolve(response);
        },
        (error: unknown) => {
          this.#open.delete(crash);
          reject(error as Error);
        },
      );
    });
  }

  #latency(): number {
    return this.#random.float() * this.faults.latencyMsMax;
  }

  /** A stream whose chunks arrive in order, each a little later, until it breaks. */
  #carry(source: ByteStream): ByteStream {
    let target: ByteSink | undefined;
    let isOver = false;
    const over = (): boolean => {
      const was = isOver;
      isOver = true;
      this.#open.delete(breakOne);
      return was;
    };
    const breakOne = (): void => {
      if (over()) return;
      source.close();
      target?.abort(new ConnectionLostError("stream broken"));
    };
    const waiting: (() => void)[] = [];
    const pump = (): void => {
      const isSlow = this.#random.chance(this.faults.delayedChunk);
      const delayMs = this.#latency() + (isSlow ? this.#random.float() * this.faults.chunkDelayMsMax : 0);
      this.#timers.after(delayMs, () => {
        const run = waiting.shift();
        if (!isOver) run?.();
        if (waiting.length > 0 && !isOver) pump();
      });
    };
    // One at a time: bytes of one stream never overtake each other.
    const later = (run: () => void): void => {
      waiting.push(run);
      if (waiting.length === 1) pump();
    };
    this.#open.add(breakOne);
    return {
      open: (sink) => {
        target = sink;
        source.open({
          write: (chunk) => {
            if (this.#random.chance(this.faults.brokenStream)) this.#timers.soon(breakOne);
            later(() => {
              this.#trace.addBytes(`= ${this.#name}`, chunk);
              sink.write(chunk);
            });
            return true;
          },
          end: () => later(() => void (over() || sink.end())),
          abort: (error) => later(() => void (over() || sink.abort(error))),
        });
      },
      drained: () => source.drained(),
      close: () => {
        if (!over()) source.close();
      },
    };
  }
}
