import type { Connection } from "./sockets.ts";

/**
 * Header names in lower case. A header given several times is joined with ", "; in a request that is sent, a value with line
 * breaks (which no received header can have) goes out as several headers.
 */
export type Headers = Readonly<Record<string, string>>;

/** One HTTP request, read whole. Bodies are bounded by whoever accepts them. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as sent, e.g. `/api/v1/pods?limit=5`. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Aborted when the caller goes away or its deadline passes. */
  readonly signal?: AbortSignal;
  /** The caller is of the same process and takes values in place of their JSON, never changing them: `value`, `line`. */
  readonly takesValues?: boolean;
}

/** A line of a stream, as the value that it is the JSON of. */
export interface ValueLine {
  /** Shared by all who get it: nobody changes it. */
  readonly value: unknown;
  /** How many bytes it stands for, about. */
  readonly length: number;
  /** The line itself, with its newline; made when asked for. */
  bytes(): Uint8Array;
}

/** Where a streamed body's bytes go. */
export interface ByteSink {
  /** Hands over bytes (not copied: the writer must not change them afterwards). False: stop until `drained`. */
  write(chunk: Uint8Array): boolean;
  /** Does as `write` with the line's bytes would; present where the reader takes values. */
  line?(line: ValueLine): boolean;
  /** Set where `drained` means that nobody needs the bytes written before it any more: their memory may be used again. */
  readonly returnsMemory?: boolean;
  end(): void;
  /** Breaks the stream off: the reader sees an error, not an end. */
  abort(error: Error): void;
}

/** A body made while it is sent: watches, logs, large lists. */
export interface ByteStream {
  /** Starts writing into `sink`; called once. */
  open(sink: ByteSink): void;
  /** The sink has room again after a `write` that returned false. */
  drained(): void;
  /** The reader went away: free what the stream holds. Not called after `end` or `abort`. */
  close(): void;
}

export type HttpBody = Uint8Array | readonly Uint8Array[] | ByteStream;

export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: HttpBody;
  /** In place of a body, for a request that takes values: shared, nobody changes it. */
  readonly value?: unknown;
}

/** Who is at the other end of a connection, before any token is looked at. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** DER of the client certificate, when the client sent one that the server's client CA signed. */
  readonly certificate?: Uint8Array;
}

/** What answers requests: the API server, the agent's API. Never throws nor rejects. */
export interface HttpHandler {
  /** At once where it can: most reads then take no turn. */
  handle(request: HttpRequest, peer: Peer): HttpResponse | Promise<HttpResponse>;
  /** A request was answered before its body was read whole, so that `handle` never sees it: for whoever notes such things. */
  refused?(request: HttpRequest, peer: Peer, answer: HttpResponse): void;
  /** A request to change protocols (WebSocket, SPDY). The handler owns the connection and answers on it. */
  upgrade?(request: HttpRequest, peer: Peer, connection: Connection): void;
}

/** How a request travels: a direct call, a message port, HTTPS. Rejects only when no answer came at all. */
export interface Transport {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Opens a connection that changes protocol. Absent where the transport cannot. */
  upgrade?(request: HttpRequest): Promise<UpgradeResult>;
}

export type UpgradeResult =
  | { readonly upgraded: true; readonly headers: Headers; readonly connection: Connection }
  | { readonly upgraded: false; readonly response: HttpResponse };

export interface TlsIdentity {
  /** PEM chain, leaf first. */
  readonly certificate: string;
  /** PEM PKCS#8. */
  readonly key: string;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0: a free port. */
  readonly port: number;
  readonly tls?: TlsIdentity & {
    /** PEM; client certificates are asked for and passed on when this CA signed them. */
    readonly clientCa?: string;
    /** Further certificates by server name. */
    readonly byName?: ReadonlyMap<string, TlsIdentity>;
  };
  readonly bodyBytesMax: number;
  /** Time for a client to send a request's body, in milliseconds; absent: five minutes. */
  readonly bodyTimeoutMs?: number;
  /** An HTTP/2 connection without a request is closed after this time, in milliseconds; absent: two minutes. */
  readonly idleTimeoutMs?: number;
}

export interface HttpServer {
  readonly port: number;
  /** New connections get the new certificate; existing ones go on. */
  replaceTls(tls: NonNullable<HttpServerOptions["tls"]>): void;
  /** Stops accepting, ends idle connections, breaks the rest off after `graceMs` milliseconds. */
  close(graceMs: number): Promise<void>;
}

export interface TransportOptions {
  /** e.g. `https://127.0.0.1:6443`. */
  readonly baseUrl: string;
  /** PEM of the CA that must have signed the server's certificate. */
  readonly ca?: string;
  readonly identity?: TlsIdentity;
  readonly bearerToken?: () => string | undefined;
  /** Certificate name to expect when it differs from the host of the URL. */
  readonly serverName?: string;
  /** The server's certificate is not looked at. */
  readonly insecure?: boolean;
  readonly connectTimeoutMs?: number;
  /**
   * Asked with each address before it is dialled; a name is resolved once and what was judged is what is dialled. Requests to
   * other addresses reject with `AddressNotAllowedError`. Absent: all are allowed.
   */
  readonly allowAddress?: (address: string) => boolean;
}

export interface Http {
  /** HTTP/1.1 and, under TLS, HTTP/2 by ALPN. Rejects with `AddressInUseError` when the port is taken. */
  listen(options: HttpServerOptions, handler: HttpHandler): Promise<HttpServer>;
  transport(options: TransportOptions): Transport & { close(): void };
}

export class AddressInUseError extends Error {
  override readonly name = "AddressInUseError";
}

export class AddressNotAllowedError extends Error {
  override readonly name = "AddressNotAllowedError";
}
