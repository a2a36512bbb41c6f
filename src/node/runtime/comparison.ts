import type { Timer, Timers } from "#world/clock.ts";
import { ContainerRuntimeError, type ContainerRuntime } from "#world/container-runtime.ts";
import { compareMs, compareRetryMs, comparisonsSilentMax, comparisonsUnansweredMax } from "../limits.ts";
import type { RuntimeObserver } from "./observer.ts";

export interface ComparisonOptions {
  readonly runtime: ContainerRuntime;
  readonly observer: Pick<RuntimeObserver, "outlines">;
  readonly timers: Timers;
  /** What the runtime has of every pod: whoever saw something else last looks again. */
  readonly has: (outlines: ReadonlyMap<string, string>) => void;
  readonly restartRuntime?: () => Promise<void>;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/**
 * Compares the runtime with what was seen of it: when its events began or broke, and each minute, a few calls however many pods
 * there are. Events may be missed, and the runtime itself may miss ends while it starts: then, and when it answers no more, it is
 * started again.
 */
export class RuntimeComparison {
  readonly #options: ComparisonOptions;
  #timer: Timer | undefined;
  #running = false;
  #again = false;
  #stopped = false;
  /** Taken for running though ended, at the last comparison: one that ends just now is no longer so at the next. */
  #suspects: ReadonlySet<string> = new Set();
  #unanswered = 0;
  #silent = 0;

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  /** Compares now, and each minute from now on. */
  now(): void {
    if (this.#stopped) return;
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#timer?.cancel();
    let waitMs = compareMs;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      waitMs = await this.#compare();
    }
    this.#running = false;
    if (!this.#stopped) this.#timer = this.#options.timers.after(waitMs, () => this.now());
  }

  /** Answers the milliseconds until the next. */
  async #compare(): Promise<number> {
    const { observer, runtime, has, onProblem } = this.#options;
    try {
      // The shortest question first: what hangs is to be found before calls that may take minutes.
      await runtime.version();
      has(await observer.outlines());
      const lost = (await runtime.lostEnds?.()) ?? [];
      const surely = lost.filter((id) => this.#suspects.has(id));
      this.#suspects = new Set(lost);
      this.#unanswered = 0;
      this.#silent = 0;
      if (surely.length > 0) await this.#restart(`it lost the end of ${surely.join(", ")}`);
      return lost.length > 0 ? compareRetryMs : compareMs;
    } catch (error) {
      if (!(error instanceof ContainerRuntimeError)) onProblem("cannot compare pods with the runtime", error);
      else if (error.code === "Unavailable") this.#unanswered += 1;
      else if (error.code === "DeadlineExceeded") this.#silent += 1;
      if (this.#silent >= comparisonsSilentMax)
        await this.#restart(`it hangs: ${comparisonsSilentMax} times no answer`);
      if (this.#unanswered >= comparisonsUnansweredMax)
        await this.#restart(`it did not answer ${comparisonsUnansweredMax} times`);
      return compareRetryMs;
    }
  }

  async #restart(reason: string): Promise<void> {
    const { restartRuntime, onProblem } = this.#options;
    this.#suspects = new Set();
    this.#unanswered = 0;
    this.#silent = 0;
    onProblem("the runtime is started again", new Error(reason));
    try {
      await restartRuntime?.();
    } catch (error) {
      onProblem("cannot start the runtime again", error);
    }
  }
}
