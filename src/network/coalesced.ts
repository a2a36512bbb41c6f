import type { Timer, Timers } from "#world/clock.ts";
import { coalesceMs, retryFirstMs, retryLongestMs } from "./limits.ts";

export interface CoalescedOptions {
  readonly timers: Timers;
  /** Looks and acts; whatever changes meanwhile leads to one more call. */
  readonly work: () => Promise<void>;
  readonly onProblem: (error: unknown) => void;
}

/** Runs work when something asked for it: at once after a quiet time, else some milliseconds later; many reasons, never two at once. */
export class Coalesced {
  readonly #options: CoalescedOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #wanted = false;
  #stopped = false;
  #retryMs = retryFirstMs;

  constructor(options: CoalescedOptions) {
    this.#options = options;
  }

  /** Something may have changed. */
  kick(): void {
    this.#wanted = true;
    if (this.#stopped || this.#timer !== undefined || this.#running !== undefined) return;
    this.#schedule(0);
  }

  /** Takes no new work; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#timer = undefined;
      if (this.#wanted) this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#wanted = false;
    let delayMs = coalesceMs;
    try {
      await this.#options.work();
      this.#retryMs = retryFirstMs;
    } catch (error) {
      this.#options.onProblem(error);
      this.#wanted = true;
      delayMs = this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, retryLongestMs);
    }
    this.#running = undefined;
    // What comes within this time is done together; what comes later, at once.
    if (!this.#stopped) this.#schedule(delayMs);
  }
}
