import tls from "node:tls";
import { parentPort, workerData } from "node:worker_threads";

/**
 * The client side of benches/api.ts, on a thread of its own. Speaks HTTP/1.1 by hand over TLS, so that what is measured is the
 * server: requests are prepared bytes, of answers only the length is read.
 */

export interface LoadOrder {
  readonly type: "load";
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  readonly shape: "get" | "create" | "update";
  readonly path: string;
  /** JSON with NAME where the object's name goes. */
  readonly body: string;
}

export interface FetchOrder {
  readonly type: "fetch";
  readonly port: number;
  readonly path: string;
  readonly times: number;
}

export interface WatchOrder {
  readonly type: "watch";
  readonly port: number;
  readonly path: string;
  readonly watchers: number;
}

export type Order = LoadOrder | FetchOrder | WatchOrder | { readonly type: "unwatch" };

const port = parentPort!;
const { ca } = workerData as { ca: string };
let names = 0;

function connect(to: number): tls.TLSSocket {
  return tls.connect({ host: "127.0.0.1", port: to, ca, servername: "localhost", ALPNProtocols: ["http/1.1"] });
}

/** Calls back for each whole answer; content-length or chunked. */
function readAnswers(socket: tls.TLSSocket, answered: (status: number, bytes: number) => void): void {
  let gathered: Buffer = Buffer.alloc(0);
  let missing = 0;
  let status = 0;
  let total = 0;
  let isChunked = false;
  socket.on("data", (chunk: Buffer) => {
    if (missing > 0 && chunk.length < missing) {
      missing -= chunk.length;
      return;
    }
    gathered = missing > 0 ? chunk.subarray(missing) : gathered.length === 0 ? chunk : Buffer.concat([gathered, chunk]);
    if (missing > 0) {
      missing = 0;
      answered(status, total);
    }
    while (gathered.length > 0) {
      if (isChunked) {
        total += gathered.length;
        const isLast = gathered.subarray(-5).toString("latin1") === "0\r\n\r\n";
        gathered = Buffer.alloc(0);
        if (!isLast) return;
        isChunked = false;
        answered(status, total);
        return;
      }
      const end = gathered.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = gathered.toString("latin1", 0, end);
      status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: (\d+)/i.exec(head);
      if (length === null) {
        isChunked = true;
        total = 0;
        gathered = gathered.subarray(end + 4);
        continue;
      }
      total = Number(length[1]);
      const have = gathered.length - end - 4;
      if (have < total) {
        missing = total - have;
        gathered = Buffer.alloc(0);
        return;
      }
      gathered = gathered.subarray(end + 4 + total);
      answered(status, total);
    }
  });
}

function requestBytes(order: LoadOrder, connection: number): Buffer {
  if (order.shape === "get")
    return Buffer.from(`GET ${order.path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\r\n`);
  const name = order.shape === "create" ? `o${names++}` : `u${connection}`;
  const body = Buffer.from(order.body.replace("NAME", name).replace("SERIAL", String(names++).padStart(9, "0")));
  const isCreate = order.shape === "create";
  const line = isCreate ? `POST ${order.path}` : `PUT ${order.path}/${name}`;
  const common = "host: localhost\r\nauthorization: Bearer x\r\ncontent-type: application/json";
  const head = `${line} HTTP/1.1\r\n${common}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

function load(order: LoadOrder): void {
  const latencies: number[] = [];
  let failures = 0;
  let open = 0;
  let started = 0;
  let count = 0;
  for (let connection = 0; connection < order.connections; connection++) {
    const socket = connect(order.port);
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(requestBytes(order, connection));
    };
    readAnswers(socket, (status) => {
      const now = performance.now();
      count += 1;
      latencies.push(now - sentAt);
      if (status >= 300) failures += 1;
      if (now - started < order.durationMs) send();
      else {
        socket.destroy();
        open -= 1;
        if (open > 0) return;
        latencies.sort((left, right) => left - right);
        const perSecond = (count * 1_000) / (now - started);
        port.postMessage({ perSecond, p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0, failures });
      }
    });
    socket.on("error", (error) => port.postMessage({ error: error.message }));
    socket.on("secureConnect", () => {
      open += 1;
      if (open < order.connections) return;
      started = performance.now();
      for (const go of all) go();
    });
    all.push(send);
  }
}
let all: (() => void)[] = [];

function fetchTimes(order: FetchOrder): void {
  const times: number[] = [];
  let bytes = 0;
  const socket = connect(order.port);
  let sentAt = 0;
  const send = (): void => {
    sentAt = performance.now();
    socket.write(`GET ${order.path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  };
  readAnswers(socket, (_status, length) => {
    bytes = length;
    times.push(performance.now() - sentAt);
    if (times.length < order.times) send();
    else {
      socket.destroy();
      times.sort((left, right) => left - right);
      port.postMessage({ medianMs: times[Math.floor(times.length / 2)], bytes });
    }
  });
  socket.on("secureConnect", send);
}

const watching: tls.TLSSocket[] = [];

/** Opens watches; says "ready", then for each change the wall-clock time at which the last watcher had it. */
function watchAll(order: WatchOrder): void {
  let ready = 0;
  let received = 0;
  for (let i = 0; i < order.watchers; i++) {
    const socket = connect(order.port);
    watching.push(socket);
    let hasHead = false;
    socket.on("data", (chunk: Buffer) => {
      if (!hasHead) {
        if (!chunk.includes("\r\n\r\n")) return;
        hasHead = true;
        ready += 1;
        if (ready === order.watchers) port.postMessage({ ready: true });
        return;
      }
      // An event ends with a newline inside its chunk; the head of a chunk may come alone.
      if (!chunk.includes("}\n")) return;
      received += 1;
      if (received === order.watchers) {
        received = 0;
        port.postMessage({ lastAt: performance.timeOrigin + performance.now() });
      }
    });
    socket.on("error", (error) => port.postMessage({ error: error.message }));
    socket.on("secureConnect", () => socket.write(`GET ${order.path} HTTP/1.1\r\nhost: localhost\r\n\r\n`));
  }
}

port.on("message", (order: Order) => {
  all = [];
  if (order.type === "load") load(order);
  else if (order.type === "fetch") fetchTimes(order);
  else if (order.type === "watch") watchAll(order);
  else for (const socket of watching.splice(0)) socket.destroy();
});
