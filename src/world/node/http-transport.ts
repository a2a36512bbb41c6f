import type http from "node:http";
import type https from "node:https";
import { lookup } from "node:dns";
import net from "node:net";
import { AddressNotAllowedError } from "../http.ts";
import type {
  ByteSink,
  ByteStream,
  Headers,
  HttpRequest,
  HttpResponse,
  Transport,
  TransportOptions,
  UpgradeResult,
} from "../http.ts";
import { StreamConnection } from "./connection.ts";
import { connectTimeoutDefaultMs, transportConnectionsMax, wholeAnswerBytesMax } from "./http-limits.ts";
import { nodeHttp, nodeHttps } from "./node-http.ts";

/** A client side over HTTP/1.1 with connections that are kept. */
export function openTransport(options: TransportOptions): Transport & { close(): void } {
  const base = new URL(options.baseUrl);
  const secure = base.protocol === "https:";
  const tlsOptions = {
    ...(options.ca !== undefined && { ca: options.ca }),
    ...(options.identity !== undefined && { cert: options.identity.certificate, key: options.identity.key }),
    ...(options.serverName !== undefined && { servername: options.serverName }),
    ...(options.insecure === true && { rejectUnauthorized: false }),
    minVersion: "TLSv1.2" as const,
  };
  const pool = {
    keepAlive: true,
    maxSockets: transportConnectionsMax,
    maxFreeSockets: 16,
    scheduling: "lifo" as const,
  };
  const agent = secure ? new nodeHttps.Agent({ ...pool, ...tlsOptions }) : new nodeHttp.Agent(pool);

  const { allowAddress } = options;
  const host = base.hostname.replace(/^\[|\]$/g, "");
  const refusesHost = allowAddress !== undefined && net.isIP(host) !== 0 && !allowAddress(host);
  const requestOptions = (request: HttpRequest, ownConnection: boolean): https.RequestOptions => ({
    host,
    ...(allowAddress !== undefined && { lookup: allowedLookup(allowAddress) }),
    port: base.port === "" ? (secure ? 443 : 80) : Number(base.port),
    method: request.method,
    path: base.pathname === "/" ? request.target : base.pathname.replace(/\/$/, "") + request.target,
    headers: headersOf(request, base.host, options.bearerToken?.()),
    agent: ownConnection ? false : agent,
    ...(ownConnection && secure && { ...tlsOptions, ALPNProtocols: ["http/1.1"] }),
    ...(request.signal !== undefined && { signal: request.signal }),
  });
  const start = (request: HttpRequest, ownConnection: boolean): http.ClientRequest => {
    const outgoing = (secure ? nodeHttps : nodeHttp).request(requestOptions(request, ownConnection));
    boundConnecting(outgoing, options.connectTimeoutMs ?? connectTimeoutDefaultMs);
    return outgoing;
  };
  const once = (request: HttpRequest): Promise<HttpResponse> =>
    new Promise((resolve, reject) => {
      const outgoing = start(request, false);
      outgoing.on("error", (error) => reject(Object.assign(error, { reusedSocket: outgoing.reusedSocket })));
      outgoing.on("response", (incoming) => readAnswer(incoming, resolve, reject));
      outgoing.end(request.body);
    });

  return {
    async send(request) {
      if (refusesHost) throw notAllowed(host);
      try {
        return await once(request);
      } catch (error) {
        if (!mayRetry(request, error)) throw error;
        return once(request);
      }
    },
    upgrade(request) {
      if (refusesHost) return Promise.reject(notAllowed(host));
      return new Promise<UpgradeResult>((resolve, reject) => {
        const outgoing = start(request, true);
        outgoing.on("error", reject);
        outgoing.on("upgrade", (incoming, socket, head) => {
          resolve({
            upgraded: true,
            headers: incoming.headers as Headers,
            connection: new StreamConnection(socket, head),
          });
        });
        outgoing.on("response", (incoming) =>
          readAnswer(incoming, (response) => resolve({ upgraded: false, response }), reject),
        );
        outgoing.end();
      });
    },
    close() {
      agent.destroy();
    },
  };
}

function notAllowed(host: string): AddressNotAllowedError {
  return new AddressNotAllowedError(`address not allowed: ${host}`);
}

/** Resolves a name and hands on only what may be dialled, so that a second, different answer of a name server does no harm. */
function allowedLookup(allowAddress: (address: string) => boolean): net.LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const allowed = addresses.filter(({ address }) => allowAddress(address));
      const [first] = allowed;
      if (first === undefined) return callback(notAllowed(hostname), []);
      if (options.all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}

function headersOf(request: HttpRequest, host: string, token: string | undefined): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = { ...request.headers, host };
  for (const [name, value] of Object.entries(request.headers))
    if (value.includes("\n")) headers[name] = value.split("\n");
  if (token !== undefined && headers.authorization === undefined) headers.authorization = `Bearer ${token}`;
  if (request.body.length > 0) headers["content-length"] = request.body.length;
  return headers;
}

/** A kept connection that the server closed meanwhile: nothing was answered, so a request that changes nothing goes again. */
function mayRetry(request: HttpRequest, error: unknown): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  if (request.signal?.aborted === true || !(error instanceof Error)) return false;
  return "reusedSocket" in error && error.reusedSocket === true && "code" in error && error.code === "ECONNRESET";
}

function boundConnecting(outgoing: http.ClientRequest, timeoutMs: number): void {
  outgoing.on("socket", (socket: net.Socket) => {
    if (!socket.connecting) return;
    socket.setNoDelay(true);
    const timer = setTimeout(
      () => outgoing.destroy(new Error(`cannot connect: no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const clear = (): void => clearTimeout(timer);
    socket.once("connect", clear);
    socket.once("close", clear);
  });
}

function readAnswer(
  incoming: http.IncomingMessage,
  resolve: (response: HttpResponse) => void,
  reject: (error: Error) => void,
): void {
  const status = incoming.statusCode ?? 0;
  const headers = incoming.headers as Headers;
  const length = incoming.headers["content-length"];
  if (length === undefined || wholeAnswerBytesMax < Number(length)) {
    resolve({ status, headers, body: new IncomingStream(incoming) });
    return;
  }
  const chunks: Uint8Array[] = [];
  incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  incoming.on("error", reject);
  incoming.on("end", () => {
    const first = chunks[0];
    resolve({ status, headers, body: chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks) });
  });
}

/** A streamed answer as it comes in. */
class IncomingStream implements ByteStream {
  readonly #incoming: http.IncomingMessage;

  constructor(incoming: http.IncomingMessage) {
    this.#incoming = incoming;
    // Before somebody opens it: an error ends it, which whoever opens it is told.
    incoming.on("error", () => undefined);
  }

  open(sink: ByteSink): void {
    const incoming = this.#incoming;
    let done = false;
    incoming.on("data", (chunk: Uint8Array) => {
      if (!sink.write(chunk)) incoming.pause();
    });
    incoming.on("end", () => {
      if (done) return;
      done = true;
      sink.end();
    });
    const broken = (error?: Error): void => {
      if (done) return;
      done = true;
      sink.abort(error ?? new Error("the connection broke off"));
    };
    incoming.on("error", broken);
    incoming.on("close", () => broken());
  }

  drained(): void {
    this.#incoming.resume();
  }

  close(): void {
    this.#incoming.destroy();
  }
}
