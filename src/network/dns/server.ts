import type { Timers } from "#world/clock.ts";
import type { Connection, DatagramSocket, Listener, Sockets } from "#world/sockets.ts";
import { answer } from "./answer.ts";
import { frame, FrameReader, withId, type Forwarder } from "./forward.ts";
import { connectionIdleMs, connectionsMax, messageBytesMax, udpAnswerBytesMax, udpAnswerBytesPlain } from "./limits.ts";
import type { DnsMeasures } from "./measures.ts";
import {
  codes,
  emptyAnswer,
  parseQuery,
  readRecords,
  writeAnswer,
  writeFormatError,
  writeQuestion,
  type Answer,
  type Query,
} from "./wire.ts";
import type { Zone } from "./zone.ts";

export interface DnsServerOptions {
  readonly sockets: Sockets;
  readonly timers: Timers;
  readonly zone: Zone;
  readonly forwarder: Forwarder;
  readonly address: string;
  /** 53 outside of tests. */
  readonly port: number;
  /** Absent: nobody measures. */
  readonly measures?: DnsMeasures | undefined;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface DnsServer {
  readonly port: number;
  /** Questions answered since the start. */
  readonly answered: number;
  close(): Promise<void>;
}

/** Answers on UDP and TCP. Rejects with `AddressInUseError` when somebody else has the port. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { sockets, address } = options;
  let answered = 0;
  const udp: DatagramSocket = await sockets.datagram({ host: address, port: options.port }, (message, from) => {
    void respond(options, message, false).then((reply) => {
      if (reply === undefined) return;
      answered += 1;
      udp.send(reply, from.port, from.address);
    });
  });
  let tcp: Listener;
  try {
    const open = { count: 0 };
    tcp = await sockets.listen({ host: address, port: udp.port }, (connection) => {
      serveConnection(options, connection, open, () => (answered += 1));
    });
  } catch (error) {
    udp.close();
    throw error;
  }
  return {
    port: udp.port,
    get answered() {
      return answered;
    },
    close: async () => {
      udp.close();
      await tcp.close();
    },
  };
}

function serveConnection(
  options: DnsServerOptions,
  connection: Connection,
  open: { count: number },
  count: () => void,
): void {
  open.count += 1;
  let idle = options.timers.after(connectionIdleMs, () => connection.destroy());
  const frames = new FrameReader((message) => {
    void respond(options, message, true).then((reply) => {
      if (reply === undefined) return connection.destroy();
      count();
      // A client that asks on but does not read is cut off rather than buffered for.
      if (!connection.write(frame(reply))) connection.destroy();
    });
  });
  connection.start({
    data: (chunk) => {
      idle.cancel();
      idle = options.timers.after(connectionIdleMs, () => connection.destroy());
      frames.push(chunk);
    },
    end: () => connection.end(),
    close: () => {
      idle.cancel();
      open.count -= 1;
    },
    drain: () => undefined,
  });
  if (connectionsMax < open.count) connection.destroy();
}

/** The answer to a message; undefined for what deserves none. Never rejects. */
export async function respond(
  options: RespondOptions,
  message: Uint8Array,
  stream: boolean,
): Promise<Uint8Array | undefined> {
  const { measures } = options;
  const sinceMs = measures?.now() ?? 0;
  const parsed = parseQuery(message);
  if (parsed.kind === "drop") return undefined;
  if (parsed.kind === "bad") return writeFormatError(parsed.id);
  const { query } = parsed;
  const { reply, isOwn } = await replyTo(options, query, stream);
  measures?.answered({
    type: query.type,
    isStream: stream,
    isOwn,
    requestBytes: message.length,
    reply,
    sinceMs,
  });
  return reply;
}

type RespondOptions = Pick<DnsServerOptions, "zone" | "forwarder" | "measures" | "onProblem">;

interface Reply {
  readonly reply: Uint8Array;
  /** Nobody else was asked for it as a whole. */
  readonly isOwn: boolean;
}

async function replyTo(options: RespondOptions, query: Query, stream: boolean): Promise<Reply> {
  const bytesMax = stream ? messageBytesMax : datagramBytesMax(query);
  const own = (told: Answer): Reply => ({ reply: writeAnswer(query, told, bytesMax), isOwn: true });
  try {
    const answered = answer(options.zone, query);
    switch (answered.kind) {
      case "answer":
        return own(answered.answer);
      case "alias":
        return own(await completed(options.forwarder, query, answered.answer, answered.target));
      case "forward":
        return { reply: await forwarded(options.forwarder, query, stream, bytesMax), isOwn: false };
    }
  } catch (error) {
    options.onProblem("dns: cannot answer a question", error);
    return own(emptyAnswer(codes.serverFailure));
  }
}

function datagramBytesMax(query: Query): number {
  const wanted = query.edns?.payloadBytes ?? udpAnswerBytesPlain;
  return Math.min(udpAnswerBytesMax, Math.max(udpAnswerBytesPlain, wanted));
}

async function forwarded(forwarder: Forwarder, query: Query, stream: boolean, bytesMax: number): Promise<Uint8Array> {
  const failure = writeAnswer(query, emptyAnswer(codes.serverFailure), bytesMax);
  if (!query.recursionDesired) return writeAnswer(query, emptyAnswer(codes.refused), bytesMax);
  const reply = await forwarder.ask(query.question, stream);
  if (reply === undefined) return failure;
  if (reply.length <= bytesMax) return withId(reply, query.id);
  const cut = writeAnswer(query, emptyAnswer(codes.ok), bytesMax);
  cut[2] = (cut[2] ?? 0) | 0x02;
  return cut;
}

/** Adds what another server says about the name that an alias of ours leads to. */
async function completed(forwarder: Forwarder, query: Query, known: Answer, target: string): Promise<Answer> {
  const reply = await forwarder.ask(writeQuestion(target, query.type), false);
  const found = reply === undefined ? undefined : readRecords(reply);
  if (found === undefined) return emptyAnswer(codes.serverFailure);
  return { ...known, code: found.code, authoritative: false, answers: [...known.answers, ...found.records] };
}
