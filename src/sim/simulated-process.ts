import type { ContainerRuntime } from "#world/container-runtime.ts";
import type { ProcessTimers, VirtualTime } from "./virtual-time.ts";

/**
 * One life of a simulated process. After its end none of its code runs on: its timers are forgotten, and what it waited for
 * never answers.
 */
export class ProcessLife {
  readonly timers: ProcessTimers;
  #isOver = false;

  constructor(time: VirtualTime) {
    this.timers = time.processTimers();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
    this.timers.stop();
  }

  /** The answer, unless the process has ended when it comes. */
  answer<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => {
          if (!this.#isOver) resolve(value);
        },
        (error: unknown) => {
          if (!this.#isOver) reject(error as Error);
        },
      );
    });
  }

  /** A runtime that outlives the process, as the process sees it: what was begun goes on, but a dead process hears of nothing. */
  runtime(runtime: ContainerRuntime): ContainerRuntime {
    return new Proxy(runtime, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...given: unknown[]): unknown => {
          const answer: unknown = Reflect.apply(member, target, given);
          return answer instanceof Promise ? this.answer(answer) : answer;
        };
      },
    });
  }
}
