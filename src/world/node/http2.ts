import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Duplex } from "node:stream";
import type { Headers, HttpHandler, HttpResponse, HttpServerOptions, Peer } from "../http.ts";
import { readBody } from "./body-turns.ts";
import { flatHeaders } from "./flat-headers.ts";
import { bodyTooLarge, handle, isStream, isWhole, pour, watchStall } from "./http-body.ts";
import { requestTimeoutMs } from "./http-limits.ts";
import { noBytes, ReceivedRequest } from "./received-request.ts";

/** What is asked of a stream of Node. */
export type RequestStream = Duplex & Pick<ServerHttp2Stream, "endAfterHeaders" | "headersSent" | "respond" | "close">;

function requestOf(stream: RequestStream, headers: IncomingHttpHeaders, body: Uint8Array): ReceivedRequest {
  return new ReceivedRequest(headers[":method"], headers[":path"], plainHeaders(headers), body, stream);
}

/** Reads one HTTP/2 request, bounded, and writes the handler's answer. */
export function answerHttp2(
  handler: HttpHandler,
  { bodyBytesMax, bodyTimeoutMs = requestTimeoutMs }: Pick<HttpServerOptions, "bodyBytesMax" | "bodyTimeoutMs">,
  stream: RequestStream,
  headers: IncomingHttpHeaders,
  peer: Peer,
): void {
  stream.on("error", () => undefined);
  const headOnly = headers[":method"] === "HEAD";
  const take = (body: Uint8Array): void =>
    handle(handler, requestOf(stream, headers, body), peer, (answer) => respond(stream, answer, headOnly));
  const hasNoBody = stream.endAfterHeaders;
  if (hasNoBody || headers[":method"] === "GET" || headOnly) {
    // Where nothing comes nobody reads: Node then ends that side behind the answer. After a side that was read to its end the answer's
    // last write is cut short when the stream closes, and an error is made for each.
    if (!hasNoBody) stream.resume();
    take(noBytes);
    return;
  }
  // Node bounds the time of HTTP/1.1 requests only: a body that never ends would hold its bytes for ever.
  const tooSlow = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), bodyTimeoutMs);
  stream.on("close", () => clearTimeout(tooSlow));
  readBody(stream, {
    announced: headers["content-length"],
    bytesMax: bodyBytesMax,
    tooLarge: () => {
      const answer = bodyTooLarge(bodyBytesMax);
      respond(stream, answer, false);
      handler.refused?.(requestOf(stream, headers, noBytes), peer, answer);
      stream.close(constants.NGHTTP2_NO_ERROR);
    },
    whole: (body) => {
      clearTimeout(tooSlow);
      if (!stream.destroyed) take(body);
    },
  });
}

function respond(stream: RequestStream, answer: HttpResponse, headOnly: boolean): void {
  const body = answer.body;
  if (stream.destroyed || stream.closed || stream.headersSent) {
    if (isStream(body)) body.close();
    return;
  }
  if (isStream(body)) {
    stream.respond({ ":status": answer.status, ...answer.headers });
    if (headOnly) {
      body.close();
      stream.end();
    } else pour(body, stream);
    return;
  }
  const whole = isWhole(body) ? body : Buffer.concat(body);
  stream.respond([
    ...[":status", String(answer.status), ...flatHeaders(answer.headers)],
    ...["content-length", String(whole.length)],
  ]);
  if (headOnly) stream.end();
  else stream.end(whole);
  watchStall(stream, whole.length);
}

/** Names of HTTP/2 are lower case already; its pseudo headers become `host`. */
function plainHeaders(headers: IncomingHttpHeaders): Headers {
  const plain: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (!name.startsWith(":")) plain[name] = typeof value === "string" ? value : value.join(", ");
    else if (name === ":authority") plain.host = String(value);
  }
  return plain;
}
