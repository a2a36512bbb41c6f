import type { OrderedMap } from "#base/ordered-map.ts";
import { Ring } from "#base/ring.ts";
import { attachmentWindowMs, eventOverheadBytes, eventsBetweenRoots, rolledSnapshotsMax } from "./limits.ts";
import type { Entry, Event, Revision } from "./store.ts";

export interface HistoryBounds {
  readonly windowMs: number;
  readonly bytesMax: number;
}

/** The events of one visible group. */
interface Mark {
  readonly lastRevision: Revision;
  readonly time: number;
}

interface Root {
  readonly revision: Revision;
  readonly map: OrderedMap<Entry>;
}

/** The recent past: events in order, and enough tree roots to find the exact state at any revision of it. */
export class History {
  readonly #events = new Ring<Event>(1_024);
  readonly #marks = new Ring<Mark>(64);
  /** Ascending. */
  readonly #roots: Root[] = [];
  #rolled: Root[] = [];
  #bytes = 0;
  #sinceRoot = 0;
  /** Events before this index, and marks before that one, hold no attachments any more. */
  #bareEvents = 0;
  #bareMarks = 0;
  #compacted: Revision;
  readonly #bounds: HistoryBounds;
  readonly #forgotten: (event: Event) => void;

  /** `forgotten` is called for each event that leaves, in order: what it replaced is needed no more. */
  constructor(compacted: Revision, bounds: HistoryBounds, forgotten: (event: Event) => void) {
    this.#compacted = compacted;
    this.#bounds = bounds;
    this.#forgotten = forgotten;
  }

  /** Events above this revision are complete. */
  get compacted(): Revision {
    return this.#compacted;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes in the events of a group that became visible, with the state after it. */
  add(events: readonly Event[], lastRevision: Revision, state: () => OrderedMap<Entry>, now: number): void {
    let bytes = 0;
    for (const event of events) {
      this.#events.push(event);
      bytes += eventBytes(event);
    }
    this.#bytes += bytes;
    this.#marks.push({ lastRevision, time: now });
    this.#sinceRoot += events.length;
    if (this.#sinceRoot >= eventsBetweenRoots) {
      this.#roots.push({ revision: lastRevision, map: state() });
      this.#sinceRoot = 0;
    }
    this.#bareOld(now);
    this.trim(now);
  }

  /** Decoded forms are many times larger than the bytes: replaced entries keep theirs only for a moment. */
  #bareOld(now: number): void {
    for (;;) {
      const mark = this.#marks.at(this.#bareMarks);
      if (mark === undefined || now - mark.time <= attachmentWindowMs) return;
      this.#bareMarks += 1;
      for (;;) {
        const event = this.#events.at(this.#bareEvents);
        if (event === undefined || event.revision > mark.lastRevision) break;
        if (event.previous !== undefined) event.previous.attachment = undefined;
        if (event.type === "delete") event.entry.attachment = undefined;
        this.#bareEvents += 1;
      }
    }
  }

  /** Forgets whole groups, oldest first, until the rest is within its bounds. */
  trim(now: number): void {
    for (;;) {
      const mark = this.#marks.at(0);
      if (mark === undefined) return;
      if (this.#bytes <= this.#bounds.bytesMax && now - mark.time <= this.#bounds.windowMs) return;
      this.#shiftMark();
      this.compact(mark.lastRevision);
    }
  }

  /** Forgets everything up to `revision`. */
  compact(revision: Revision): void {
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    for (;;) {
      const mark = this.#marks.at(0);
      if (mark === undefined || mark.lastRevision > revision) break;
      this.#shiftMark();
    }
    for (;;) {
      const event = this.#events.at(0);
      if (event === undefined || event.revision > revision) break;
      this.#events.shift();
      if (this.#bareEvents > 0) this.#bareEvents -= 1;
      this.#bytes -= eventBytes(event);
      this.#forgotten(event);
    }
    while (this.#roots.length > 0 && this.#roots[0]!.revision < revision) this.#roots.shift();
    this.#rolled = this.#rolled.filter((root) => root.revision >= revision);
  }

  #shiftMark(): void {
    this.#marks.shift();
    if (this.#bareMarks > 0) this.#bareMarks -= 1;
  }

  /** The index of the first event above `revision`. */
  indexAfter(revision: Revision): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events.at(middle)!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Events above `after` up to and with `upTo`: about `countMax`, always whole revisions. */
  slice(after: Revision, upTo: Revision, countMax: number): Event[] {
    const events: Event[] = [];
    for (let i = this.indexAfter(after); i < this.#events.length; i += 1) {
      const event = this.#events.at(i)!;
      if (event.revision > upTo) break;
      if (events.length >= countMax && event.revision !== events.at(-1)!.revision) break;
      events.push(event);
    }
    return events;
  }

  /** The state at exactly `revision`, which lies between `compacted` and `newest.revision`. */
  stateAt(revision: Revision, newest: Root): OrderedMap<Entry> {
    let from = newest;
    for (const root of this.#roots) {
      if (root.revision < revision) continue;
      if (root.revision < from.revision) from = root;
      break;
    }
    for (const root of this.#rolled) if (root.revision >= revision && root.revision < from.revision) from = root;
    if (from.revision === revision) return from.map;
    const editor = from.map.edit();
    for (let i = this.indexAfter(from.revision) - 1; i >= 0; i -= 1) {
      const event = this.#events.at(i)!;
      if (event.revision <= revision) break;
      if (event.previous === undefined) editor.delete(event.key);
      else editor.set(event.key, event.previous);
    }
    const rolled = { revision, map: editor.snapshot() };
    this.#rolled.push(rolled);
    if (this.#rolled.length > rolledSnapshotsMax) this.#rolled.shift();
    return rolled.map;
  }
}

function eventBytes(event: Event): number {
  const replaced = event.previous === undefined ? 0 : event.previous.value.length;
  const last = event.type === "delete" && event.entry.value !== event.previous?.value ? event.entry.value.length : 0;
  return eventOverheadBytes + replaced + last;
}
