import type { FieldTerm } from "#api/field-selectors.ts";
import type { Kind } from "#api/kind.ts";
import type { Entry, Event, Snapshot, Store } from "#store/store.ts";
import type { Clock, Timers } from "#world/clock.ts";
import { endOf } from "../keys.ts";
import { indexedObjectsMin, selectionIndexesMax, sliceMs } from "../limits.ts";
import type { ObjectCache } from "../objects/cache.ts";
import type { Selection } from "./selection.ts";

export interface IndexParts {
  readonly store: Store;
  readonly objects: ObjectCache;
  readonly timers: Timers;
  readonly clock: Clock;
}

/** Most values belong to one object: only a second makes a set. */
type Keys = string | Set<string>;

/**
 * Which objects of one resource have a value, for all labels or for one field. Made from a snapshot a slice at a time, then kept
 * by following the store: it says what holds at the newest visible revision and at no other.
 */
class Column {
  readonly prefix: string;
  /** Undefined: labels. */
  readonly field: string | undefined;
  lastUse = 0;
  readonly #parts: IndexParts;
  readonly #kind: Kind;
  readonly #values = new Map<string, Map<string, Keys>>();
  #position = 0;
  #following: { close(): void } | undefined;
  #isClosed = false;

  constructor(parts: IndexParts, prefix: string, kind: Kind, field: string | undefined) {
    this.#parts = parts;
    this.prefix = prefix;
    this.#kind = kind;
    this.field = field;
    const snapshot = parts.store.snapshot();
    this.#build(snapshot, snapshot.range(prefix, endOf(prefix)));
  }

  /** Whether the column knows the state of exactly this revision. */
  isAt(revision: number): boolean {
    return this.#position === revision;
  }

  get isBroken(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    this.#following?.close();
    this.#values.clear();
  }

  /** How many objects have one of the values; without values: have the name at all. */
  count(name: string, values: readonly string[] | undefined): number {
    let count = 0;
    for (const keys of this.#found(name, values)) count += typeof keys === "string" ? 1 : keys.size;
    return count;
  }

  /** Their keys below `start` and `end`, in order. */
  keys(name: string, values: readonly string[] | undefined, start: string, end: string): string[] {
    const found: string[] = [];
    for (const keys of this.#found(name, values)) {
      for (const key of typeof keys === "string" ? [keys] : keys) if (start <= key && key < end) found.push(key);
    }
    return found.sort();
  }

  *#found(name: string, values: readonly string[] | undefined): IterableIterator<Keys> {
    const byValue = this.#values.get(name);
    if (byValue === undefined) return;
    if (values === undefined) yield* byValue.values();
    else
      for (const value of new Set(values)) {
        const keys = byValue.get(value);
        if (keys !== undefined) yield keys;
      }
  }

  #build(snapshot: Snapshot, entries: IterableIterator<Entry>): void {
    const { clock, timers, store } = this.#parts;
    if (this.#isClosed) return;
    const until = clock.monotonic() + sliceMs;
    for (let looked = 1; ; looked++) {
      const { value: entry, done } = entries.next();
      if (done === true) break;
      this.#change(entry, true);
      if ((looked & 63) === 0 && until < clock.monotonic()) {
        timers.soon(() => this.#build(snapshot, entries));
        return;
      }
    }
    const following = store.follow(snapshot.revision, {
      events: (batch) => {
        for (const event of batch) if (event.key.startsWith(this.prefix)) this.#take(event);
      },
      progress: (revision) => {
        this.#position = revision;
      },
      end: () => this.close(),
    });
    // It took so long that the changes since are forgotten: whoever asks next makes it anew.
    if (typeof following === "string") this.close();
    else this.#following = following;
  }

  #take({ type, entry, previous }: Event): void {
    if (previous !== undefined) this.#change(previous, false);
    if (type === "put") this.#change(entry, true);
  }

  #change(entry: Entry, isThere: boolean): void {
    const { objects } = this.#parts;
    if (this.field !== undefined)
      this.#set(this.field, objects.field(entry, this.#kind, this.field), entry.key, isThere);
    else {
      const labels = objects.labelsOnce(entry);
      for (const name in labels) this.#set(name, labels[name]!, entry.key, isThere);
    }
  }

  #set(name: string, value: string, key: string, isThere: boolean): void {
    let byValue = this.#values.get(name);
    const keys = byValue?.get(value);
    if (isThere) {
      if (byValue === undefined) this.#values.set(name, (byValue = new Map()));
      if (keys === undefined) byValue.set(value, key);
      else if (typeof keys !== "string") keys.add(key);
      else if (keys !== key) byValue.set(value, new Set([keys, key]));
      return;
    }
    if (byValue === undefined || keys === undefined) return;
    if (typeof keys !== "string") {
      keys.delete(key);
      if (keys.size > 0) return;
    } else if (keys !== key) return;
    byValue.delete(value);
    if (byValue.size === 0) this.#values.delete(name);
  }
}

interface Choice {
  readonly column: Column;
  readonly name: string;
  readonly values: readonly string[] | undefined;
  readonly count: number;
}

/**
 * Indexes of what selectors ask for, so that a selector which few objects match does not look at all of them. A column is made
 * when a large resource is asked by it for the first time; until it stands, and for states of the past, lists look at everything.
 */
export class SelectionIndexes {
  readonly #parts: IndexParts;
  readonly #columns = new Map<string, Column>();
  #uses = 0;

  constructor(parts: IndexParts) {
    this.#parts = parts;
  }

  /** The entries that a selection may want, in order, between two keys; undefined: look at all. */
  candidates(
    selection: Selection,
    snapshot: Snapshot,
    start: string,
    end: string,
  ): IterableIterator<Entry> | undefined {
    const { labels, fields, served } = selection;
    const wantsLabels = labels?.requirements.some(({ operator }) => valued.has(operator)) === true;
    // The fields of custom resources are read by each version's own rules, which may change.
    const isIndexed = (term: FieldTerm): boolean => term.equal && !term.field.startsWith("metadata.");
    const field = served.custom === undefined ? fields.find(isIndexed)?.field : undefined;
    if (!wantsLabels && field === undefined) return undefined;
    const all = snapshot.count(served.prefix, endOf(served.prefix));
    if (all < indexedObjectsMin) return undefined;
    const choices: Choice[] = [];
    if (wantsLabels) this.#chooseLabel(selection, snapshot, choices);
    if (field !== undefined) this.#chooseField(selection, snapshot, field, choices);
    const [best] = choices.sort((left, right) => left.count - right.count);
    // To sort a large part of everything costs more than to look at everything.
    if (best === undefined || all < best.count * 4) return undefined;
    return entriesOf(snapshot, best.column.keys(best.name, best.values, start, end));
  }

  close(): void {
    for (const column of this.#columns.values()) column.close();
    this.#columns.clear();
  }

  #chooseLabel({ labels, served }: Selection, snapshot: Snapshot, choices: Choice[]): void {
    const column = this.#column(served.prefix, served.kind, undefined);
    if (!column.isAt(snapshot.revision)) return;
    for (const { key: name, operator, values } of labels?.requirements ?? []) {
      if (!valued.has(operator)) continue;
      const wanted = operator === "Exists" ? undefined : values;
      choices.push({ column, name, values: wanted, count: column.count(name, wanted) });
    }
  }

  #chooseField({ fields, served }: Selection, snapshot: Snapshot, name: string, choices: Choice[]): void {
    const column = this.#column(served.prefix, served.kind, name);
    if (!column.isAt(snapshot.revision)) return;
    const values = fields.filter((term) => term.equal && term.field === name).map((term) => term.value);
    choices.push({ column, name, values, count: column.count(name, values) });
  }

  #column(prefix: string, kind: Kind, field: string | undefined): Column {
    const id = field === undefined ? prefix : `${prefix}${field}`;
    let column = this.#columns.get(id);
    if (column === undefined || column.isBroken) {
      if (selectionIndexesMax <= this.#columns.size) this.#dropOldest();
      column = new Column(this.#parts, prefix, kind, field);
      this.#columns.set(id, column);
    }
    column.lastUse = this.#uses += 1;
    return column;
  }

  #dropOldest(): void {
    let oldest: [string, Column] | undefined;
    for (const each of this.#columns) if (oldest === undefined || each[1].lastUse < oldest[1].lastUse) oldest = each;
    if (oldest === undefined) return;
    oldest[1].close();
    this.#columns.delete(oldest[0]);
  }
}

/** What a value, or its presence, can be looked up for. */
const valued: ReadonlySet<string> = new Set(["In", "Equals", "Exists"]);

function* entriesOf(snapshot: Snapshot, keys: readonly string[]): IterableIterator<Entry> {
  for (const key of keys) {
    const entry = snapshot.get(key);
    if (entry !== undefined) yield entry;
  }
}
