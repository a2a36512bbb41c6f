import type { HttpRequest } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";
import { messageBytesMax } from "./limits.ts";
import { concatenate, encodeFrame, FrameParser, opcodes, type Frame } from "./websocket-frames.ts";

/** What an accepted WebSocket reports. `close` comes exactly once, last. */
export interface WebSocketEvents {
  message(payload: Uint8Array): void;
  close(): void;
  /** There is room again after a `send` that returned false. */
  drain(): void;
}

/** The server's end of a WebSocket (RFC 6455) without extensions. */
export interface WebSocket {
  /** The subprotocol that both sides speak; empty when the client asked for none. */
  readonly protocol: string;
  start(events: WebSocketEvents): void;
  /** Sends a binary message. False: the buffer is full, wait for `drain`. */
  send(payload: Uint8Array): boolean;
  /** Sends UTF-8 as a text message, otherwise as `send`. */
  sendText(payload: Uint8Array): boolean;
  /** Says goodbye with a status code (1000: all is well) and ends the connection. */
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
}

const keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const encoder = new TextEncoder();

/** Whether a request asks for a WebSocket (not for SPDY). */
export function wantsWebSocket(request: HttpRequest): boolean {
  return (request.headers["upgrade"] ?? "").toLowerCase() === "websocket";
}

/**
 * Answers the handshake with the first of `protocols` that the client offers. When the handshake is malformed or no protocol
 * fits, answers 400 or 403, ends the connection and returns undefined.
 */
export function acceptWebSocket(options: {
  readonly request: HttpRequest;
  readonly connection: Connection;
  readonly protocols: readonly string[];
  readonly sha1: (data: Uint8Array) => Uint8Array;
}): WebSocket | undefined {
  const { request, connection, protocols } = options;
  const key = request.headers["sec-websocket-key"];
  if (key === undefined || request.headers["sec-websocket-version"] !== "13") {
    refuse(connection, "400 Bad Request", "the WebSocket handshake needs Sec-WebSocket-Key and version 13");
    return undefined;
  }
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  const protocol = protocols.find((name) => offered.includes(name));
  if (protocol === undefined) {
    refuse(
      connection,
      "403 Forbidden",
      `none of the WebSocket subprotocols is supported; supported are ${protocols.filter(Boolean).join(", ")}`,
    );
    return undefined;
  }
  const digest = options.sha1(encoder.encode(key + keySuffix));
  const answer = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${btoa(String.fromCharCode(...digest))}`,
    ...(protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ];
  connection.write(encoder.encode(`${answer.join("\r\n")}\r\n\r\n`));
  return new ServerWebSocket(connection, protocol);
}

function refuse(connection: Connection, status: string, message: string): void {
  const body = encoder.encode(`${message}\n`);
  connection.write(
    encoder.encode(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
    ),
  );
  connection.write(body);
  connection.end();
}

class ServerWebSocket implements WebSocket {
  readonly protocol: string;
  readonly #connection: Connection;
  readonly #parser = new FrameParser({ expectMask: true });
  /** Parts of a message that came in several frames. */
  #fragments: Uint8Array | undefined;
  #isClosing = false;

  constructor(connection: Connection, protocol: string) {
    this.#connection = connection;
    this.protocol = protocol;
  }

  start(events: WebSocketEvents): void {
    this.#connection.start({
      data: (chunk) => {
        const { frames, error } = this.#parser.push(chunk);
        for (const frame of frames) this.#take(frame, events);
        if (error !== undefined) this.close(error.code, error.message);
      },
      end: () => this.#connection.end(),
      close: () => events.close(),
      drain: () => events.drain(),
    });
  }

  send(payload: Uint8Array): boolean {
    return this.#isClosing || this.#connection.write(encodeFrame(opcodes.binary, payload));
  }

  sendText(payload: Uint8Array): boolean {
    return this.#isClosing || this.#connection.write(encodeFrame(opcodes.text, payload));
  }

  close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const text = encoder.encode(reason).subarray(0, 123);
    this.#connection.write(encodeFrame(opcodes.close, concatenate(Uint8Array.of(code >> 8, code & 255), text)));
    this.#connection.end();
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  #take(frame: Frame, events: WebSocketEvents): void {
    if (this.#isClosing) return;
    switch (frame.opcode) {
      case opcodes.ping:
        this.#connection.write(encodeFrame(opcodes.pong, frame.payload));
        return;
      case opcodes.pong:
        return;
      case opcodes.close:
        this.close(1000, "");
        return;
      case opcodes.text:
      case opcodes.binary:
      case opcodes.continuation:
        this.#takeData(frame, events);
        return;
      default:
        this.close(1002, `opcode ${frame.opcode} is unknown`);
    }
  }

  #takeData(frame: Frame, events: WebSocketEvents): void {
    const isContinuation = frame.opcode === opcodes.continuation;
    if (isContinuation !== (this.#fragments !== undefined)) {
      this.close(1002, "a message's frames must follow each other");
      return;
    }
    const whole = this.#fragments === undefined ? frame.payload : concatenate(this.#fragments, frame.payload);
    if (whole.length > messageBytesMax) {
      this.close(1009, `messages are limited to ${messageBytesMax} bytes`);
      return;
    }
    this.#fragments = frame.isFinal ? undefined : whole;
    if (frame.isFinal) events.message(whole);
  }
}
