import { joinConnections } from "#streams/join.ts";
import {
  bridgePortForward,
  portForwardProtocols,
  runtimePortForwardProtocol,
  tunnelThroughWebSocket,
} from "#streams/port-forward.ts";
import {
  bridgeRemoteCommand,
  remoteCommandProtocols,
  runtimeStreamProtocol,
  type CommandStreams,
} from "#streams/remote-command.ts";
import { acceptWebSocket, wantsWebSocket } from "#streams/websocket.ts";
import type { Http, HttpRequest, Transport, UpgradeResult } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";

const encoder = new TextEncoder();

/** What is to be streamed; ports only for WebSocket channels, SPDY names them in its streams. */
export type Streamed =
  | { readonly kind: "command"; readonly streams: CommandStreams }
  | { readonly kind: "ports"; readonly ports: readonly number[] };

/** SPDY's own versions of the protocol of exec and attach, best first; the runtime's server speaks all of them. */
const spdyCommandProtocols = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/** Joins clients that changed protocol with the runtime's streaming server. */
export class Streaming {
  readonly #http: Pick<Http, "transport">;
  readonly #sha1: (data: Uint8Array) => Uint8Array;
  #transport: { readonly baseUrl: string; readonly transport: Transport & { close(): void } } | undefined;

  constructor(http: Pick<Http, "transport">, sha1: (data: Uint8Array) => Uint8Array) {
    this.#http = http;
    this.#sha1 = sha1;
  }

  /** The runtime is reached first: a client is told 101 only when there is something behind it. Never rejects. */
  async join(url: string, what: Streamed, request: HttpRequest, connection: Connection): Promise<void> {
    const webSocket = wantsWebSocket(request);
    const protocol = webSocket ? this.#runtimeProtocol(what) : spdyProtocol(request, what);
    if (protocol === undefined) {
      answer(connection, 403, "none of the stream protocols is supported");
      return;
    }
    let result: UpgradeResult;
    try {
      result = await this.#dial(url, protocol);
    } catch (error) {
      answer(
        connection,
        502,
        `the container runtime did not answer: ${error instanceof Error ? error.message : String(error)}`,
      );
      return;
    }
    if (!result.upgraded) {
      // What the client sends after this never reaches the runtime: the answer is the end.
      answer(
        connection,
        result.response.status >= 400 ? result.response.status : 502,
        "the container runtime refused the stream",
      );
      return;
    }
    if (webSocket) this.#bridge(result.connection, what, request, connection);
    else {
      const head = [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        `Upgrade: ${result.headers["upgrade"] ?? "SPDY/3.1"}`,
        `X-Stream-Protocol-Version: ${result.headers["x-stream-protocol-version"] ?? protocol}`,
      ];
      connection.write(encoder.encode(`${head.join("\r\n")}\r\n\r\n`));
      joinConnections(connection, result.connection);
    }
  }

  #bridge(runtime: Connection, what: Streamed, request: HttpRequest, connection: Connection): void {
    const protocols = what.kind === "command" ? remoteCommandProtocols : portForwardProtocols;
    const socket = acceptWebSocket({ request, connection, protocols, sha1: this.#sha1 });
    if (socket === undefined) runtime.destroy();
    else if (what.kind === "command") bridgeRemoteCommand(socket, runtime, what.streams);
    else if (socket.protocol === portForwardProtocols[0]) tunnelThroughWebSocket(socket, runtime);
    else bridgePortForward(socket, runtime, what.ports);
  }

  #runtimeProtocol(what: Streamed): string {
    return what.kind === "command" ? runtimeStreamProtocol : runtimePortForwardProtocol;
  }

  #dial(url: string, protocol: string): Promise<UpgradeResult> {
    const { protocol: scheme, host, pathname } = new URL(url);
    const baseUrl = `${scheme}//${host}`;
    if (this.#transport?.baseUrl !== baseUrl) {
      this.#transport?.transport.close();
      this.#transport = { baseUrl, transport: this.#http.transport({ baseUrl }) };
    }
    const upgrade = this.#transport.transport.upgrade;
    if (upgrade === undefined) throw new Error("this transport cannot change protocols");
    const headers = { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": protocol };
    return upgrade({ method: "POST", target: pathname, headers, body: new Uint8Array(0) });
  }
}

/** The best version that both speak; the runtime is asked for exactly that one. */
function spdyProtocol(request: HttpRequest, what: Streamed): string | undefined {
  const offered = (request.headers["x-stream-protocol-version"] ?? "").split(",").map((name) => name.trim());
  if (what.kind === "ports")
    return offered.includes(runtimePortForwardProtocol) || offered[0] === "" ? runtimePortForwardProtocol : undefined;
  return offered[0] === "" ? "channel.k8s.io" : spdyCommandProtocols.find((name) => offered.includes(name));
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  500: "Internal Server Error",
  502: "Bad Gateway",
};

/** Answers a request to change protocols without changing it. */
export function answer(connection: Connection, status: number, message: string): void {
  const body = encoder.encode(`${message}\n`);
  const head = [
    `HTTP/1.1 ${status} ${reasons[status] ?? "Error"}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ];
  connection.write(encoder.encode(`${head.join("\r\n")}\r\n\r\n`));
  connection.write(body);
  connection.end();
}
