import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { Action } from "./action.ts";
import { isUnanswered, type Executor, type Outcome, type RunResult, type Trace } from "./executor.ts";
import type { Informer } from "./informer.ts";
import type { Informers } from "./informers.ts";
import { limits } from "./limits.ts";
import type { Pace } from "./pace.ts";
import { createWorkQueue } from "./work-queue.ts";

/** What a pure plan answers. */
export interface Plan {
  readonly actions: readonly Action[];
  /** The object at the revision that was judged: `apps/deployments/default/web@1000000000042`. */
  readonly because?: string;
  /** Look at the key again after this time even if nothing changes. Milliseconds. */
  readonly lookAgainMs?: number;
}

/** What a plan may know beside the objects. */
export interface PassContext {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The action that was refused in the last pass over this key, with the server's words; undefined after a pass without. */
  readonly refusal: { readonly action: Action; readonly reason: string; readonly message: string } | undefined;
}

export interface Controller {
  readonly name: string;
  start(): void;
  /** Takes no new work; resolves when what is under way has ended. */
  stop(): Promise<void>;
  /** Look at this key. */
  enqueue(key: string): void;
  enqueueAfter(key: string, delayMs: number): void;
  /** True when nothing waits and nothing is under way. */
  readonly idle: boolean;
  /** Writes carried out since the start. */
  readonly writes: number;
  /** Names that wait; names that were added, and second tries, since the start; for how long names are worked on, in seconds. */
  readonly queue: {
    readonly depth: number;
    readonly adds: number;
    readonly retries: number;
    readonly underWay: { readonly sum: number; readonly longest: number };
  };
}

export interface ControllerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly pace: Pace;
  readonly executor: Executor;
  /** For the gate: own writes of these resources must have been seen before a key is planned again. */
  readonly informers: Informers;
  /** Informers that must have synced before the first key is planned. */
  readonly needs: readonly Informer<never>[] | readonly Informer<unknown>[];
  /** Observes and plans one key. Must not write. Undefined: nothing to do. */
  readonly pass: (key: string, context: PassContext) => Plan | undefined | Promise<Plan | undefined>;
  /** Subscribes to informers; called once at start, with the enqueue function. */
  readonly watch: (
    enqueue: (key: string) => void,
    enqueueAfter: (key: string, delayMs: number) => void,
  ) => readonly { close(): void }[];
  readonly keysInFlight?: number;
  /** At least this long between two passes over one key of which the first wrote something: merges bursts. Milliseconds. */
  readonly spacingMs?: number;
  /** Told how long each pass with its writes took. */
  readonly onWorked?: (name: string, seconds: number) => void;
  /** Told of each pass over a key: whether all of its plan was carried out, and what that took. */
  readonly onPassed?: (key: string, plan: Plan | undefined, isSuccess: boolean, seconds: number) => void;
  /** Told how long each name waited before its pass. */
  readonly onTaken?: (name: string, waitedSeconds: number) => void;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

/** A thin loop: take a name, observe, plan, execute, wait until the own writes were seen. */
export function createController(options: ControllerOptions): Controller {
  return new Loop(options);
}

class Loop implements Controller {
  readonly name: string;
  writes = 0;
  readonly #options: ControllerOptions;
  readonly #queue;
  readonly #refusals = new Map<string, NonNullable<PassContext["refusal"]>>();
  #subscriptions: readonly { close(): void }[] = [];
  #active = 0;
  #gated = 0;
  #ready = false;
  #stopped = false;
  #pumping = false;
  #drained: (() => void)[] = [];

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#queue = createWorkQueue({
      timers: options.timers,
      random: options.random,
      now: () => options.clock.monotonic(),
      onReady: () => this.#pump(),
      onTaken: (seconds) => options.onTaken?.(this.name, seconds),
    });
  }

  get idle(): boolean {
    return this.#active === 0 && this.#gated === 0 && this.#queue.length === 0;
  }

  get queue(): Controller["queue"] {
    const { length: depth, adds, retries, underWay } = this.#queue;
    return { depth, adds, retries, underWay };
  }

  start(): void {
    const { needs, watch } = this.#options;
    this.#subscriptions = watch(
      (key) => this.#queue.add(key),
      (key, delayMs) => this.#queue.addAfter(key, delayMs),
    );
    void Promise.all((needs as readonly Informer<unknown>[]).map((informer) => informer.synced())).then(() => {
      this.#ready = true;
      this.#pump();
    });
  }

  stop(): Promise<void> {
    this.#stopped = true;
    for (const subscription of this.#subscriptions) subscription.close();
    this.#queue.close();
    this.#options.executor.stop();
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  enqueue(key: string): void {
    this.#queue.add(key);
  }

  enqueueAfter(key: string, delayMs: number): void {
    this.#queue.addAfter(key, delayMs);
  }

  #pump(): void {
    if (this.#pumping || !this.#ready || this.#stopped) return;
    this.#pumping = true;
    // In a turn of its own: events come in bursts, and one look at the end of a burst is enough.
    this.#options.timers.soon(() => void this.#work());
  }

  async #work(): Promise<void> {
    const inFlightMax = this.#options.keysInFlight ?? limits.keysInFlight;
    while (!this.#stopped && this.#active < inFlightMax) {
      const pause = this.#options.pace.breathe();
      if (pause !== undefined) await pause;
      const key = this.#queue.take();
      if (key === undefined) break;
      this.#active++;
      void this.#process(key);
    }
    this.#pumping = false;
  }

  async #process(key: string): Promise<void> {
    let result: RunResult | undefined;
    let plan: Plan | undefined;
    let isSuccess = true;
    const startedMs = this.#options.clock.monotonic();
    try {
      plan = await this.#options.pass(key, { now: this.#options.clock.now(), refusal: this.#refusals.get(key) });
      if (plan !== undefined && !this.#stopped) {
        result = await this.#options.executor.run(plan.actions, plan.because);
        this.writes += result.writes;
        isSuccess = result.stopped === undefined;
        this.#after(key, plan, result);
      } else {
        this.#settled(key);
      }
    } catch (error) {
      isSuccess = false;
      // A broken belief about one object must not stop the loop for the others.
      this.#options.onProblem?.(`${this.name}: a pass over ${key} failed`, error);
      this.#queue.retry(key);
    }
    const seconds = (this.#options.clock.monotonic() - startedMs) / 1000;
    this.#options.onWorked?.(this.name, seconds);
    this.#options.onPassed?.(key, plan, isSuccess, seconds);
    this.#active--;
    this.#gated++;
    if (this.#queue.length > 0) this.#pump();
    if (this.#stopped && this.#active === 0) for (const resolve of this.#drained) resolve();
    // From here on the key waits alone, however long it takes.
    const traces = result === undefined ? [] : [...result.traces, ...(await this.#unanswered(result))];
    this.#whenSeen(traces, () => this.#release(key, result !== undefined && result.writes > 0));
  }

  /** A write that nobody answered may have happened: the next pass waits until it would have been seen. */
  async #unanswered({ stopped }: RunResult): Promise<readonly Trace[]> {
    if (stopped === undefined || !isUnanswered(stopped.outcome)) return [];
    const { executor, timers } = this.#options;
    while (!this.#stopped) {
      try {
        // The server may still be at it.
        await timers.sleep(limits.lookAgainMs);
        return await executor.look(stopped.action);
      } catch {
        // No answer to that either: later.
      }
    }
    return [];
  }

  #after(key: string, plan: Plan, result: RunResult): void {
    if (result.stopped === undefined) this.#settled(key);
    else this.#notSettled(key, result.stopped.action, result.stopped.outcome);
    if (plan.lookAgainMs !== undefined) this.#queue.addAfter(key, Math.max(1, plan.lookAgainMs));
  }

  #settled(key: string): void {
    this.#refusals.delete(key);
    this.#queue.forget(key);
  }

  #notSettled(key: string, action: Action, outcome: Exclude<Outcome, { kind: "done" | "unneeded" }>): void {
    if (outcome.kind === "refused") {
      this.#refusals.set(key, { action, reason: outcome.error.reason, message: outcome.error.message });
    }
    const retryAfterMs = outcome.kind === "failed" ? outcome.retryAfterMs : 0;
    if (outcome.kind !== "conflict")
      this.#options.onProblem?.(`${this.name}: ${action.verb} for ${key} ${outcome.kind}`, outcome.error);
    this.#queue.retry(key, retryAfterMs);
  }

  /** Gives the key back, when it wrote something not before `spacingMs` have passed. */
  #release(key: string, wrote: boolean): void {
    const spacingMs = this.#options.spacingMs ?? 0;
    const release = (): void => {
      this.#gated--;
      this.#queue.done(key);
    };
    if (wrote && spacingMs > 0 && !this.#stopped) this.#options.timers.after(spacingMs, release);
    else release();
  }

  /** The read-your-writes gate: calls `task` when every informer has seen what was written. */
  #whenSeen(traces: readonly Trace[], task: () => void): void {
    let open = 1;
    const seen = (): void => {
      if (--open === 0) task();
    };
    for (const trace of traces) {
      const informer = this.#options.informers.whole(trace.resource);
      if (informer === undefined) continue;
      open++;
      if ("uid" in trace) informer.whenGone(trace.key, trace.uid, seen);
      else informer.whenSeen(trace.revision, seen);
    }
    seen();
  }
}
