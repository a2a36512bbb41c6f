import { selectableFields } from "#api/field-selectors.ts";
import type { ApiObject, Kind } from "#api/kind.ts";
import { parseJson, parseJsonText } from "#codec/json.ts";
import { recordOf } from "#codec/record.ts";
import type { Entry } from "#store/store.ts";
import type { Timer, Timers } from "#world/clock.ts";
import { decodedBytesAtRestMax, decodedBytesMax, restLookMs } from "../limits.ts";
import { jsonOf, labelsText, type Encoded } from "./stored.ts";

/** What is kept beside a stored entry: everything derived from its bytes, made when first asked for. */
class Attachment {
  object: ApiObject | undefined;
  labels: Readonly<Record<string, string>> | undefined;
  fields: Readonly<Record<string, string>> | undefined;
  encodings: Map<string, Uint8Array> | undefined;
  hasLargeIntegers: boolean | undefined;
  /** Of the entry's value, in bytes. */
  length = 0;
}

const decoder = new TextDecoder();
const noLabels: Readonly<Record<string, string>> = Object.freeze(recordOf({}) as Record<string, string>);

/**
 * Derived forms of stored entries. Decoded objects are the large ones: the oldest of them are dropped beyond a bound, and beyond a
 * lower one once few are made any more: the loops look at a change soon after it, or not again for long.
 */
export class ObjectCache {
  /** What is kept, oldest first from `#first` on. */
  #kept: (Attachment | undefined)[] = [];
  #first = 0;
  #keptBytes = 0;
  /** Of what was kept since the last look whether the server is at rest. */
  #newBytes = 0;
  #look: Timer | undefined;
  readonly #timers: Pick<Timers, "after">;

  constructor(timers: Pick<Timers, "after">) {
    this.#timers = timers;
  }

  /** The attachment for a put, so that a write need not be parsed again. The object is shared from now on: never change it. */
  attach(object: ApiObject, { value, isPlain }: Encoded): unknown {
    const attachment = new Attachment();
    this.#keep(attachment, object, value.length);
    attachment.labels = object.metadata.labels ?? noLabels;
    if (isPlain) attachment.hasLargeIntegers = false;
    return attachment;
  }

  /** The decoded object in its storage version, shared: never change it. */
  decoded(entry: Entry): ApiObject {
    const attachment = attachmentOf(entry);
    const known = attachment.object;
    if (known !== undefined) {
      // The revision is known only since the store took the entry.
      known.metadata.resourceVersion ??= String(entry.modified);
      return known;
    }
    const object = parseStored(entry);
    this.#keep(attachment, object, entry.value.length);
    return object;
  }

  /**
   * The same for readers beyond the API, loops of this process: all of them share it, so nobody may ever change it. Integers beyond
   * 2^53, which only the API keeps exactly, are numbers there as for any reader of JSON.
   */
  shared(entry: Entry): ApiObject {
    const object = this.decoded(entry);
    const attachment = attachmentOf(entry);
    attachment.hasLargeIntegers ??= objectHasLargeIntegers(object);
    return attachment.hasLargeIntegers ? (JSON.parse(decoder.decode(jsonOf(entry.value))) as ApiObject) : object;
  }

  labels(entry: Entry): Readonly<Record<string, string>> {
    const attachment = attachmentOf(entry);
    attachment.labels ??= readLabels(entry, attachment.object);
    return attachment.labels;
  }

  /** The same without keeping them: for indexes, which look at each entry once. */
  labelsOnce(entry: Entry): Readonly<Record<string, string>> {
    const { attachment } = entry;
    if (!(attachment instanceof Attachment)) return readLabels(entry, undefined);
    return attachment.labels ?? readLabels(entry, attachment.object);
  }

  /** One value that field selectors of the kind see, without keeping it. */
  field(entry: Entry, kind: Kind, name: string): string {
    const { attachment } = entry;
    const known = attachment instanceof Attachment ? attachment : undefined;
    if (known?.fields !== undefined) return known.fields[name] ?? "";
    return selectableFields(kind)[name]?.(known?.object ?? parseOnce(entry)) ?? "";
  }

  /** All of them, without keeping them. */
  fieldsOnce(entry: Entry, kind: Kind): Readonly<Record<string, string>> {
    const { attachment } = entry;
    const known = attachment instanceof Attachment ? attachment : undefined;
    return known?.fields ?? readFields(known?.object ?? parseOnce(entry), kind);
  }

  /** The values that field selectors of the kind see. */
  fields(entry: Entry, kind: Kind): Readonly<Record<string, string>> {
    const attachment = attachmentOf(entry);
    if (attachment.fields === undefined) {
      const object = attachment.object ?? parseStored(entry);
      attachment.labels ??= object.metadata.labels ?? noLabels;
      attachment.fields = readFields(object, kind);
    }
    return attachment.fields;
  }

  /** Bytes of another representation of the entry, made once. */
  encoding(entry: Entry, id: string, make: () => Uint8Array): Uint8Array {
    const attachment = attachmentOf(entry);
    attachment.encodings ??= new Map();
    const known = attachment.encodings.get(id);
    if (known !== undefined) return known;
    const bytes = make();
    attachment.encodings.set(id, bytes);
    return bytes;
  }

  /** Drops nothing by itself any more. */
  close(): void {
    this.#look?.cancel();
  }

  #keep(attachment: Attachment, object: ApiObject, length: number): void {
    attachment.object = object;
    attachment.length = length;
    this.#kept.push(attachment);
    this.#keptBytes += length;
    this.#newBytes += length;
    this.#dropBeyond(decodedBytesMax);
    if (decodedBytesAtRestMax < this.#keptBytes) this.#lookSoon();
  }

  #lookSoon(): void {
    this.#look ??= this.#timers.after(restLookMs, () => {
      this.#look = undefined;
      const isAtRest = this.#newBytes < decodedBytesAtRestMax;
      this.#newBytes = 0;
      if (isAtRest) this.#dropBeyond(decodedBytesAtRestMax);
      else this.#lookSoon();
    });
  }

  #dropBeyond(bytesMax: number): void {
    while (bytesMax < this.#keptBytes && this.#first < this.#kept.length - 1) {
      const dropped = this.#kept[this.#first]!;
      this.#kept[this.#first++] = undefined;
      this.#keptBytes -= dropped.length;
      dropped.object = undefined;
      dropped.encodings = undefined;
    }
    if (this.#first < emptyPlacesMax) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }
}

/** Places of what was dropped, before the list is made anew without them. */
const emptyPlacesMax = 4_096;

function attachmentOf(entry: Entry): Attachment {
  if (entry.attachment instanceof Attachment) return entry.attachment;
  const made = new Attachment();
  entry.attachment = made;
  return made;
}

function readFields(object: ApiObject, kind: Kind): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  const readers = selectableFields(kind);
  for (const name of Object.keys(readers)) fields[name] = readers[name]!(object);
  return fields;
}

const mayBeLarge = /[0-9]{16}/;

/** For a look at a few members: by the engine's parser, three times as fast, where no integer is beyond what it keeps exactly. */
function parseOnce(entry: Entry): ApiObject {
  const text = decoder.decode(jsonOf(entry.value));
  return mayBeLarge.test(text) ? parseStored(entry) : (JSON.parse(text) as ApiObject);
}

/** In metadata, most of which says who owns which field, only one number is of users' choice. */
function objectHasLargeIntegers(object: ApiObject): boolean {
  for (const field in object) if (field !== "metadata" && hasLargeIntegers(object[field])) return true;
  return typeof object.metadata["deletionGracePeriodSeconds"] === "bigint";
}

function hasLargeIntegers(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value === "bigint";
  if (Array.isArray(value)) return value.some(hasLargeIntegers);
  for (const key in value) if (hasLargeIntegers((value as Record<string, unknown>)[key])) return true;
  return false;
}

function readLabels(entry: Entry, object: ApiObject | undefined): Readonly<Record<string, string>> {
  if (object !== undefined) return object.metadata.labels ?? noLabels;
  const text = labelsText(entry.value);
  if (text === undefined) return noLabels;
  const parsed = parseJsonText(text);
  if (!parsed.ok) throw new Error(`cannot read the labels of ${entry.key}: ${parsed.message}`);
  return parsed.value as Record<string, string>;
}

function parseStored(entry: Entry): ApiObject {
  const parsed = parseJson(jsonOf(entry.value));
  if (!parsed.ok) throw new Error(`cannot read the stored object ${entry.key}: ${parsed.message}`);
  return parsed.value as ApiObject;
}
