import type { Clock, Timers } from "#world/clock.ts";
import type { ValueCipher } from "../cipher.ts";
import type { StoreFailedError } from "../failure.ts";
import { historyBytesMax, historyWindowMs } from "../limits.ts";
import { SequencedStore } from "../sequenced-store.ts";
import { type Replayed, Sequencer } from "../sequencer.ts";
import type { Store } from "../store.ts";
import { placeOfRowId, revisionOfRowId, type Row, rowType } from "./rows.ts";
import { SqliteJournal } from "./sqlite-journal.ts";

export interface SqliteStoreOptions {
  /** The file; its folder exists. */
  readonly path: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** The store cannot keep what it accepts any more: the process must end. Called once. */
  readonly failed: (error: StoreFailedError) => void;
  /** Bytes of replaced values and events that stay readable. */
  readonly historyBytesMax?: number;
  readonly historyWindowMs?: number;
  /** The file may not grow beyond this many pages of 8 KiB; then the disk counts as full. Default: as far as the disk goes. */
  readonly pagesMax?: number;
  /** Seals values before they reach the file. */
  readonly cipher?: ValueCipher;
}

/**
 * Opens or creates a store in one SQLite file and loads it. Rejects with StoreRefusedError when the file is damaged, newer
 * than this program, or in use.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const journal = new SqliteJournal(options.cipher);
  let sequencer: Sequencer | undefined;
  const bounds = {
    windowMs: options.historyWindowMs ?? historyWindowMs,
    bytesMax: options.historyBytesMax ?? historyBytesMax,
  };
  try {
    await journal.open(options.path, options.pagesMax, ({ head, compacted }) => {
      const loading = new Sequencer({ head, compacted, bounds, forgotten: (event) => journal.forget(event) });
      sequencer = loading;
      return (row) => loading.replay(replayedOf(row), row.time);
    });
    if (sequencer === undefined) throw new Error("The store was not opened");
    sequencer.finishReplay(options.clock.now());
  } catch (error) {
    await journal.abandon();
    throw error;
  }
  return new SequencedStore({
    sequencer,
    journal,
    clock: options.clock,
    timers: options.timers,
    failed: options.failed,
  });
}

function replayedOf(row: Row): Replayed {
  const revision = revisionOfRowId(row.id);
  const place = placeOfRowId(row.id);
  switch (row.type) {
    case rowType.put:
      return { type: "put", revision, place, key: row.key, value: row.value, created: row.created };
    case rowType.delete:
      return { type: "delete", revision, place, key: row.key, value: undefined };
    case rowType.deleteWithState:
      return { type: "delete", revision, place, key: row.key, value: row.value };
    case rowType.epoch:
      return { type: "epoch", revision, leader: row.key, number: row.created };
    default:
      throw new Error(`The store holds a row of type ${row.type}, which this program does not know`);
  }
}
