import { concatBytes } from "#base/bytes.ts";
import { acceptWebSocket, type WebSocket } from "#streams/websocket.ts";
import type { ByteStream, HttpRequest, HttpResponse } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";
import { protocolsWithoutToken } from "../authenticate/socket-token.ts";

/**
 * Answers a watch that was asked for as a WebSocket: each event is one message, text for JSON and binary for protobuf (without
 * the length that frames it elsewhere), as upstream does. What the client sends is not looked at.
 */
export function watchOverWebSocket(
  request: HttpRequest,
  connection: Connection,
  response: HttpResponse & { readonly body: ByteStream },
  sha1: (data: Uint8Array) => Uint8Array,
): void {
  const { body } = response;
  const protocol = ownProtocol(request);
  const headers = { ...request.headers, "sec-websocket-protocol": protocol };
  const socket = acceptWebSocket({ request: { ...request, headers }, connection, protocols: [protocol], sha1 });
  if (socket === undefined) {
    body.close();
    return;
  }
  const isText = (response.headers["content-type"] ?? "").startsWith("application/json");
  const cut = isText ? cutLines : cutFrames;
  let isOver = false;
  let rest: Uint8Array = new Uint8Array(0);
  socket.start({
    message: () => undefined,
    drain: () => isOver || body.drained(),
    close: () => {
      if (!isOver) body.close();
      isOver = true;
    },
  });
  body.open({
    write: (chunk) => {
      const { pieces, left } = cut(rest.length === 0 ? chunk : concatBytes([rest, chunk]));
      rest = left;
      return sendAll(socket, pieces, isText);
    },
    end: () => {
      isOver = true;
      socket.close(1000, "");
    },
    abort: (error) => {
      isOver = true;
      connection.destroy(error);
    },
  });
}

/** The protocol that the client asked for beside its token: whatever it is, it is agreed to. Empty: none. */
function ownProtocol({ headers }: HttpRequest): string {
  return protocolsWithoutToken(headers["sec-websocket-protocol"] ?? "")[0] ?? "";
}

function sendAll(socket: WebSocket, pieces: readonly Uint8Array[], isText: boolean): boolean {
  let hasRoom = true;
  for (const piece of pieces) hasRoom = isText ? socket.sendText(piece) : socket.send(piece);
  return hasRoom;
}

interface Cut {
  readonly pieces: readonly Uint8Array[];
  /** The beginning of a piece whose end has not come. */
  readonly left: Uint8Array;
}

const newline = 0x0a;

/** JSON events end with a line break, which stays with them. */
function cutLines(bytes: Uint8Array): Cut {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(newline, at);
    if (end === -1) return { pieces, left: bytes.subarray(at) };
    pieces.push(bytes.subarray(at, end + 1));
    at = end + 1;
  }
}

/** Protobuf events have their length before them, in four bytes. */
function cutFrames(bytes: Uint8Array): Cut {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.length < at + 4 ? undefined : at + 4 + view.getUint32(at);
    if (end === undefined || bytes.length < end) return { pieces, left: bytes.subarray(at) };
    pieces.push(bytes.subarray(at + 4, end));
    at = end;
  }
}
