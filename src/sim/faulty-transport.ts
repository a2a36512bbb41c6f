import type { SeededRandom } from "#base/seeded-random.ts";
import { freezeDeeply } from "#codec/record.ts";
import type { ByteSink, ByteStream, HttpRequest, HttpResponse, Transport } from "#world/http.ts";
import type { ProcessLife } from "./simulated-process.ts";
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

class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}

/** Sees every watch stream that reaches a client. */
export type StreamObserver = (target: string) => (chunk: Uint8Array) => void;

export interface FaultyTransportOptions {
  readonly name: string;
  /** Of the client's process: a dead process gets no answer. */
  readonly life: ProcessLife;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly faults: () => NetworkFaults;
  /** Undefined while the server is down. */
  readonly server: () => Transport | undefined;
  readonly observe: StreamObserver;
  /** Told of each request when it leaves. */
  readonly leaves: (request: HttpRequest) => void;
  /** Told of each request that reaches the server. */
  readonly sent: (request: HttpRequest) => void;
  readonly defects: {
    readonly alterRequest?: (client: string, request: HttpRequest) => HttpRequest;
    readonly alterChunk?: (client: string, target: string, chunk: Uint8Array) => Uint8Array | undefined;
  };
}

/** The way from one process to the server, which may be down, slow, or lose what it carries. */
export class FaultyTransport implements Transport {
  readonly #options: FaultyTransportOptions;
  readonly #open = new Set<() => void>();
  #isFrozen = false;
  readonly #held: (() => void)[] = [];
  #breaks = 0;

  constructor(options: FaultyTransportOptions) {
    this.#options = options;
  }

  /** Breaks every connection, as the end of the server's process or of a cable does. */
  breakAll(): void {
    this.#breaks += 1;
    for (const breakOne of [...this.#open]) breakOne();
  }

  /** From now on nothing that streams bring arrives, and nothing breaks: who listens sees the world as it was. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** What was held back arrives, in its order. */
  thaw(): void {
    this.#isFrozen = false;
    for (const resume of this.#held.splice(0)) resume();
  }

  async send(given: HttpRequest): Promise<HttpResponse> {
    const { name, life, random, trace, faults, defects } = this.#options;
    const request = defects.alterRequest?.(name, given) ?? given;
    this.#options.leaves(request);
    await life.timers.sleep(this.#latency(), request.signal);
    const server = this.#options.server();
    if (server === undefined || random.chance(faults().lostRequest))
      throw new ConnectionLostError("connection refused");
    trace.addBytes(`> ${name} ${request.method} ${request.target}`, request.body);
    this.#options.sent(request);
    const response = await this.#answerOrBreak(server, request);
    const breaks = this.#breaks;
    await life.timers.sleep(this.#latency());
    // A short answer may still arrive over a connection that broke meanwhile, a stream cannot.
    const isCut = "open" in response.body && breaks !== this.#breaks;
    if (isCut || random.chance(faults().lostAnswer)) {
      if ("open" in response.body) response.body.close();
      throw new ConnectionLostError("connection reset");
    }
    trace.add(`< ${name} ${response.status}`);
    freezeDeeply(response.value);
    return { ...response, body: "open" in response.body ? this.#carry(response.body, request.target) : response.body };
  }

  /** When the server dies under a request, its promise never settles: the connection's end is the answer. */
  #answerOrBreak(server: Transport, request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const lose = (): void => {
        this.#open.delete(lose);
        reject(new ConnectionLostError("connection reset"));
      };
      this.#open.add(lose);
      server.send(request).then(
        (response) => {
          this.#open.delete(lose);
          resolve(response);
        },
        (error: unknown) => {
          this.#open.delete(lose);
          reject(error as Error);
        },
      );
    });
  }

  #latency(): number {
    return this.#options.random.float() * this.#options.faults().latencyMsMax;
  }

  /** A stream whose chunks arrive in order, each a little later, until it breaks. */
  #carry(source: ByteStream, target: string): ByteStream {
    const { life, random, trace, name, faults, defects } = this.#options;
    const observe = this.#options.observe(target);
    let sink: ByteSink | undefined;
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
      if (!life.isOver) sink?.abort(new ConnectionLostError("stream broken"));
    };
    const waiting: (() => void)[] = [];
    const pump = (): void => {
      const slowMs = random.chance(faults().delayedChunk) ? random.float() * faults().chunkDelayMsMax : 0;
      life.timers.after(this.#latency() + slowMs, () => {
        if (this.#isFrozen) this.#held.push(deliver);
        else deliver();
      });
    };
    const deliver = (): void => {
      const run = waiting.shift();
      if (!isOver) run?.();
      if (waiting.length > 0 && !isOver) pump();
    };
    // One at a time: bytes of one stream never overtake each other.
    const later = (run: () => void): void => {
      waiting.push(run);
      if (waiting.length === 1) pump();
    };
    this.#open.add(breakOne);
    const bring = (chunk: Uint8Array, hand: () => void): boolean => {
      if (random.chance(faults().brokenStream)) life.timers.soon(breakOne);
      later(() => {
        trace.addBytes(`= ${name} ${target}`, chunk);
        observe(chunk);
        hand();
      });
      return true;
    };
    return {
      open: (given) => {
        sink = given;
        source.open({
          write: (written) => {
            const chunk = defects.alterChunk === undefined ? written : defects.alterChunk(name, target, written);
            return chunk === undefined || bring(chunk, () => given.write(chunk));
          },
          // What is altered on its way is altered as bytes.
          ...(given.line !== undefined &&
            defects.alterChunk === undefined && {
              line: (line) => {
                freezeDeeply(line.value);
                return bring(line.bytes(), () => given.line!(line));
              },
            }),
          end: () => later(() => void (over() || given.end())),
          abort: (error) => later(() => void (over() || given.abort(error))),
        });
      },
      drained: () => source.drained(),
      close: () => {
        if (!over()) source.close();
      },
    };
  }
}
