import type { Clock, Timers } from "#world/clock.ts";
import { StoreFailedError } from "./failure.ts";
import { Followers } from "./followers.ts";
import type { Journal } from "./journal.ts";
import { answersPerTurn, groupBytesMax, pendingBytesMax } from "./limits.ts";
import type { Group, Sequencer } from "./sequencer.ts";
import type { CommitResult, Entry, Follower, Revision, Snapshot, Store, StoreRecord, Transaction } from "./store.ts";

export interface SequencedStoreParts {
  readonly sequencer: Sequencer;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Called once when the journal has failed. */
  readonly failed: (error: StoreFailedError) => void;
}

interface Waiting {
  readonly result: CommitResult;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

interface Flight {
  readonly group: Group;
  readonly waiting: readonly Waiting[];
  readonly bytes: number;
  /** When it was handed to the journal, on the monotonic clock. */
  readonly since: number;
}

/**
 * While one group is on its way to the disk, a second follows when this many transactions have gathered, and a thread beside
 * us gets its group at once: otherwise the two would work in turns instead of at the same time.
 */
const fullGroupTransactions = 256;
const groupsInFlightMax = 2;

/** A store made of one sequencer and one journal: gathers groups, writes them, makes them visible, answers. */
export class SequencedStore implements Store {
  readonly #sequencer: Sequencer;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #followers: Followers;
  readonly #failed: (error: StoreFailedError) => void;
  #waiting: Waiting[] = [];
  #flights: Flight[] = [];
  #flightBytes = 0;
  #flushSoon = false;
  #restPlanned = false;
  #failure: StoreFailedError | undefined;
  #closing: { readonly done: Promise<void>; readonly finish: () => void } | undefined;

  constructor(parts: SequencedStoreParts) {
    this.#sequencer = parts.sequencer;
    this.#journal = parts.journal;
    this.#clock = parts.clock;
    this.#timers = parts.timers;
    this.#failed = parts.failed;
    this.#followers = new Followers(parts.sequencer, parts.timers);
  }

  get visible(): Revision {
    return this.#sequencer.visible;
  }

  get waitingSince(): number | undefined {
    return this.#flights[0]?.since;
  }

  get compacted(): Revision {
    return this.#sequencer.history.compacted;
  }

  latest(key: string): Entry | undefined {
    return this.#sequencer.latest(key);
  }

  latestCount(start: string, end: string): number {
    return this.#sequencer.latestCount(start, end);
  }

  snapshot(): Snapshot;
  snapshot(revision: Revision): Snapshot | "compacted" | "future";
  snapshot(revision?: Revision): Snapshot | "compacted" | "future" {
    return revision === undefined ? this.#sequencer.snapshot() : this.#sequencer.snapshotAt(revision);
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closing !== undefined) return Promise.reject(new StoreFailedError("The store is closed"));
    if (this.#journal.gatheredBytes + this.#flightBytes > pendingBytesMax) {
      return Promise.reject(new RangeError(`More than ${pendingBytesMax} bytes wait for the disk`));
    }
    try {
      const problem = this.#journal.refusal?.(transaction.operations);
      if (problem !== undefined) return Promise.resolve({ ok: false, reason: "unsealed", problem });
      const accepted = this.#sequencer.judge(transaction);
      if (!("result" in accepted)) return Promise.resolve(accepted);
      this.#journal.append(accepted, transaction.record, this.#clock.now());
      return new Promise<CommitResult>((resolve, reject) => {
        this.#waiting.push({ result: accepted.result, resolve, reject });
        this.#schedule();
      });
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  follow(from: Revision, follower: Follower): { close(): void } | "compacted" | "future" {
    return this.#followers.add(from, follower);
  }

  records(subject: string, limit: number): Promise<StoreRecord[]> {
    return this.#journal.records(subject, limit, this.visible);
  }

  recordsAfter(revision: Revision): Promise<StoreRecord[]> {
    return this.#journal.recordsAfter(revision, this.visible);
  }

  async compact(revision: Revision): Promise<void> {
    const upTo = Math.min(revision, this.visible);
    this.#sequencer.history.compact(upTo);
    this.#followers.endCompacted();
    await this.#journal.compact(this.compacted);
  }

  async close(): Promise<void> {
    if (this.#closing === undefined) {
      let finish = (): void => undefined;
      const done = new Promise<void>((resolve) => {
        finish = resolve;
      });
      this.#closing = { done, finish };
      if (this.#idle()) finish();
      await done;
      this.#followers.close();
      // What the bounds have forgotten stays forgotten: the next life must not offer history from further back.
      if (this.#failure === undefined) await this.#journal.compact(this.compacted);
      await this.#journal.close();
      return;
    }
    await this.#closing.done;
  }

  #idle(): boolean {
    return this.#failure !== undefined || (this.#waiting.length === 0 && this.#flights.length === 0);
  }

  #schedule(): void {
    if (this.#flights.length >= groupsInFlightMax) return;
    const full = this.#waiting.length >= fullGroupTransactions || this.#journal.gatheredBytes > groupBytesMax;
    if (full && this.#journal.isBeside) {
      this.#flush();
      return;
    }
    if (this.#flights.length > 0 && !full) return;
    if (this.#flushSoon) return;
    this.#flushSoon = true;
    this.#timers.soon(() => {
      this.#flushSoon = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#failure !== undefined) return;
    const group = this.#sequencer.seal();
    if (group === undefined) return;
    const since = this.#clock.monotonic();
    const flight: Flight = { group, waiting: this.#waiting, bytes: this.#journal.gatheredBytes, since };
    this.#waiting = [];
    this.#flights.push(flight);
    this.#flightBytes += flight.bytes;
    this.#journal.flush(group.lastRevision).then(
      // A turn of its own for each group: replies of a fast thread must not keep sockets waiting.
      () => (this.#journal.isBeside ? this.#timers.soon(() => this.#landed(flight)) : this.#landed(flight)),
      (error: unknown) => this.#fail(error),
    );
  }

  /** A group is durable: it becomes visible, followers see it, then its writers get their answers. */
  #landed(flight: Flight): void {
    if (this.#failure !== undefined) return;
    if (this.#flights.shift() !== flight) throw new Error("Groups became durable out of order");
    this.#flightBytes -= flight.bytes;
    const before = this.visible;
    this.#sequencer.publish(flight.group, this.#clock.now());
    this.#followers.deliver(before, flight.group.events);
    this.#answer(flight.waiting, 0);
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#flights.length === 0) this.#restSoon();
  }

  /** Each answer sets somebody to work: a large group's answers are given in several turns, so that sockets get theirs. */
  #answer(waiting: readonly Waiting[], from: number): void {
    const end = Math.min(waiting.length, from + answersPerTurn);
    for (let i = from; i < end; i += 1) waiting[i]!.resolve(waiting[i]!.result);
    if (end < waiting.length) this.#timers.soon(() => this.#answer(waiting, end));
  }

  /** Writers that got their answer may write again at once: only then it shows whether there is nothing to do. */
  #restSoon(): void {
    if (this.#closing !== undefined) {
      this.#closing.finish();
      return;
    }
    if (this.#restPlanned) return;
    this.#restPlanned = true;
    this.#timers.soon(() => {
      this.#restPlanned = false;
      if (this.#idle() && this.#failure === undefined && this.#closing === undefined) this.#journal.rest();
    });
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const failure =
      cause instanceof StoreFailedError ? cause : new StoreFailedError(`The store has failed: ${String(cause)}`);
    this.#failure = failure;
    for (const flight of this.#flights) for (const waiting of flight.waiting) waiting.reject(failure);
    for (const waiting of this.#waiting) waiting.reject(failure);
    this.#flights = [];
    this.#waiting = [];
    this.#followers.close();
    this.#closing?.finish();
    this.#failed(failure);
  }
}
