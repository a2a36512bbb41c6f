import { OrderedMap, type OrderedMapEditor } from "#base/ordered-map.ts";
import { StoredEntry } from "./entry.ts";
import { History, type HistoryBounds } from "./history.ts";
import { keyBytesMax, operationsMax, valueBytesMax } from "./limits.ts";
import { stampRevision } from "./revision.ts";
import type { CommitResult, Delete, Entry, Event, Put, Revision, Snapshot, Transaction } from "./store.ts";

const nothing = new Uint8Array(0);

class MapSnapshot implements Snapshot {
  readonly revision: Revision;
  readonly #map: OrderedMap<Entry>;

  constructor(revision: Revision, map: OrderedMap<Entry>) {
    this.revision = revision;
    this.#map = map;
  }

  get(key: string): Entry | undefined {
    return this.#map.get(key);
  }

  range(start: string, end: string): IterableIterator<Entry> {
    return this.#map.range(start, end);
  }

  count(start: string, end: string): number {
    return this.#map.count(start, end);
  }
}

/** Everything that becomes durable and visible together. */
export interface Group {
  readonly lastRevision: Revision;
  readonly events: readonly Event[];
  readonly map: OrderedMap<Entry>;
}

/** What was accepted: the answer to give once it is durable, and what the disk must keep. */
export interface Accepted {
  readonly result: CommitResult & { readonly ok: true };
  readonly events: readonly Event[];
  /** A leader's epoch that this transaction raised. */
  readonly epoch: { readonly leader: string; readonly number: number } | undefined;
}

interface ReplayedOperation {
  readonly revision: Revision;
  readonly place: number;
  readonly key: string;
}

/** One stored fact, as a disk gives it back in the order of revisions. */
export type Replayed =
  | (ReplayedOperation & { readonly type: "put"; readonly value: Uint8Array; readonly created: Revision })
  | (ReplayedOperation & { readonly type: "delete"; readonly value: Uint8Array | undefined })
  | { readonly type: "epoch"; readonly revision: Revision; readonly leader: string; readonly number: number };

export interface SequencerStart {
  /** No revision at or below this one is given out again. */
  readonly head: Revision;
  /** Events up to here are not complete any more. */
  readonly compacted: Revision;
  readonly bounds: HistoryBounds;
  /** An event left the history: its own row, if it is a deletion, and the row of what it replaced are needed no more. */
  forgotten(event: Event): void;
}

/**
 * The one place that orders writes: judges transactions against head, gives out revisions, and makes sealed groups visible in
 * order. Pure: no clock, no input or output.
 */
export class Sequencer {
  #head: Revision;
  #sealed: Revision;
  #visible: Revision;
  #gathered: Event[] = [];
  readonly #editor: OrderedMapEditor<Entry>;
  #visibleMap: OrderedMap<Entry>;
  readonly #epochs = new Map<string, number>();
  readonly #forgotten: (event: Event) => void;
  #replaying = { revision: 0, time: 0 };
  readonly history: History;

  constructor(start: SequencerStart) {
    this.#head = start.head;
    this.#sealed = start.head;
    this.#visible = start.head;
    this.#visibleMap = OrderedMap.empty<Entry>();
    this.#editor = this.#visibleMap.edit();
    this.#forgotten = start.forgotten;
    this.history = new History(start.compacted, start.bounds, start.forgotten);
  }

  get visible(): Revision {
    return this.#visible;
  }

  get head(): Revision {
    return this.#head;
  }

  latest(key: string): Entry | undefined {
    return this.#editor.get(key);
  }

  latestCount(start: string, end: string): number {
    return this.#editor.count(start, end);
  }

  /** Rebuilds state from the log, in order of revisions; `finishReplay` ends it. `time`: when it was accepted. */
  replay(fact: Replayed, time: number): void {
    if (fact.revision !== this.#replaying.revision) this.#flushReplay();
    this.#replaying = { revision: fact.revision, time };
    if (fact.type === "epoch") {
      this.#epochs.set(fact.leader, fact.number);
      return;
    }
    const { key, revision, type } = fact;
    const previous = this.#editor.get(key);
    const value = fact.value ?? previous?.value ?? nothing;
    const created = type === "put" ? fact.created : (previous?.created ?? revision);
    const entry = new StoredEntry(key, value, created, revision, undefined, fact.place);
    if (type === "put") this.#editor.set(key, entry);
    else this.#editor.delete(key);
    this.#gathered.push({ revision, type, key, entry, previous });
  }

  /** Replayed events enter the history a revision at a time; what lies below its floor is forgotten again at once. */
  #flushReplay(): void {
    const { revision, time } = this.#replaying;
    const events = this.#gathered;
    if (events.length === 0) return;
    this.#gathered = [];
    if (revision <= this.history.compacted) for (const event of events) this.#forgotten(event);
    else this.history.add(events, revision, () => this.#editor.snapshot(), time);
  }

  /** After the last replayed fact: everything is visible, the history is cut to its window. */
  finishReplay(now: number): void {
    this.#flushReplay();
    this.#visibleMap = this.#editor.snapshot();
    this.history.trim(now);
  }

  /** Judges a transaction against head; what is accepted has its revision and stands in head. */
  judge(transaction: Transaction): Accepted | (CommitResult & { readonly ok: false }) {
    const { operations, epoch } = transaction;
    if (operations.length > operationsMax)
      throw new RangeError(`A transaction has ${operations.length} operations, at most ${operationsMax}`);
    let raised: Accepted["epoch"];
    if (epoch !== undefined) {
      const current = this.#epochs.get(epoch.leader) ?? -1;
      if (epoch.number < current) return { ok: false, reason: "stale-epoch", current };
      if (epoch.number > current) raised = epoch;
    }
    if (operations.length > 1) refuseRepeatedKeys(operations);
    for (const operation of operations) {
      checkSizes(operation);
      if (operation.expect === undefined) continue;
      const actual = this.#editor.get(operation.key);
      if ((actual?.modified ?? 0) !== operation.expect)
        return { ok: false, reason: "conflict", key: operation.key, actual };
    }
    if (raised !== undefined) this.#epochs.set(raised.leader, raised.number);
    const revision = this.#head + 1;
    const events: Event[] = [];
    const entries: (Entry | undefined)[] = [];
    for (let place = 0; place < operations.length; place += 1) {
      const operation = operations[place]!;
      const event =
        operation.type === "put" ? this.#put(operation, revision, place) : this.#delete(operation, revision, place);
      entries.push(event?.entry);
      if (event === undefined) continue;
      events.push(event);
      this.#gathered.push(event);
    }
    this.#head = revision;
    return { result: { ok: true, revision, entries }, events, epoch: raised };
  }

  #put(operation: Put, revision: Revision, place: number): Event {
    const { key, value, stampAt } = operation;
    if (stampAt !== undefined) stampRevision(value, stampAt, revision);
    const previous = this.#editor.get(key);
    const entry = new StoredEntry(key, value, previous?.created ?? revision, revision, operation.attachment, place);
    this.#editor.set(key, entry);
    return { revision, type: "put", key, entry, previous };
  }

  #delete(operation: Delete, revision: Revision, place: number): Event | undefined {
    const { key, value, stampAt } = operation;
    const previous = this.#editor.delete(key);
    if (previous === undefined) return undefined;
    if (value !== undefined && stampAt !== undefined) stampRevision(value, stampAt, revision);
    const attachment = operation.attachment ?? (value === undefined ? previous.attachment : undefined);
    const entry = new StoredEntry(key, value ?? previous.value, previous.created, revision, attachment, place);
    return { revision, type: "delete", key, entry, previous };
  }

  /** Closes the group that gathered since the last seal; undefined when nothing was accepted since. */
  seal(): Group | undefined {
    if (this.#head === this.#sealed) return undefined;
    this.#sealed = this.#head;
    const events = this.#gathered;
    this.#gathered = [];
    return { lastRevision: this.#head, events, map: this.#editor.snapshot() };
  }

  /** Makes a durable group visible. Groups come in the order they were sealed. */
  publish(group: Group, now: number): void {
    if (group.lastRevision <= this.#visible)
      throw new Error("A group of revisions was published twice or out of order");
    this.#visible = group.lastRevision;
    this.#visibleMap = group.map;
    this.history.add(group.events, group.lastRevision, () => group.map, now);
  }

  snapshot(): Snapshot {
    return new MapSnapshot(this.#visible, this.#visibleMap);
  }

  snapshotAt(revision: Revision): Snapshot | "compacted" | "future" {
    if (revision > this.#visible) return "future";
    if (revision < this.history.compacted) return "compacted";
    return new MapSnapshot(
      revision,
      this.history.stateAt(revision, { revision: this.#visible, map: this.#visibleMap }),
    );
  }
}

function refuseRepeatedKeys(operations: readonly (Put | Delete)[]): void {
  const keys = new Set<string>();
  for (const operation of operations) keys.add(operation.key);
  if (keys.size !== operations.length) throw new RangeError("A transaction names a key twice");
}

function checkSizes(operation: Put | Delete): void {
  const bytes = operation.value?.length ?? 0;
  if (bytes > valueBytesMax) throw new RangeError(`A value has ${bytes} bytes, at most ${valueBytesMax}`);
  // UTF-8 needs at most three bytes for a UTF-16 code unit.
  if (operation.key.length * 3 > keyBytesMax)
    throw new RangeError(`A key has ${operation.key.length} characters, too many`);
}
