import { fdatasync, openSync, rmSync, write } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";

/**
 * The floor: a bare Node server of either protocol, in a process of its own. GET answers bytes; a write is read and answered, below
 * /durable also parsed, encoded and synced to the disk in groups; /list streams; /watch stays open until a change comes. /review
 * allows what it is asked as an admission webhook.
 * Below /durable/each every write is synced by itself, whoever else waits.
 */
interface Start {
  readonly certificate: string;
  readonly key: string;
  readonly file: string;
}

export interface BarePorts {
  readonly http1: number;
  readonly http2: number;
}

const sliceBytes = 512 * 1024;
type Request = IncomingMessage | http2.Http2ServerRequest;
/** What both kinds of answers can do: their types have no call in common. */
interface Response {
  writeHead(status: number, headers: Record<string, string | number>): unknown;
  write(bytes: Uint8Array): boolean;
  end(bytes?: Uint8Array): unknown;
  on(event: "close", done: () => void): unknown;
  once(event: "drain", done: () => void): unknown;
  flushHeaders?(): void;
}

const watching = new Set<Response>();
const prepared = new Map<number, Buffer>();

function bytesOf(length: number): Buffer {
  let known = prepared.get(length);
  if (known === undefined) prepared.set(length, (known = Buffer.alloc(length, 0x78)));
  return known;
}

let path = "";
let file = -1;
let gathered: { readonly bytes: Buffer; readonly done: () => void }[] = [];
let isSyncing = false;

function durable(bytes: Buffer, done: () => void): void {
  gathered.push({ bytes, done });
  if (!isSyncing) sync();
}

function sync(): void {
  isSyncing = true;
  const group = gathered;
  gathered = [];
  write(file, Buffer.concat(group.map(({ bytes }) => bytes)), (failure) => {
    if (failure !== null) throw failure;
    fdatasync(file, (error) => {
      if (error !== null) throw error;
      for (const { done } of group) done();
      if (gathered.length > 0) sync();
      else isSyncing = false;
    });
  });
}

/** The same for a write by itself: as a server does that knows nothing of what others wait for. */
function durableAlone(bytes: Buffer, done: () => void): void {
  write(file, bytes, (failure) => {
    if (failure !== null) throw failure;
    fdatasync(file, (error) => {
      if (error !== null) throw error;
      done();
    });
  });
}

function send(response: Response, status: number, bytes: Buffer): void {
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  response.end(bytes);
}

function stream(response: Response, length: number): void {
  response.writeHead(200, { "content-type": "application/json" });
  let left = length;
  const more = (): void => {
    while (left > 0) {
      const size = Math.min(left, sliceBytes);
      left -= size;
      // As a list is: fresh bytes, copied together.
      const fresh = Buffer.allocUnsafeSlow(size);
      bytesOf(sliceBytes).copy(fresh, 0, 0, size);
      if (!response.write(fresh)) {
        response.once("drain", more);
        return;
      }
    }
    response.end();
  };
  more();
}

function answer(request: Request, response: Response): void {
  const url = request.url ?? "/";
  const length = Number(/bytes=(\d+)/.exec(url)?.[1] ?? "2048");
  if (url.startsWith("/watch")) {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders?.();
    watching.add(response);
    response.on("close", () => watching.delete(response));
    return;
  }
  if (url.startsWith("/list")) return stream(response, length);
  if (request.method === "GET") return send(response, 200, bytesOf(length));
  const chunks: Buffer[] = [];
  (request as IncomingMessage).on("data", (chunk: Buffer) => chunks.push(chunk));
  (request as IncomingMessage).on("end", () => {
    if (url.startsWith("/review")) return send(response, 200, allowed(Buffer.concat(chunks).toString()));
    if (!url.startsWith("/durable")) return send(response, 200, bytesOf(length));
    const encoded = Buffer.from(JSON.stringify(JSON.parse(Buffer.concat(chunks).toString())));
    const keep = url.startsWith("/durable/each") ? durableAlone : durable;
    keep(encoded, () => send(response, 201, encoded));
  });
}

function allowed(text: string): Buffer {
  const { apiVersion, kind, request } = JSON.parse(text) as Readonly<Record<string, { readonly uid: string }>>;
  return Buffer.from(JSON.stringify({ apiVersion, kind, response: { uid: request?.uid, allowed: true } }));
}

/** The compatibility layer of HTTP/2, where a call without bytes has another signature. */
function answerOf(response: http2.Http2ServerResponse): Response {
  return {
    writeHead: (status, headers) => response.writeHead(status, headers),
    write: (bytes) => response.write(bytes),
    end: (bytes) => (bytes === undefined ? response.end() : response.end(bytes)),
    on: (_event, done) => response.on("close", done),
    once: (_event, done) => response.once("drain", done),
  };
}

function listen(server: https.Server | http2.Http2SecureServer): Promise<number> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

process.on("message", (message: Start | { readonly change: string }) => {
  if ("change" in message) {
    const frame = Buffer.from(message.change);
    for (const response of watching) response.write(frame);
    return;
  }
  const identity = { cert: message.certificate, key: message.key };
  path = message.file;
  file = openSync(path, "a");
  const settings = { maxConcurrentStreams: 10_000 };
  const first = https.createServer(identity, (request, response) => answer(request, response));
  const second = http2.createSecureServer({ ...identity, settings }, (request, response) =>
    answer(request, answerOf(response)),
  );
  void Promise.all([listen(first), listen(second)]).then(([http1, http2]) => process.send!({ http1, http2 }));
});
function end(): void {
  if (path !== "") rmSync(dirname(path), { recursive: true, force: true });
  process.exit(0);
}
process.on("disconnect", end);
process.on("SIGTERM", end);
