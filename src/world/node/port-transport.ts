import type { ByteSink, ByteStream, HttpRequest, HttpResponse, Transport } from "../http.ts";
import { Outbox, onMessages, type Part, type Port, type PortMessage } from "./port-messages.ts";

/** Bytes of a stream that are on their way and not yet taken, before its source is told to wait. */
const streamWindowBytes = 4 * 1024 * 1024;
/** The reader tells that it has taken bytes when there are so many. */
const takenBytesStep = 512 * 1024;

/**
 * Transports to what answers in another thread (`servePort`). `as` says as whom, in words that both sides agreed on. An aborted
 * signal is not carried over: the answer is dropped by who asked.
 */
export function portTransports(port: Port): (as: string) => Transport {
  const outbox = new Outbox(port);
  const asked = new Map<number, PromiseWithResolvers<HttpResponse>>();
  const streams = new Map<number, ReceivedStream>();
  let lastId = 0;

  const respond = (message: PortMessage & { kind: "response" }, bytesOf: (part: Part) => Uint8Array): void => {
    const waiting = asked.get(message.id);
    asked.delete(message.id);
    const { id, status, headers, body } = message;
    if (body !== undefined) return waiting?.resolve({ status, headers, body: bytesOf(body) });
    const stream = new ReceivedStream(outbox, id, () => streams.delete(id));
    streams.set(id, stream);
    waiting?.resolve({ status, headers, body: stream });
  };
  onMessages(port, (message, bytesOf) => {
    if (message.kind === "response") respond(message, bytesOf);
    else if (message.kind === "refused") {
      asked.get(message.id)?.reject(new Error(message.message));
      asked.delete(message.id);
    } else if (message.kind === "chunk") streams.get(message.id)?.take(bytesOf(message.body));
    else if (message.kind === "end") streams.get(message.id)?.finish();
    else if (message.kind === "abort") streams.get(message.id)?.finish(new Error(message.message));
  });
  return (as) => ({
    send({ method, target, headers, body }) {
      lastId += 1;
      const answer = Promise.withResolvers<HttpResponse>();
      asked.set(lastId, answer);
      outbox.add({ kind: "request", id: lastId, as, method, target, headers, body: outbox.part(body) });
      return answer.promise;
    },
  });
}

/** A body that comes in chunks from the other thread. Chunks that come before it is opened wait. */
class ReceivedStream implements ByteStream {
  readonly #outbox: Outbox;
  readonly #id: number;
  readonly #forget: () => void;
  readonly #early: Uint8Array[] = [];
  #sink: ByteSink | undefined;
  #end: { readonly error: Error | undefined } | undefined;
  #isFull = false;
  #untold = 0;

  constructor(outbox: Outbox, id: number, forget: () => void) {
    this.#outbox = outbox;
    this.#id = id;
    this.#forget = forget;
  }

  open(sink: ByteSink): void {
    this.#sink = sink;
    this.drained();
  }

  drained(): void {
    this.#isFull = false;
    for (let chunk = this.#early.shift(); chunk !== undefined; chunk = this.#early.shift()) {
      this.#write(chunk);
      if (this.#isFull) return;
    }
    if (this.#end !== undefined) this.#tellEnd(this.#end.error);
  }

  close(): void {
    this.#sink = undefined;
    this.#early.length = 0;
    this.#forget();
    this.#outbox.add({ kind: "close", id: this.#id });
  }

  take(chunk: Uint8Array): void {
    if (this.#sink === undefined || this.#isFull || this.#early.length > 0) this.#early.push(chunk);
    else this.#write(chunk);
  }

  finish(error?: Error): void {
    this.#forget();
    this.#end = { error };
    if (this.#sink !== undefined && !this.#isFull && this.#early.length === 0) this.#tellEnd(error);
  }

  #write(chunk: Uint8Array): void {
    this.#isFull = this.#sink?.write(chunk) === false;
    this.#untold += chunk.length;
    if (this.#untold < takenBytesStep) return;
    this.#outbox.add({ kind: "taken", id: this.#id, bytes: this.#untold });
    this.#untold = 0;
  }

  #tellEnd(error: Error | undefined): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (error === undefined) sink?.end();
    else sink?.abort(error);
  }
}

/** Answers what the other thread's `portTransports` ask, each through the transport of whom it is asked as. */
export function servePort(port: Port, transportOf: (as: string) => Transport): void {
  const outbox = new Outbox(port);
  const streams = new Map<number, SentStream>();

  const respond = (id: number, { status, headers, body }: HttpResponse): void => {
    if ("open" in body) {
      outbox.add({ kind: "response", id, status, headers, body: undefined });
      const stream = new SentStream(outbox, id, body, () => streams.delete(id));
      streams.set(id, stream);
      stream.start();
    } else {
      const part = body instanceof Uint8Array ? outbox.part(body) : outbox.parts(body);
      outbox.add({ kind: "response", id, status, headers, body: part });
    }
  };
  const refuse = (id: number, error: unknown): void =>
    outbox.add({ kind: "refused", id, message: error instanceof Error ? error.message : String(error) });
  onMessages(port, (message, bytesOf) => {
    if (message.kind === "request") {
      const { id, as, method, target, headers, body } = message;
      const request: HttpRequest = { method, target, headers, body: bytesOf(body) };
      transportOf(as)
        .send(request)
        .then(
          (response) => respond(id, response),
          (error: unknown) => refuse(id, error),
        );
    } else if (message.kind === "taken") streams.get(message.id)?.taken(message.bytes);
    else if (message.kind === "close") streams.get(message.id)?.close();
  });
}

/** A stream on its way to the other thread, held back when that does not take it. */
class SentStream implements ByteSink {
  readonly #outbox: Outbox;
  readonly #id: number;
  readonly #source: ByteStream;
  readonly #forget: () => void;
  #onTheWay = 0;
  #isHeld = false;

  constructor(outbox: Outbox, id: number, source: ByteStream, forget: () => void) {
    this.#outbox = outbox;
    this.#id = id;
    this.#source = source;
    this.#forget = forget;
  }

  start(): void {
    this.#source.open(this);
  }

  write(chunk: Uint8Array): boolean {
    this.#onTheWay += chunk.length;
    this.#outbox.add({ kind: "chunk", id: this.#id, body: this.#outbox.part(chunk) });
    this.#isHeld = streamWindowBytes < this.#onTheWay;
    return !this.#isHeld;
  }

  end(): void {
    this.#forget();
    this.#outbox.add({ kind: "end", id: this.#id });
  }

  abort(error: Error): void {
    this.#forget();
    this.#outbox.add({ kind: "abort", id: this.#id, message: error.message });
  }

  taken(bytes: number): void {
    this.#onTheWay -= bytes;
    if (!this.#isHeld || streamWindowBytes < this.#onTheWay) return;
    this.#isHeld = false;
    this.#source.drained();
  }

  close(): void {
    this.#forget();
    this.#source.close();
  }
}
