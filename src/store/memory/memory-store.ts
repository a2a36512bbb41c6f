import type { Clock, Timers } from "#world/clock.ts";
import type { Journal } from "../journal.ts";
import { baseRevision, historyBytesMax, historyWindowMs } from "../limits.ts";
import { RecordIndex } from "../record-index.ts";
import { SequencedStore } from "../sequenced-store.ts";
import { type Accepted, Sequencer } from "../sequencer.ts";
import type { Revision, Store, StoreRecord, Transaction } from "../store.ts";

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Bytes of replaced values and events that stay readable. */
  readonly historyBytesMax?: number;
  readonly historyWindowMs?: number;
}

/** Keeps reason records; all else the sequencer holds already. */
class MemoryJournal implements Journal {
  readonly gatheredBytes = 0;
  readonly isBeside = false;
  readonly #bytes = new Map<Revision, Uint8Array>();
  readonly #index = new RecordIndex((revision) => this.#bytes.delete(revision));

  append(accepted: Accepted, record: Transaction["record"]): void {
    if (record === undefined) return;
    this.#bytes.set(accepted.result.revision, record.bytes);
    this.#index.add(record.subject, accepted.result.revision);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  forget(): void {
    // Nothing lies anywhere else.
  }

  rest(): void {
    // Nothing to tidy up.
  }

  compact(): Promise<void> {
    return Promise.resolve();
  }

  records(subject: string, limit: number, upTo: Revision): Promise<StoreRecord[]> {
    const found: StoreRecord[] = [];
    for (const revision of this.#index.newest(subject, limit, upTo)) {
      found.push({ revision, subject, bytes: this.#bytes.get(revision)! });
    }
    return Promise.resolve(found);
  }

  recordsAfter(after: Revision, upTo: Revision): Promise<StoreRecord[]> {
    const found = this.#index.between(after, upTo);
    return Promise.resolve(found.map((noted) => ({ ...noted, bytes: this.#bytes.get(noted.revision)! })));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A store that forgets everything when the process ends: for the simulator and for tests. */
export function openMemoryStore(options: MemoryStoreOptions): Store {
  const journal = new MemoryJournal();
  const bounds = {
    windowMs: options.historyWindowMs ?? historyWindowMs,
    bytesMax: options.historyBytesMax ?? historyBytesMax,
  };
  const sequencer = new Sequencer({
    head: baseRevision,
    compacted: baseRevision,
    bounds,
    forgotten: () => undefined,
  });
  return new SequencedStore({
    sequencer,
    journal,
    clock: options.clock,
    timers: options.timers,
    failed: () => undefined,
  });
}
