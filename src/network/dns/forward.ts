import { concatBytes } from "#base/bytes.ts";
import { parseIpv4 } from "#base/cidr.ts";
import type { Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { Connection, DatagramSocket, Sockets } from "#world/sockets.ts";
import {
  forwardedInFlightMax,
  forwardTimeoutMs,
  messageBytesMax,
  upstreamsMax,
  upstreamTimeoutMs,
  waitersPerQuestionMax,
} from "./limits.ts";
import { answersQuestion, writeQuery } from "./wire.ts";

export interface ForwarderOptions {
  readonly sockets: Sockets;
  readonly timers: Timers;
  readonly random: Random;
  /** IPv4 addresses of the resolvers to ask, in order; looked up at each question. */
  readonly upstreams: () => readonly string[];
  /** Port of the resolvers; 53 outside of tests. */
  readonly upstreamPort?: number;
}

/** Asks other servers. */
export interface Forwarder {
  /**
   * The raw answer to a question, under id 0; undefined when no server answered in time or too many questions are under way.
   * `stream`: over TCP, for answers that are too long for a datagram.
   */
  ask(question: Uint8Array, stream: boolean): Promise<Uint8Array | undefined>;
}

/**
 * One question is under way once, however many ask it. That also ends loops: when an upstream asks us what we asked it, the
 * question joins itself and both run into the time limit.
 */
export function createForwarder(options: ForwarderOptions): Forwarder {
  const underWay = new Map<string, { readonly answer: Promise<Uint8Array | undefined>; waiters: number }>();
  return {
    ask(question, stream) {
      const key = `${stream ? "t" : "u"}${String.fromCharCode(...question)}`;
      const known = underWay.get(key);
      if (known !== undefined) {
        if (waitersPerQuestionMax <= known.waiters) return Promise.resolve(undefined);
        known.waiters += 1;
        return known.answer;
      }
      if (forwardedInFlightMax <= underWay.size) return Promise.resolve(undefined);
      const answer = askInTurn(options, question, stream).finally(() => underWay.delete(key));
      underWay.set(key, { answer, waiters: 1 });
      return answer;
    },
  };
}

async function askInTurn(
  options: ForwarderOptions,
  question: Uint8Array,
  stream: boolean,
): Promise<Uint8Array | undefined> {
  let leftMs = forwardTimeoutMs;
  for (const upstream of options.upstreams().slice(0, upstreamsMax)) {
    const timeoutMs = Math.min(upstreamTimeoutMs, leftMs);
    if (timeoutMs <= 0) return undefined;
    try {
      const answer = await (stream ? askStream : askDatagram)(options, upstream, question, timeoutMs);
      if (answer !== undefined) return answer;
    } catch {
      // The next server may be reachable; when none is, the caller says SERVFAIL.
    }
    leftMs -= timeoutMs;
  }
  return undefined;
}

/** A socket of its own for each question: the random port guards against forged answers together with the random id. */
async function askDatagram(
  options: ForwarderOptions,
  upstream: string,
  question: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array | undefined> {
  const port = options.upstreamPort ?? 53;
  const id = randomId(options.random);
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const socket: DatagramSocket = await options.sockets.datagram({ host: "0.0.0.0", port: 0 }, (message, from) => {
    if (from.address === upstream && from.port === port && answersQuestion(message, id, question))
      resolve(withId(message, 0));
  });
  const timer = options.timers.after(timeoutMs, () => resolve(undefined));
  try {
    socket.send(writeQuery(id, question), port, upstream);
    return await promise;
  } finally {
    timer.cancel();
    socket.close();
  }
}

async function askStream(
  options: ForwarderOptions,
  upstream: string,
  question: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array | undefined> {
  const connection: Connection = await options.sockets.connect(
    { host: upstream, port: options.upstreamPort ?? 53 },
    timeoutMs,
  );
  const id = randomId(options.random);
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const frames = new FrameReader((message) => {
    if (answersQuestion(message, id, question)) resolve(withId(message, 0));
  });
  const timer = options.timers.after(timeoutMs, () => resolve(undefined));
  connection.start({
    data: (chunk) => frames.push(chunk),
    end: () => resolve(undefined),
    close: () => resolve(undefined),
    drain: () => undefined,
  });
  connection.write(frame(writeQuery(id, question)));
  const answer = await promise;
  timer.cancel();
  connection.destroy();
  return answer;
}

/** A copy of a message under another id. */
export function withId(message: Uint8Array, id: number): Uint8Array {
  const copy = message.slice();
  copy[0] = id >>> 8;
  copy[1] = id & 255;
  return copy;
}

/** A message as TCP carries it: its length before it. */
export function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(message.length + 2);
  framed[0] = message.length >>> 8;
  framed[1] = message.length & 255;
  framed.set(message, 2);
  return framed;
}

/** Cuts a TCP stream into messages; holds at most one. */
export class FrameReader {
  readonly #message: (message: Uint8Array) => void;
  #rest = new Uint8Array(0);

  constructor(message: (message: Uint8Array) => void) {
    this.#message = message;
  }

  push(chunk: Uint8Array): void {
    const all = concatBytes([this.#rest, chunk]);
    let at = 0;
    while (at + 2 <= all.length) {
      const end = at + 2 + (((all[at] ?? 0) << 8) | (all[at + 1] ?? 0));
      if (all.length < end) break;
      this.#message(all.slice(at + 2, end));
      at = end;
    }
    this.#rest = all.slice(at, at + 2 + messageBytesMax);
  }
}

/** The servers that resolv.conf(5) names, without those in `except` (ourselves). IPv4 only. */
export function upstreamsOf(resolvConf: string, except: readonly string[]): string[] {
  const servers = resolvConf
    .split("\n")
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1])
    .filter((address): address is string => address !== undefined && parseIpv4(address) !== undefined);
  return [...new Set(servers)].filter((address) => !except.includes(address)).slice(0, upstreamsMax);
}

function randomId(random: Random): number {
  const [high = 0, low = 0] = random.bytes(2);
  return (high << 8) | low;
}
