import type { Timer, Timers } from "#world/clock.ts";
import { coalesceMs, retryFirstMs, retryLongestMs } from "./limits.ts";

export interface CoalescedOptions {
  readonly timers: Timers;
  /** Looks and acts; whatever changes meanwhile leads to one more call. */
  readonly work: () => Promise<void>;
  readonly onProblem: (error: unknown) => void;
}

/** Runs work some milliseconds after something asked for it: many reasons, one run, never two at once. */
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
    this.#schedule(coalesceMs);
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
      this.#running = this.#run();
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
    if (this.#wanted && !this.#stopped) this.#schedule(delayMs);
  }
}
