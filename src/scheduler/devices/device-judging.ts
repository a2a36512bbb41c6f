import type { Pace } from "#reconcile/pace.ts";
import type { Timers } from "#world/clock.ts";
import type { PodView } from "../pod-view.ts";
import type { Devices } from "./devices.ts";
import type { Steps } from "./selector.ts";

/**
 * Has devices judged for pods: at once where that is soon done, else aside and in turns, for one pod after the other, so that selectors
 * that cost much hold up neither other pods nor requests. Bounded by the pods that wait.
 */
export class DeviceJudging {
  readonly #devices: Pick<Devices, "judge">;
  readonly #pace: Pace;
  readonly #timers: Pick<Timers, "yield">;
  #isStopped = false;
  #last: Promise<void> = Promise.resolve();

  constructor(devices: Pick<Devices, "judge">, pace: Pace, timers: Pick<Timers, "yield">) {
    this.#devices = devices;
    this.#pace = pace;
    this.#timers = timers;
  }

  /** Undefined where nothing is left to judge for the pod; otherwise resolves when its devices are judged, or the loop ends. */
  begin(pod: PodView): Promise<void> | undefined {
    const steps = this.#devices.judge(pod, () => this.#pace.breathe() !== undefined);
    if (steps.next().done === true) return undefined;
    const before = this.#last;
    const judged = before.then(() => this.#goOn(steps));
    // Who waits for this pod gets its error; the next pod has nothing to do with it.
    this.#last = judged.catch(() => undefined);
    return judged;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #goOn(steps: Steps<void>): Promise<void> {
    do await (this.#pace.breathe() ?? this.#timers.yield());
    while (!this.#isStopped && steps.next().done !== true);
  }
}
