import type { Accepted } from "./sequencer.ts";
import type { Event, Revision, StoreRecord, Transaction } from "./store.ts";

/** What keeps accepted transactions: a disk, or memory. Knows no keys and judges nothing. */
export interface Journal {
  /** Why these cannot be kept as they should be now, in words; undefined: they can. Absent: nothing is sealed. */
  refusal?(operations: Transaction["operations"]): string | undefined;
  /** Notes an accepted transaction, in order of revisions. Written with the next `flush`. */
  append(accepted: Accepted, record: Transaction["record"], time: number): void;
  /** Groups are written by another thread, so that handing one over early gains time. */
  readonly isBeside: boolean;
  /** Bytes noted since the last flush. */
  readonly gatheredBytes: number;
  /** Makes everything noted so far durable, as one atomic group. Rejects when that failed: then the store has failed. */
  flush(lastRevision: Revision): Promise<void>;
  /** The event left the history: what only it needed may be dropped, some time. */
  forget(event: Event): void;
  /** Nothing waits for the disk: a moment to tidy up. */
  rest(): void;
  /** Remembers that the history is complete only above `compacted`; resolves when that is durable. */
  compact(compacted: Revision): Promise<void>;
  /** Newest first, none above `upTo`. */
  records(subject: string, limit: number, upTo: Revision): Promise<StoreRecord[]>;
  /** Of all subjects, oldest first: above `revision`, none above `upTo`. */
  recordsAfter(revision: Revision, upTo: Revision): Promise<StoreRecord[]>;
  close(): Promise<void>;
}
