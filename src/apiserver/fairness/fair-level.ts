import type { Timers } from "#world/clock.ts";
import { flowsMax, queueWaitMs } from "./limits.ts";

export type Turn = "now" | "refused" | Promise<boolean>;

/**
 * The seats of one priority level. When all are taken, requests wait in a queue of their flow, and the flows take turns: one
 * that sends a thousand requests makes the others wait for one of them, not for all.
 */
export class FairLevel {
  readonly #timers: Pick<Timers, "after">;
  readonly #flows = new Map<string, (() => void)[]>();
  #taken = 0;
  seats: number;
  /** Requests of one flow that may wait; 0: none. */
  queueLength: number;

  constructor(timers: Pick<Timers, "after">, seats: number, queueLength: number) {
    this.#timers = timers;
    this.seats = seats;
    this.queueLength = queueLength;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    let count = 0;
    for (const queue of this.#flows.values()) count += queue.length;
    return count;
  }

  /** A seat at once, none at all, or one later; false: it was waited for in vain. Who has a seat gives it back. */
  enter(flow: string): Turn {
    if (this.#taken < this.seats) {
      this.#taken += 1;
      return "now";
    }
    let queue = this.#flows.get(flow);
    if (queue === undefined) {
      if (this.queueLength === 0 || flowsMax <= this.#flows.size) return "refused";
      this.#flows.set(flow, (queue = []));
    }
    if (this.queueLength <= queue.length) return "refused";
    return this.#wait(flow, queue);
  }

  #wait(flow: string, queue: (() => void)[]): Promise<boolean> {
    return new Promise((resolve) => {
      const turn = (): void => {
        timer.cancel();
        resolve(true);
      };
      const timer = this.#timers.after(queueWaitMs, () => {
        const at = queue.indexOf(turn);
        if (at !== -1) queue.splice(at, 1);
        if (queue.length === 0) this.#flows.delete(flow);
        resolve(false);
      });
      queue.push(turn);
    });
  }

  /** Gives a seat back: to the flow whose turn it is, or to nobody. */
  leave(): void {
    // With fewer seats than before, those that are too many go first.
    const [first] = this.seats < this.#taken ? [] : this.#flows;
    if (first === undefined) {
      this.#taken -= 1;
      return;
    }
    const [flow, queue] = first;
    const next = queue.shift();
    this.#flows.delete(flow);
    // To the end of the line, if it still waits.
    if (queue.length > 0) this.#flows.set(flow, queue);
    next?.();
  }
}
