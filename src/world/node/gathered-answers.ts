import type { Duplex } from "node:stream";
import { answersGatheredMs } from "./http-limits.ts";

/**
 * Holds small answers back until the requests of this turn are answered, or a millisecond has passed, and sends them together:
 * a client that sleeps is then woken once for a group and not for each of them, which costs more than the answers themselves.
 */
export class GatheredAnswers {
  #sockets: Duplex[] = [];
  #sinceMs = 0;

  /** What is written to the socket from now on goes out with the group. */
  add(socket: Duplex): void {
    const nowMs = performance.now();
    if (this.#sockets.length === 0) {
      this.#sinceMs = nowMs;
      setImmediate(() => this.#send());
    } else if (answersGatheredMs < nowMs - this.#sinceMs) {
      this.#send();
      this.#sinceMs = nowMs;
    }
    socket.cork();
    this.#sockets.push(socket);
  }

  #send(): void {
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.uncork();
  }
}
