/**
 * The store's contract: an ordered, revisioned map from keys to bytes. It knows no kinds.
 *
 * One sequencer owns the revision counter. A transaction is judged against *head* (everything accepted) inside
 * `commit`, synchronously, and gets its revision there; it becomes *visible* to reads and followers in one turn, in
 * revision order, once it is durable. One transaction is one revision.
 */

/** A resourceVersion: starts above 10^12, always 13 digits, never goes back, also not through restore. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  /** Immutable. Whoever gets it must not change it. */
  readonly value: Uint8Array;
  readonly created: Revision;
  readonly modified: Revision;
  /**
   * A cache that the owner of the bytes may fill (decoded form, labels, other encodings). Never persisted; emptied some
   * seconds after the entry was replaced.
   */
  attachment: unknown;
}

export interface Put {
  readonly type: "put";
  readonly key: string;
  readonly value: Uint8Array;
  /** The store writes the 13 digits of the new revision into `value` at this offset. The value must not be shared yet. */
  readonly stampAt?: number;
  /** The revision the entry must have now; 0: it must not exist; absent: whatever. */
  readonly expect?: Revision;
  readonly attachment?: unknown;
}

export interface Delete {
  readonly type: "delete";
  readonly key: string;
  readonly expect?: Revision;
  /** The last state, as followers get it with the deletion; stamped like a put. Absent: the bytes as they stood. */
  readonly value?: Uint8Array;
  readonly stampAt?: number;
  readonly attachment?: unknown;
}

export interface Transaction {
  /** At most 1,000, each key at most once. */
  readonly operations: readonly (Put | Delete)[];
  /** Refused when a later epoch of the same leader has been seen: a stale leader cannot write. */
  readonly epoch?: { readonly leader: string; readonly number: number };
  /** An audit or reason record, kept in the same transaction, found by its subject. Bounded history. */
  readonly record?: { readonly subject: string; readonly bytes: Uint8Array };
}

export type CommitResult =
  | { readonly ok: true; readonly revision: Revision; readonly entries: readonly (Entry | undefined)[] }
  | { readonly ok: false; readonly reason: "conflict"; readonly key: string; readonly actual: Entry | undefined }
  | { readonly ok: false; readonly reason: "stale-epoch"; readonly current: number }
  /** Nothing may be written as it is, and what seals it is not there. */
  | { readonly ok: false; readonly reason: "unsealed"; readonly problem: string };

export interface Event {
  readonly revision: Revision;
  readonly type: "put" | "delete";
  readonly key: string;
  /** For a deletion: the last state, stamped with the revision of the deletion. */
  readonly entry: Entry;
  /** What stood there before; undefined for a creation. */
  readonly previous: Entry | undefined;
}

/** An immutable view of everything at one revision. Holding it costs nothing until the history window passes it. */
export interface Snapshot {
  readonly revision: Revision;
  get(key: string): Entry | undefined;
  /** Entries with `start <= key < end` in key order. */
  range(start: string, end: string): IterableIterator<Entry>;
  /** The number of entries in a range, in logarithmic time. */
  count(start: string, end: string): number;
}

export type FollowEnd = { readonly reason: "compacted" } | { readonly reason: "closed" };

export interface Follower {
  /** All events of one revision, or of several consecutive ones; never part of one. Called in order, in its own turn. */
  events(batch: readonly Event[]): void;
  /** Everything up to `revision` has been delivered (also where no event matched). Called after each visible group. */
  progress(revision: Revision): void;
  /** No more events will come. */
  end(end: FollowEnd): void;
}

export interface StoreRecord {
  readonly revision: Revision;
  readonly subject: string;
  readonly bytes: Uint8Array;
}

export interface Store {
  /** The newest revision that reads and followers may see. */
  readonly visible: Revision;
  /** Since when the oldest accepted write waits for the disk, on the monotonic clock in milliseconds; undefined: none waits. */
  readonly waitingSince: number | undefined;
  /** Events are kept for revisions above this one; a follow from an older one is refused. */
  readonly compacted: Revision;
  /** The newest accepted state of a key, also when not durable yet: what a write is judged against. */
  latest(key: string): Entry | undefined;
  /** Number of entries in head with `start <= key < end`; for quota and limits. */
  latestCount(start: string, end: string): number;
  /** The visible state, or the state at exactly `revision`. */
  snapshot(): Snapshot;
  snapshot(revision: Revision): Snapshot | "compacted" | "future";
  /** Judges at once, resolves when durable and visible. Rejects only when the store has failed: then the process must end. */
  commit(transaction: Transaction): Promise<CommitResult>;
  /** Delivers every event above `from`, in order, once. */
  follow(from: Revision, follower: Follower): { close(): void } | "compacted" | "future";
  /** Records of one subject, newest first. */
  records(subject: string, limit: number): Promise<StoreRecord[]>;
  /** Records of all subjects above a revision that are still kept and visible, oldest first. */
  recordsAfter(revision: Revision): Promise<StoreRecord[]>;
  /** Forgets events and exact snapshots up to `revision`. */
  compact(revision: Revision): Promise<void>;
  /** Waits for what was accepted, then releases everything. */
  close(): Promise<void>;
}
