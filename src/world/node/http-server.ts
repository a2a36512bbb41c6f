import type http from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import type { HttpHandler, HttpServer, HttpServerOptions, Peer } from "../http.ts";
import { StreamConnection } from "./connection.ts";
import { answerHttp1, endLingering, refuseUpgrade, requestOfUpgrade } from "./http1.ts";
import { answerHttp2 } from "./http2.ts";
import { IdleSessions } from "./idle-sessions.ts";
import * as limits from "./http-limits.ts";
import { nodeHttp } from "./node-http.ts";
import { listening } from "./sockets.ts";

type Tls = NonNullable<HttpServerOptions["tls"]>;

/** Opens one port for HTTP/1.1 and, under TLS, HTTP/2 by ALPN. */
export async function listenHttp(options: HttpServerOptions, handler: HttpHandler): Promise<HttpServer> {
  const peers = new WeakMap<Duplex, Peer>();
  const sockets = new Set<net.Socket>();
  const sessions = new IdleSessions(options.idleTimeoutMs);
  const http1 = http1Server(options, handler, peers);
  const front =
    options.tls === undefined
      ? http1
      : tlsFront(options.tls, http1, http2Server(options, handler, peers, sessions), peers);
  front.on("connection", (socket: net.Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Under TLS the raw socket carries no listener of its own: a reset must not end the process.
    socket.on("error", () => undefined);
    if (options.tls === undefined)
      peers.set(socket, { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 });
  });
  const port = await listening(front, { host: options.host, port: options.port });
  // The server that never listens itself must look after its slow clients all the same.
  if (front !== http1) http1.emit("listening");

  return {
    port,
    replaceTls(next) {
      if (front instanceof tls.Server) front.setSecureContext(secureContextOptions(next));
    },
    close(graceMs) {
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          for (const session of sessions.all()) session.destroy();
          for (const socket of sockets) socket.destroy();
        }, graceMs);
        front.close(() => {
          clearTimeout(timer);
          sessions.stop();
          resolve();
        });
        if (front !== http1) http1.close(() => undefined);
        http1.closeIdleConnections();
        for (const session of sessions.all()) session.close();
      });
    },
  };
}

/** Of Node's parser; anything else is a bad request. */
const statusOfError: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function http1Server(options: HttpServerOptions, handler: HttpHandler, peers: WeakMap<Duplex, Peer>): http.Server {
  const bodyTimeoutMs = options.bodyTimeoutMs ?? limits.requestTimeoutMs;
  const server = nodeHttp.createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: Math.min(limits.headersTimeoutMs, bodyTimeoutMs),
    requestTimeout: bodyTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.connectionCheckIntervalMs, bodyTimeoutMs / 2),
    requireHostHeader: true,
    optimizeEmptyRequests: true,
    shouldUpgradeCallback: (request) => {
      const protocol = (request.headers.upgrade ?? "").toLowerCase();
      return protocol === "websocket" || protocol.startsWith("spdy/");
    },
  });
  server.on("request", (request, response) => {
    answerHttp1(handler, options.bodyBytesMax, request, response, peerOf(peers, request.socket));
  });
  server.on("upgrade", (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    if (handler.upgrade === undefined) {
      refuseUpgrade(socket);
      return;
    }
    handler.upgrade(requestOfUpgrade(request, socket), peerOf(peers, socket), new StreamConnection(socket, head));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === "ECONNRESET") {
      socket.destroy();
      return;
    }
    const status = statusOfError[error.code ?? ""] ?? "400 Bad Request";
    endLingering(
      socket,
      `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n${status}`,
    );
  });
  return server;
}

function http2Server(
  options: HttpServerOptions,
  handler: HttpHandler,
  peers: WeakMap<Duplex, Peer>,
  sessions: IdleSessions,
): http2.Http2Server {
  const server = http2.createServer({
    maxSessionMemory: limits.sessionMemoryMegabytesMax,
    maxHeaderListPairs: 256,
    maxOutstandingPings: 10,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: limits.streamResetBurst,
    streamResetRate: limits.streamResetsPerSecond,
    settings: {
      maxConcurrentStreams: limits.streamsPerConnectionMax,
      initialWindowSize: 1 << 20,
      maxHeaderListSize: limits.headerBytesMax,
    },
  });
  server.on("session", (session) => {
    sessions.add(session);
    // A broken session takes its streams with it; each of them reports for itself.
    session.on("error", () => undefined);
  });
  server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    const { session } = stream;
    answerHttp2(handler, options, stream, headers, (session && sessionPeers.get(session)) ?? noPeer);
    if (session !== undefined) sessions.asked(session, stream);
  });
  // The session hides its socket behind a proxy, so the peer is remembered by session.
  const sessionPeers = new WeakMap<http2.Http2Session, Peer>();
  let connecting: Duplex | undefined;
  server.prependListener("connection", (socket: Duplex) => {
    connecting = socket;
  });
  server.prependListener("session", (session) => {
    if (connecting !== undefined) sessionPeers.set(session, peerOf(peers, connecting));
  });
  return server;
}

function tlsFront(
  options: Tls,
  http1: http.Server,
  second: http2.Http2Server,
  peers: WeakMap<Duplex, Peer>,
): tls.Server {
  const server = tls.createServer({
    ...secureContextOptions(options),
    ALPNProtocols: ["h2", "http/1.1"],
    requestCert: options.clientCa !== undefined,
    rejectUnauthorized: false,
    handshakeTimeout: limits.handshakeTimeoutMs,
    allowHalfOpen: true,
    ...(options.byName !== undefined && { SNICallback: contextByName(options.byName) }),
  });
  server.on("secureConnection", (socket) => {
    const certificate = socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined;
    const address = { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    peers.set(socket, certificate === undefined ? address : { ...address, certificate });
    (socket.alpnProtocol === "h2" ? second : http1).emit("connection", socket);
  });
  server.on("tlsClientError", (_error, socket) => void socket.destroy());
  return server;
}

function secureContextOptions(options: Tls): tls.SecureContextOptions {
  return {
    cert: options.certificate,
    key: options.key,
    minVersion: "TLSv1.2",
    ...(options.clientCa !== undefined && { ca: options.clientCa }),
  };
}

function contextByName(
  byName: NonNullable<Tls["byName"]>,
): (name: string, done: (error: Error | null, context?: tls.SecureContext) => void) => void {
  return (name, done) => {
    const identity = byName.get(name);
    done(
      null,
      identity && tls.createSecureContext({ cert: identity.certificate, key: identity.key, minVersion: "TLSv1.2" }),
    );
  };
}

const noPeer: Peer = { address: "", port: 0 };

function peerOf(peers: WeakMap<Duplex, Peer>, socket: Duplex): Peer {
  return peers.get(socket) ?? noPeer;
}
