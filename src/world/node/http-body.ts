import type { Writable } from "node:stream";
import type { ByteStream, HttpBody, HttpHandler, HttpRequest, HttpResponse, Peer } from "../http.ts";
import { drainsSliceMs, requestsSliceMs, smallAnswerBytes, stalledAnswerTimeoutMs } from "./http-limits.ts";
import { createLane } from "./lane.ts";

/** Whether a body is made while it is sent. */
export function isStream(body: HttpBody): body is ByteStream {
  return "open" in body;
}

/** Whether a body is one piece. */
export function isWhole(body: Uint8Array | readonly Uint8Array[]): body is Uint8Array {
  return body instanceof Uint8Array;
}

/** Where the pieces of a streamed body go, when not through the answer itself. */
export interface Way {
  write(chunk: Uint8Array): boolean;
  /** Reports `drain` for those writes. */
  readonly drains: Writable;
}

/**
 * Streams go on here when their clients have taken what was sent. Hundreds that take large objects have room in the same turn of
 * the loop, and everybody else, TLS handshakes among them, would wait until a piece is encrypted for each.
 */
const goOn = createLane(drainsSliceMs);

/** Sends a streamed body, with back-pressure; a client that takes nothing for a minute is cut off. */
export function pour(
  body: ByteStream,
  into: Writable,
  way: Way = { write: (chunk) => into.write(chunk), drains: into },
): void {
  let done = false;
  let stall: NodeJS.Timeout | undefined;
  const drained = (): void => {
    clearTimeout(stall);
    stall = undefined;
    if (done) return;
    goOn.enter(() => {
      if (!done) body.drained();
    });
  };
  const over = (): void => {
    clearTimeout(stall);
    stall = undefined;
    done = true;
    way.drains.off("drain", drained);
  };
  way.drains.on("drain", drained);
  // What ends with an error closes too.
  into.on("error", () => undefined);
  into.on("close", () => {
    const isCutOff = !done;
    over();
    if (isCutOff) body.close();
  });
  body.open({
    returnsMemory: true,
    write(chunk) {
      if (done) return true;
      const room = way.write(chunk);
      if (!room && stall === undefined) stall = setTimeout(() => into.destroy(), stalledAnswerTimeoutMs);
      return room;
    },
    end() {
      if (done) return;
      over();
      const left = way.drains.writableLength;
      // What ends the answer follows when the rest has left: see `endWith` of http1.ts.
      if (way.drains.writableNeedDrain) way.drains.once("drain", () => into.end());
      else into.end();
      if (!into.writableFinished) watchStall(into, left);
    },
    abort() {
      if (done) return;
      over();
      into.destroy();
    },
  });
}

/** Cuts a client off that does not take the rest of its answer: a minute, and a minute more for each MB. */
export function watchStall(into: Writable, length: number): void {
  if (length <= smallAnswerBytes) return;
  const megabytes = Math.ceil(length / 1_000_000);
  const timer = setTimeout(() => into.destroy(), stalledAnswerTimeoutMs * (1 + megabytes));
  into.on("close", () => clearTimeout(timer));
}

/** The Status of a body beyond the limit. */
export function bodyTooLarge(bytesMax: number): HttpResponse {
  return failure(413, "RequestEntityTooLarge", `Request entity too large: limit is ${bytesMax}`);
}

/**
 * Requests are handled here. Without turns all that came together would be decided before the first of them is on its way to the
 * disk, and client, server and disk would wait for each other by turns instead of working at the same time.
 */
const requests = createLane(requestsSliceMs);

/** Has a request handled, at once where the turn has time left, and gives its answer to `respond`. */
export function handle(
  handler: HttpHandler,
  request: HttpRequest,
  peer: Peer,
  respond: (answer: HttpResponse) => void,
): void {
  requests.enter(() => {
    const answer = answerOf(handler, request, peer);
    if (answer instanceof Promise) answer.then(respond, () => respond(internalError()));
    else respond(answer);
  });
}

/** The handler's answer; that of one that broke its promise never to throw says so. */
function answerOf(handler: HttpHandler, request: HttpRequest, peer: Peer): HttpResponse | Promise<HttpResponse> {
  try {
    return handler.handle(request, peer);
  } catch {
    // Whoever handles requests writes down what went wrong with them; here only the answer is missing.
    return internalError();
  }
}

/** The Status of a handler that broke its promise never to reject. */
function internalError(): HttpResponse {
  return failure(500, "InternalError", "Internal error occurred");
}

function failure(code: number, reason: string, message: string): HttpResponse {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return {
    status: code,
    headers: { "content-type": "application/json" },
    body: Buffer.from(`${JSON.stringify(status)}\n`),
  };
}
