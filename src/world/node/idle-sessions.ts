import type http2 from "node:http2";
import { connectionCheckIntervalMs, keepAliveTimeoutMs, lingerMs, smallAnswerBytes } from "./http-limits.ts";

interface Idle {
  /** Streams whose answers go on. */
  streams: number;
  /** When the last of them ended, or was answered at once. */
  sinceMs: number;
}

/**
 * HTTP/2 sessions and whether anything is asked over them. Those without a request for a while are closed, as upstream does, whatever
 * else they send: a client that pings, or sends the headers of a request byte by byte, holds none for ever.
 */
export class IdleSessions {
  readonly #sessions = new Map<http2.Http2Session, Idle>();
  readonly #timeoutMs: number;
  readonly #checks: NodeJS.Timeout;

  constructor(timeoutMs = keepAliveTimeoutMs) {
    this.#timeoutMs = timeoutMs;
    this.#checks = setInterval(() => this.#closeIdle(), Math.min(connectionCheckIntervalMs, timeoutMs / 2)).unref();
  }

  all(): IterableIterator<http2.Http2Session> {
    return this.#sessions.keys();
  }

  add(session: http2.Http2Session): void {
    this.#sessions.set(session, { streams: 0, sinceMs: performance.now() });
    session.on("close", () => this.#sessions.delete(session));
  }

  /** A request came. Most have their answer by now; only one that goes on is followed to its end. */
  asked(session: http2.Http2Session, stream: http2.ServerHttp2Stream): void {
    const idle = this.#sessions.get(session);
    if (idle === undefined) return;
    idle.sinceMs = performance.now();
    if (stream.writableEnded && stream.writableLength <= smallAnswerBytes) return;
    idle.streams += 1;
    stream.on("close", () => {
      idle.streams -= 1;
      if (idle.streams === 0) idle.sinceMs = performance.now();
    });
  }

  /** Closes no session any more. */
  stop(): void {
    clearInterval(this.#checks);
  }

  #closeIdle(): void {
    const now = performance.now();
    for (const [session, { streams, sinceMs }] of this.#sessions) {
      if (streams > 0 || now - sinceMs < this.#timeoutMs || session.closed) continue;
      session.close();
      // A client that leaves its end open holds the connection no longer for that.
      setTimeout(() => session.destroy(), lingerMs).unref();
    }
  }
}
