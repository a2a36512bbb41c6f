/**
 * Holds small answers back until the requests of this turn are read, or some time has passed, and sends them together:
 * a client that sleeps is then woken once for a group and not for each of them, which costs more than the answers themselves.
 * (To cork the socket does not hold them back: when an answer ends, Node uncorks its socket, whoever corked it.)
 */
export class GatheredAnswers {
  readonly #waitMs: number;
  #waiting: (() => void)[] = [];
  #sinceMs = 0;

  /** `waitMs`: nobody waits longer than that for the others, in milliseconds. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Calls `send` with those of the group. */
  add(send: () => void): void {
    const nowMs = performance.now();
    if (this.#waiting.length === 0) {
      this.#sinceMs = nowMs;
      setImmediate(() => this.#send());
    } else if (this.#waitMs < nowMs - this.#sinceMs) {
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
