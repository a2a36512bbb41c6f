import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Headers, HttpHandler, HttpRequest, HttpResponse, Peer } from "../http.ts";
import { bodyTooLarge, internalError, isStream, isWhole, pour, watchStall } from "./http-body.ts";

const noBytes = new Uint8Array(0);

/** A request whose abort signal is made only when somebody asks for it: most requests end before anyone could abort them. */
class Http1Request implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly #stream: Duplex | ServerResponse;
  #controller: AbortController | undefined;

  constructor(message: IncomingMessage, body: Uint8Array, stream: Duplex | ServerResponse) {
    this.method = message.method ?? "GET";
    this.target = message.url ?? "/";
    this.headers = message.headers as Headers;
    this.body = body;
    this.#stream = stream;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const stream = this.#stream;
    if (stream.destroyed) controller.abort();
    else {
      stream.once("close", () => {
        if (!stream.writableFinished) controller.abort();
      });
    }
    return controller.signal;
  }
}

/** Reads one HTTP/1.1 request, bounded, and writes the handler's answer. */
export function answerHttp1(
  handler: HttpHandler,
  bodyBytesMax: number,
  message: IncomingMessage,
  response: ServerResponse,
  peer: Peer,
): void {
  const announced = message.headers["content-length"];
  if (announced === undefined && message.headers["transfer-encoding"] === undefined) {
    handle(handler, new Http1Request(message, noBytes, response), response, peer);
    return;
  }
  if (announced !== undefined && bodyBytesMax < Number(announced)) {
    refuseBody(message, response, bodyBytesMax);
    return;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  message.on("data", (chunk: Uint8Array) => {
    length += chunk.length;
    if (bodyBytesMax < length) {
      message.removeAllListeners("data");
      message.removeAllListeners("end");
      refuseBody(message, response, bodyBytesMax);
      return;
    }
    chunks.push(chunk);
  });
  message.on("end", () => {
    const first = chunks[0];
    const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, length);
    handle(handler, new Http1Request(message, body, response), response, peer);
  });
}

/** The request of an upgrade, which has no body. */
export function requestOfUpgrade(message: IncomingMessage, socket: Duplex): HttpRequest {
  return new Http1Request(message, noBytes, socket);
}

/** Answers an upgrade that nobody here can do. */
export function refuseUpgrade(socket: Duplex): void {
  socket.end(
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\nUpgrade is not supported here\n",
  );
}

function handle(handler: HttpHandler, request: HttpRequest, response: ServerResponse, peer: Peer): void {
  handler.handle(request, peer).then(
    (answer) => respond(response, answer, request.method === "HEAD"),
    () => respond(response, internalError(), false),
  );
}

function respond(response: ServerResponse, answer: HttpResponse, headOnly: boolean): void {
  if (response.destroyed) {
    if (isStream(answer.body)) answer.body.close();
    return;
  }
  response.sendDate = answer.headers.date === undefined;
  const body = answer.body;
  if (isStream(body)) {
    response.writeHead(answer.status, answer.headers);
    if (headOnly) {
      body.close();
      response.end();
      return;
    }
    // A watch that has nothing to say yet must still show its headers.
    response.flushHeaders();
    pour(body, response);
    return;
  }
  const whole = isWhole(body) ? body : Buffer.concat(body);
  response.writeHead(answer.status, { ...answer.headers, "content-length": String(whole.length) });
  if (headOnly) response.end();
  else response.end(whole);
  if (!response.writableFinished) watchStall(response, whole.length);
}

/** 413, and the connection goes: what the client still sends is not worth reading. */
function refuseBody(message: IncomingMessage, response: ServerResponse, bodyBytesMax: number): void {
  const answer = bodyTooLarge(bodyBytesMax);
  const body = Buffer.from(answer.body as Uint8Array);
  response.writeHead(answer.status, { ...answer.headers, "content-length": String(body.length), connection: "close" });
  response.end(body, () => message.destroy());
}
