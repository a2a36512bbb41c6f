import http2 from "node:http2";
import type tls from "node:tls";
import { parentPort } from "node:worker_threads";
import { connectTls, getBytes, readAnswers, writeBytes } from "./http1.ts";
import type { FetchOrder, LoadOrder, Order, ProbeOrder, WatchOrder } from "./orders.ts";
import type { Target } from "./target.ts";

/** The client side of the API's benches, on a thread of its own. */
const port = parentPort!;
const streamsPerConnection = 8;
let serial = 0;
const types: Readonly<Record<string, string>> = {
  patch: "application/merge-patch+json",
  apply: "application/apply-patch+yaml",
};

function fail(error: Error): void {
  port.postMessage({ error: error.message });
}

/** Sends a request; `done` gets the status of its answer. */
type Sender = (done: (status: number) => void) => void;

interface Prepared {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly type: string;
}

/** A load under way. */
interface Load extends LoadOrder {
  /** How many requests were made. */
  sent: number;
}

function prepared(load: Load, place: number): Prepared {
  const { shape, path, prefix } = load;
  const type = types[shape] ?? "application/json";
  if (shape === "get") return { method: "GET", path: path.replace("SERIAL", String(load.sent)), body: "", type };
  if (shape === "delete") return { method: "DELETE", path: `${path}/${prefix}${load.sent}`, body: "", type };
  serial += 1;
  const name = shape === "create" ? `${prefix}${load.sent}` : `u${place}`;
  const body = load.body.replace("NAME", name).replace("SERIAL", String(serial).padStart(9, "0"));
  if (shape === "create") return { method: "POST", path, body, type };
  if (shape === "update") return { method: "PUT", path: `${path}/${name}`, body, type };
  const query = shape === "apply" ? "?fieldManager=bench&force=true" : "";
  return { method: "PATCH", path: `${path}/${name}${query}`, body, type };
}

function http1Sender(order: Load, place: number): Promise<{ send: Sender; close: () => void }> {
  const { target } = order;
  const socket = connectTls(target);
  socket.on("error", fail);
  let waiting: (status: number) => void = () => undefined;
  readAnswers(socket, (status) => waiting(status));
  const get = order.path.includes("SERIAL") ? undefined : getBytes(target, order.path);
  const send: Sender = (done) => {
    waiting = done;
    if (order.shape === "get" && get !== undefined) {
      socket.write(get);
      return;
    }
    const { method, path, body, type } = prepared(order, place);
    if (method === "GET") socket.write(getBytes(target, path));
    else socket.write(writeBytes(target, method, path, body, type));
  };
  return new Promise((resolve) =>
    socket.on("secureConnect", () => resolve({ send, close: () => void socket.destroy() })),
  );
}

function session(target: Target): http2.ClientHttp2Session {
  const made = http2.connect(`https://${target.serverName}`, {
    createConnection: () => connectTls(target, "h2"),
    settings: { initialWindowSize: 1 << 20 },
  });
  made.on("error", fail);
  return made;
}

function headersOf(target: Target): Record<string, string> {
  return {
    ":authority": target.serverName,
    "user-agent": "bench",
    accept: "application/json",
    ...(target.token !== undefined && { authorization: `Bearer ${target.token}` }),
  };
}

function http2Sender(order: Load, over: http2.ClientHttp2Session, place: number): Sender {
  const common = headersOf(order.target);
  return (done) => {
    const { method, path, body, type } = prepared(order, place);
    const kind = body === "" ? {} : { "content-type": type };
    const stream = over.request({ ...common, ...kind, ":method": method, ":path": path }, { endStream: body === "" });
    let status = 0;
    stream.on("response", (headers) => {
      status = headers[":status"] ?? 0;
    });
    stream.on("end", () => done(status));
    stream.on("error", fail);
    stream.resume();
    if (body !== "") stream.end(body);
  };
}

async function load(asked: LoadOrder): Promise<void> {
  const order: Load = { ...asked, sent: 0 };
  const countMax = order.countMax ?? Number.POSITIVE_INFINITY;
  const senders: Sender[] = [];
  const closes: (() => void)[] = [];
  if (order.protocol === "HTTP/1.1") {
    const all = await Promise.all(Array.from({ length: order.width }, (_, place) => http1Sender(order, place)));
    for (const { send, close } of all) {
      senders.push(send);
      closes.push(close);
    }
  } else {
    for (let place = 0; place < order.width; place += streamsPerConnection) {
      const over = session(order.target);
      closes.push(() => over.destroy());
      for (let i = place; i < Math.min(place + streamsPerConnection, order.width); i += 1)
        senders.push(http2Sender(order, over, i));
    }
  }
  const latencies: number[] = [];
  let failures = 0;
  senders.splice(countMax);
  let left = senders.length;
  const started = performance.now();
  for (const send of senders) {
    const once = (): void => {
      const sentAt = performance.now();
      order.sent += 1;
      send((status) => {
        const now = performance.now();
        latencies.push(now - sentAt);
        if (status >= 300 || status === 0) failures += 1;
        if (now - started < order.durationMs && order.sent < countMax) once();
        else if ((left -= 1) === 0) {
          for (const close of closes) close();
          answerLoad(latencies, failures, now - started);
        }
      });
    };
    once();
  }
}

function answerLoad(latencies: number[], failures: number, elapsedMs: number): void {
  const count = latencies.length;
  latencies.sort((left, right) => left - right);
  const at = (part: number): number => latencies[Math.floor(count * part)] ?? 0;
  port.postMessage({
    perSecond: (count * 1_000) / elapsedMs,
    count,
    failures,
    medianMs: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
  });
}

function fetchTimes(order: FetchOrder): void {
  const times: number[] = [];
  const socket = connectTls(order.target);
  socket.on("error", fail);
  let sentAt = 0;
  const send = (): void => {
    sentAt = performance.now();
    socket.write(getBytes(order.target, order.path, order.accept));
  };
  readAnswers(socket, (status, bytes) => {
    if (status >= 300) fail(new Error(`GET ${order.path}: ${status}`));
    times.push(performance.now() - sentAt);
    if (times.length < order.times) send();
    else {
      socket.destroy();
      const sorted = times.toSorted((left, right) => left - right);
      port.postMessage({ medianMs: sorted[sorted.length >> 1], allMs: times, bytes });
    }
  });
  socket.on("secureConnect", send);
}

let probing: { stop: () => void } | undefined;

/** Open loop: a request that is late counts from when it was due. */
async function probe(order: ProbeOrder): Promise<void> {
  const latencies: number[] = [];
  let failures = 0;
  const idle: { send: (due: number) => void }[] = [];
  const due: number[] = [];
  const bytes = getBytes(order.target, order.path);
  const open = async (): Promise<tls.TLSSocket> => {
    const socket = connectTls(order.target);
    socket.on("error", fail);
    await new Promise<void>((resolve) => socket.on("secureConnect", () => resolve()));
    let since = 0;
    const one = {
      send: (at: number) => {
        since = at;
        socket.write(bytes);
      },
    };
    readAnswers(socket, (status) => {
      latencies.push(performance.now() - since);
      if (status >= 300) failures += 1;
      const next = due.shift();
      if (next === undefined) idle.push(one);
      else one.send(next);
    });
    idle.push(one);
    return socket;
  };
  const sockets = await Promise.all(Array.from({ length: order.connections }, open));
  const started = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const one = idle.pop();
    if (one === undefined) due.push(now);
    else one.send(now);
  }, order.everyMs);
  probing = {
    stop: () => {
      clearInterval(timer);
      const elapsedMs = performance.now() - started;
      for (const socket of sockets) socket.destroy();
      answerLoad(latencies, failures, elapsedMs);
    },
  };
  port.postMessage({ ready: true });
}

let watching: (() => void)[] = [];
let watchers = 0;
let events = 0;
/** How many each watcher has got. */
let seen: Watched[] = [];
let seenAt: number[] = [];
let isAwaited = false;

interface Watched {
  events: number;
  /** The last chunk ended within an event's last two bytes. */
  isAtBrace: boolean;
}

function sawEvents(count: number): void {
  events += count;
  seenAt.push(performance.timeOrigin + performance.now());
  answerChange();
}

function answerChange(): void {
  if (!isAwaited || seenAt.length < watchers) return;
  isAwaited = false;
  const p99At = seenAt[Math.floor(seenAt.length * 0.99)]!;
  port.postMessage({ lastAt: seenAt.at(-1)!, p99At });
  seenAt = [];
}

function countEvents(chunk: Buffer, of: Watched): void {
  let count = of.isAtBrace && chunk[0] === 0x0a ? 1 : 0;
  for (let at = chunk.indexOf("}\n"); at !== -1; at = chunk.indexOf("}\n", at + 2)) count += 1;
  of.isAtBrace = chunk.at(-1) === 0x7d;
  of.events += count;
  if (count > 0) sawEvents(count);
}

function newWatched(): Watched {
  const watched = { events: 0, isAtBrace: false };
  seen.push(watched);
  return watched;
}

function watchHttp1(order: WatchOrder, opened: () => void): void {
  const socket = connectTls(order.target);
  const watched = newWatched();
  watching.push(() => void socket.destroy());
  let hasHead = false;
  socket.on("data", (chunk: Buffer) => {
    if (!hasHead) {
      if (!chunk.includes("\r\n\r\n")) return;
      if (!chunk.subarray(0, 12).includes("200")) fail(new Error(chunk.toString().slice(0, 300)));
      hasHead = true;
      opened();
      return;
    }
    countEvents(chunk, watched);
  });
  socket.on("error", fail);
  socket.on("end", () => fail(new Error(`a watch ended after ${watched.events} events`)));
  socket.on("secureConnect", () => socket.write(getBytes(order.target, order.path)));
}

/** Opens watches a few at a time, so that the listener's queue does not overflow. */
function watchAll(order: WatchOrder): void {
  watchers = order.watchers;
  seenAt = [];
  events = 0;
  seen = [];
  let ready = 0;
  let started = 0;
  const sessions: http2.ClientHttp2Session[] = [];
  if (order.protocol === "HTTP/2") {
    for (let i = 0; i < (order.connections ?? 1); i += 1) {
      const made = session(order.target);
      made.setMaxListeners(0);
      sessions.push(made);
      watching.push(() => made.destroy());
    }
  }
  const headers = { ...headersOf(order.target), ":path": order.path };
  const next = (): void => {
    if (started === order.watchers) return;
    const over = sessions[started % sessions.length];
    started += 1;
    const opened = (): void => {
      ready += 1;
      if (ready === order.watchers) port.postMessage({ ready: true });
      else next();
    };
    if (over === undefined) watchHttp1(order, opened);
    else {
      const stream = over.request(headers);
      stream.on("response", (answer) => {
        if (answer[":status"] !== 200) fail(new Error(`watch: ${answer[":status"]}`));
        opened();
      });
      const watched = newWatched();
      stream.on("data", (chunk: Buffer) => countEvents(chunk, watched));
      stream.on("error", fail);
    }
  };
  for (let i = 0; i < 64; i += 1) next();
}

port.on("message", (order: Order) => {
  switch (order.type) {
    case "load":
      void load(order).catch(fail);
      return;
    case "fetch":
      fetchTimes(order);
      return;
    case "probe":
      void probe(order).catch(fail);
      return;
    case "end probe":
      probing?.stop();
      return;
    case "watch":
      watchAll(order);
      return;
    case "await change":
      isAwaited = true;
      answerChange();
      return;
    case "count events":
      port.postMessage({ events, least: seen.reduce((least, one) => Math.min(least, one.events), events) });
      return;
    case "unwatch":
      for (const close of watching) close();
      watching = [];
      port.postMessage({ ready: true });
  }
});
