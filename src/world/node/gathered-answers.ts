import { answersGatheredMs } from "./http-limits.ts";

/**
 * Holds small answers back until the requests of this turn are read, or a millisecond has passed, and sends them together:
 * a client that sleeps is then woken once for a group and not for each of them, which costs more than the answers themselves.
 * (To cork the socket does not hold them back: when an answer ends, Node uncorks its socket, whoever corked it.)
 */
export class GatheredAnswers {
  #waiting: (() => void)[] = [];
  #sinceMs = 0;

  /** Calls `send` with those of the group. */
  add(send: () => void): void {
    const nowMs = performance.now();
    if (this.#waiting.length === 0) {
      this.#sinceMs = nowMs;
      setImmediate(() => this.#send());
    } else if (answersGatheredMs < nowMs - this.#sinceMs) {
      this.#send();
      this.#sinceMs = nowMs;
    }
    this.#waiting.push(send);
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const send of waiting) send();
  }
}
