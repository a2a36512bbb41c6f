import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Headers, HttpHandler, HttpRequest, HttpResponse, Peer } from "../http.ts";
import { readBody } from "./body-turns.ts";
import { flatHeaders } from "./flat-headers.ts";
import { GatheredAnswers } from "./gathered-answers.ts";
import { answersGatheredMs, lingerMs } from "./http-limits.ts";
import { bodyTooLarge, handle, isStream, isWhole, pour, watchStall, type Way } from "./http-body.ts";
import { noBytes, ReceivedRequest } from "./received-request.ts";

function requestOf(message: IncomingMessage, body: Uint8Array, answer: Duplex | ServerResponse): ReceivedRequest {
  return new ReceivedRequest(message.method, message.url, message.headers as Headers, body, answer);
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
  const headOnly = message.method === "HEAD";
  const take = (body: Uint8Array): void =>
    handle(handler, requestOf(message, body, response), peer, (answer) => respond(response, answer, headOnly));
  if (announced === undefined && message.headers["transfer-encoding"] === undefined) {
    take(noBytes);
    return;
  }
  const refuse = (): void => {
    refuseBody(message, response, bodyBytesMax);
    handler.refused?.(requestOf(message, noBytes, response), peer, bodyTooLarge(bodyBytesMax));
  };
  if (announced !== undefined && bodyBytesMax < Number(announced)) {
    refuse();
    return;
  }
  readBody(message, {
    announced,
    bytesMax: bodyBytesMax,
    tooLarge: refuse,
    whole: take,
  });
}

/** The request of an upgrade, which has no body. */
export function requestOfUpgrade(message: IncomingMessage, socket: Duplex): HttpRequest {
  return requestOf(message, noBytes, socket);
}

/** Answers an upgrade that nobody here can do. */
export function refuseUpgrade(socket: Duplex): void {
  endLingering(
    socket,
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\nUpgrade is not supported here\n",
  );
}

/**
 * Says a last word on a connection. Our end alone would leave it open for as long as the client likes, and to destroy it at once could
 * take the words away from a client that still sends.
 */
export function endLingering(socket: Duplex, words: string): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.on("close", () => clearTimeout(timer));
  socket.end(words);
}

const gathered = new GatheredAnswers(answersGatheredMs);

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
    pour(body, response, chunkedWay(response));
    return;
  }
  const whole = isWhole(body) ? body : Buffer.concat(body);
  const headers = [...flatHeaders(answer.headers), "content-length", String(whole.length)];
  if (whole.length <= gatheredBytesMax) {
    gathered.add(() => {
      if (!response.destroyed) response.writeHead(answer.status, headers).end(headOnly ? undefined : whole);
    });
    return;
  }
  response.writeHead(answer.status, headers);
  if (headOnly) response.end();
  else endWith(response, whole);
  if (!response.writableFinished) watchStall(response, whole.length);
}

/**
 * Ends a large answer only when all but its end has left. A client that had all of it could send the next request before Node is
 * told that the answer has gone; Node then pauses the parser, and breaks the connection off when a second TLS record follows
 * ("Parse Error: Paused").
 */
function endWith(response: ServerResponse, whole: Uint8Array): void {
  const rest = whole.subarray(-heldBackBytes);
  if (response.write(whole.subarray(0, -heldBackBytes))) response.end(rest);
  else response.once("drain", () => response.end(rest));
}

/** Small answers, which wait for each other: they never fill a socket. In bytes. */
const gatheredBytesMax = 32 * 1024;
/** What a large answer keeps back until the rest has left, in bytes. */
const heldBackBytes = 16;
/** Larger pieces go to one client each: to copy them into a frame would cost more than three writes. In bytes. */
const framedBytesMax = 128 * 1024;
let lastChunk: Uint8Array | undefined;
let lastFramed = new Uint8Array(0);

/** A piece with its length around it (RFC 9112, 7.1). The same piece often goes to a thousand watches: it is framed once. */
function framed(chunk: Uint8Array): Uint8Array {
  if (chunk === lastChunk) return lastFramed;
  const head = Buffer.from(`${chunk.length.toString(16)}\r\n`, "latin1");
  const whole = new Uint8Array(head.length + chunk.length + 2);
  whole.set(head);
  whole.set(chunk, head.length);
  whole[whole.length - 2] = 0x0d;
  whole[whole.length - 1] = 0x0a;
  lastChunk = chunk;
  lastFramed = whole;
  return whole;
}

/**
 * Writes chunks to the socket in one piece each. Node would write length, bytes and line end apart and gather them in a turn
 * of its own, which costs more than all else when one change goes to a thousand watches. Undefined where the answer is not
 * chunked or still waits for its socket.
 */
function chunkedWay(response: ServerResponse): Way | undefined {
  const { socket } = response;
  if (!response.chunkedEncoding || socket === null || response.writableLength > socket.writableLength) return undefined;
  return {
    write: (chunk) => {
      if (chunk.length === 0 || socket.destroyed) return true;
      if (chunk.length <= framedBytesMax) return socket.write(framed(chunk));
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
      socket.write(chunk);
      const hasRoom = socket.write("\r\n", "latin1");
      socket.uncork();
      return hasRoom;
    },
    drains: socket,
  };
}

/** 413, and the connection goes: what the client still sends is not worth reading. */
function refuseBody(message: IncomingMessage, response: ServerResponse, bodyBytesMax: number): void {
  const answer = bodyTooLarge(bodyBytesMax);
  const body = Buffer.from(answer.body as Uint8Array);
  response.writeHead(answer.status, { ...answer.headers, "content-length": String(body.length), connection: "close" });
  response.end(body, () => message.destroy());
}
