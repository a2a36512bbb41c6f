import type { SeededRandom } from "#base/seeded-random.ts";
import type { Journal } from "#store/journal.ts";
import { baseRevision, historyBytesMax, historyWindowMs } from "#store/limits.ts";
import { RecordIndex } from "#store/record-index.ts";
import { SequencedStore } from "#store/sequenced-store.ts";
import { type Accepted, type Replayed, Sequencer } from "#store/sequencer.ts";
import type { Event, Revision, Store, StoreRecord, Transaction } from "#store/store.ts";
import { placeOf } from "#store/entry.ts";
import type { Clock, Timers } from "#world/clock.ts";

/** One transaction as it lies on the disk. */
interface Row {
  readonly revision: Revision;
  readonly time: number;
  readonly facts: readonly Replayed[];
  readonly record: Transaction["record"];
}

/**
 * The disk below the store of a simulated server. What was flushed outlives a crash, whole groups at a time; what was only
 * accepted is lost. A group that was on its way when the crash came is there or not: either is allowed, chance decides.
 */
export class SimulatedStoreDisk {
  readonly #rows: Row[] = [];
  readonly #onItsWay = new Set<readonly Row[]>();
  readonly #random: SeededRandom;
  readonly #commitMsMax: number;
  readonly #lostByCrash: number;
  #last: Promise<void> = Promise.resolve();
  compacted: Revision = baseRevision;

  /** `lostByCrash`: a defect for tests of the checkers, durable transactions that a crash takes with it. */
  constructor(random: SeededRandom, commitMsMax: number, lostByCrash = 0) {
    this.#lostByCrash = lostByCrash;
    this.#random = random;
    this.#commitMsMax = commitMsMax;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** The newest revision that is durable. */
  get head(): Revision {
    return this.#rows.at(-1)?.revision ?? baseRevision;
  }

  /** Resolves when the group is durable; a later group never overtakes an earlier one. */
  write(group: readonly Row[], timers: Timers): Promise<void> {
    const earlier = this.#last;
    const write = async (): Promise<void> => {
      await timers.sleep(this.#random.float() * this.#commitMsMax);
      await earlier;
      this.#keep(group);
    };
    this.#onItsWay.add(group);
    this.#last = write();
    return this.#last;
  }

  /** The writing process ended: decides about the groups that were on their way. */
  crash(): void {
    for (const group of this.#onItsWay) {
      if (!this.#random.chance(0.5)) break;
      this.#keep(group);
    }
    this.#onItsWay.clear();
    if (this.#lostByCrash > 0) this.#rows.splice(-this.#lostByCrash);
    this.#last = Promise.resolve();
  }

  #keep(group: readonly Row[]): void {
    this.#onItsWay.delete(group);
    this.#rows.push(...group);
  }
}

class SimulatedJournal implements Journal {
  readonly isBeside = true;
  readonly #disk: SimulatedStoreDisk;
  readonly #timers: Timers;
  readonly #records = new Map<Revision, Uint8Array>();
  readonly #index = new RecordIndex((revision) => this.#records.delete(revision));
  #gathered: Row[] = [];
  gatheredBytes = 0;

  constructor(disk: SimulatedStoreDisk, timers: Timers) {
    this.#disk = disk;
    this.#timers = timers;
    for (const row of disk.rows) this.#remember(row);
  }

  append(accepted: Accepted, record: Transaction["record"], time: number): void {
    const { revision } = accepted.result;
    const facts: Replayed[] = accepted.events.map((event) => factOf(event));
    if (accepted.epoch !== undefined) facts.push({ type: "epoch", revision, ...accepted.epoch });
    this.#gathered.push({ revision, time, facts, record });
    this.gatheredBytes += 1;
  }

  async flush(): Promise<void> {
    const group = this.#gathered;
    this.#gathered = [];
    this.gatheredBytes = 0;
    await this.#disk.write(group, this.#timers);
    for (const row of group) this.#remember(row);
  }

  forget(): void {
    // A seed is short: nothing is dropped.
  }

  rest(): void {
    // Nothing to tidy up.
  }

  compact(compacted: Revision): Promise<void> {
    this.#disk.compacted = Math.max(this.#disk.compacted, compacted);
    return Promise.resolve();
  }

  records(subject: string, limit: number, upTo: Revision): Promise<StoreRecord[]> {
    return Promise.resolve(
      this.#index.newest(subject, limit, upTo).flatMap((revision) => {
        const bytes = this.#records.get(revision);
        return bytes === undefined ? [] : [{ revision, subject, bytes }];
      }),
    );
  }

  recordsAfter(after: Revision, upTo: Revision): Promise<StoreRecord[]> {
    return Promise.resolve(
      this.#index.between(after, upTo).flatMap((noted) => {
        const bytes = this.#records.get(noted.revision);
        return bytes === undefined ? [] : [{ ...noted, bytes }];
      }),
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #remember({ revision, record }: Row): void {
    if (record === undefined) return;
    this.#records.set(revision, record.bytes);
    this.#index.add(record.subject, revision);
  }
}

function factOf({ type, key, revision, entry }: Event): Replayed {
  const place = placeOf(entry);
  if (type === "put") return { type, key, revision, place, value: entry.value, created: entry.created };
  return { type, key, revision, place, value: entry.value };
}

/** Opens the store of a server process on its disk: the production sequencer, replayed from what is durable. */
export function openSimulatedStore(options: {
  readonly disk: SimulatedStoreDisk;
  readonly clock: Clock;
  readonly timers: Timers;
}): Store {
  const { disk, clock, timers } = options;
  const journal = new SimulatedJournal(disk, timers);
  const sequencer = new Sequencer({
    head: disk.head,
    compacted: disk.compacted,
    bounds: { windowMs: historyWindowMs, bytesMax: historyBytesMax },
    forgotten: () => undefined,
  });
  for (const { facts, time } of disk.rows) for (const fact of facts) sequencer.replay(fact, time);
  sequencer.finishReplay(clock.now());
  return new SequencedStore({
    sequencer,
    journal,
    clock,
    timers,
    failed: (error) => {
      throw error;
    },
  });
}
