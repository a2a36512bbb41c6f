import { decodePercent } from "#base/percent.ts";
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectSocket } from "node:net";
import { ContainerRuntimeError, type RuntimeErrorCode } from "../container-runtime.ts";

// gRPC over a Unix socket needs HTTP/2 (Node has it) and a five-byte frame: grpc-js would add 50 ms and 20 MB to each agent.

/** Names of gRPC's status codes, by number. */
export const statusCodes: readonly (RuntimeErrorCode | undefined)[] = [
  undefined,
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** Bytes of one message, and of what may be waiting to be taken apart. */
const messageBytesMax = 64 << 20;

export interface CallOptions {
  /** 0: no limit. */
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of one message that is answered; absent: 64 MiB. */
  readonly answerBytesMax?: number;
}

/** gRPC calls over one HTTP/2 connection to a Unix socket, made when first needed and again after it broke. */
export class GrpcChannel {
  readonly #path: string;
  #session: ClientHttp2Session | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** One request, one answer. Rejects with `ContainerRuntimeError`. */
  unary(method: string, request: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      let answer: Uint8Array | undefined;
      const call = this.stream(method, request, options, {
        message: (bytes) => {
          if (answer !== undefined) call.cancel();
          answer = bytes;
        },
        end: (error) => {
          if (error !== undefined) reject(error);
          else if (answer === undefined)
            reject(new ContainerRuntimeError("Internal", `${method} ended without an answer`));
          else resolve(answer);
        },
      });
    });
  }

  /** One request, any number of answers; `end` is the last call, exactly once. */
  stream(
    method: string,
    request: Uint8Array,
    options: CallOptions,
    handler: { message(bytes: Uint8Array): void; end(error?: ContainerRuntimeError): void },
  ): { cancel(): void } {
    const call = this.#open(method, options);
    let failure: ContainerRuntimeError | undefined;
    let trailers: IncomingHttpHeaders = {};
    const cancel = (error: ContainerRuntimeError): void => {
      failure ??= error;
      call.close(constants.NGHTTP2_CANCEL);
    };
    const timer =
      options.timeoutMs > 0
        ? setTimeout(
            () =>
              cancel(
                new ContainerRuntimeError("DeadlineExceeded", `${method} took longer than ${options.timeoutMs} ms`),
              ),
            options.timeoutMs,
          )
        : undefined;
    const aborted = (): void => cancel(new ContainerRuntimeError("Canceled", `${method} was given up`));
    options.signal?.addEventListener("abort", aborted, { once: true });
    if (options.signal?.aborted === true) aborted();
    call.on("response", (headers) => (trailers = headers));
    call.on("trailers", (headers) => (trailers = headers));
    readFrames(call, handler.message, cancel, options.answerBytesMax);
    call.on("error", (error) => (failure ??= new ContainerRuntimeError("Unavailable", `${method}: ${error.message}`)));
    call.on("close", () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", aborted);
      handler.end(failure ?? failureOf(method, trailers));
    });
    call.end(frame(request));
    return { cancel: aborted };
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #open(method: string, options: CallOptions): ClientHttp2Stream {
    return this.#connected().request({
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      te: "trailers",
      ...options.headers,
    });
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(this.#path) });
    // Each open call gets the error as its own; without a listener it would end the process.
    session.on("error", () => session.destroy());
    session.on("goaway", () => session.close());
    this.#session = session;
    return session;
  }
}

/** A message as it goes over the wire: not compressed, its length before it. */
export function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(bytes.length + 5);
  framed.writeUInt32BE(bytes.length, 1);
  framed.set(bytes, 5);
  return framed;
}

/** Takes a stream's bytes apart into messages; `fail` is called for one that is too large or compressed. */
export function readFrames(
  call: Http2Stream,
  message: (bytes: Uint8Array) => void,
  fail: (error: ContainerRuntimeError) => void,
  bytesMax = messageBytesMax,
): void {
  let chunks: Buffer[] = [];
  let waiting = 0;
  let needed = 5;
  call.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    waiting += chunk.length;
    if (waiting < needed) return;
    let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    for (;;) {
      needed = 5;
      if (bytes.length < needed) break;
      const length = bytes.readUInt32BE(1);
      if (length > bytesMax || bytes[0] !== 0) {
        fail(new ContainerRuntimeError("ResourceExhausted", `a message of ${length} bytes is too large or compressed`));
        return;
      }
      needed = 5 + length;
      if (bytes.length < needed) break;
      message(bytes.subarray(5, needed));
      bytes = bytes.subarray(needed);
    }
    chunks = bytes.length > 0 ? [bytes] : [];
    waiting = bytes.length;
  });
}

function failureOf(method: string, trailers: IncomingHttpHeaders): ContainerRuntimeError | undefined {
  const status = trailers["grpc-status"];
  if (typeof status !== "string")
    return new ContainerRuntimeError("Unavailable", `${method} broke off without a status`);
  if (status === "0") return undefined;
  const text = trailers["grpc-message"];
  return new ContainerRuntimeError(
    statusCodes[Number(status)] ?? "Unknown",
    typeof text === "string" ? (decodePercent(text) ?? text) : method,
  );
}
