import type { Entry, Revision } from "./store.ts";

/** An entry as the sequencer makes it; knows its place in its transaction, so that a disk finds its row again. */
export class StoredEntry implements Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly created: Revision;
  readonly modified: Revision;
  attachment: unknown;
  readonly place: number;

  constructor(
    key: string,
    value: Uint8Array,
    created: Revision,
    modified: Revision,
    attachment: unknown,
    place: number,
  ) {
    this.key = key;
    this.value = value;
    this.created = created;
    this.modified = modified;
    this.attachment = attachment;
    this.place = place;
  }
}

/** The index of the operation that made the entry. */
export function placeOf(entry: Entry): number {
  if (!(entry instanceof StoredEntry)) throw new TypeError("The entry was not made by the sequencer");
  return entry.place;
}
