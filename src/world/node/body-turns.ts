import { Heap } from "#base/heap.ts";
import { bodiesReadPerTurn } from "./http-limits.ts";

interface Waiting {
  readonly place: number;
  readonly resume: () => void;
}

/**
 * Lets a few large bodies be read in each turn of the event loop, those that began first before others: what many send at once would
 * otherwise be read to its end in one turn, and all would be complete at the same time. The rest waits in the kernel's buffers and
 * with its clients. A client that sends nothing takes nobody's turn: only bodies of which something was read wait here.
 */
export class BodyTurns {
  #begun = 0;
  #isPlanned = false;
  readonly #waiting = new Heap<Waiting>((a, b) => a.place < b.place);

  /** The place of a body that begins. */
  begin(): number {
    this.#begun += 1;
    return this.#begun;
  }

  /** Calls `resume` in a later turn of the event loop. */
  wait(place: number, resume: () => void): void {
    this.#waiting.push({ place, resume });
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned || this.#waiting.length === 0) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      for (let count = 0; count < bodiesReadPerTurn; count += 1) this.#waiting.pop()?.resume();
      this.#plan();
    });
  }
}
