import { selectableFields } from "#api/field-selectors.ts";
import type { ApiObject, Kind } from "#api/kind.ts";
import { parseJson, parseJsonText } from "#codec/json.ts";
import type { Entry } from "#store/store.ts";
import { decodedObjectsMax } from "../limits.ts";
import { jsonOf, labelsText } from "./stored.ts";

/** What is kept beside a stored entry: everything derived from its bytes, made when first asked for. */
class Attachment {
  object: ApiObject | undefined;
  labels: Readonly<Record<string, string>> | undefined;
  fields: Readonly<Record<string, string>> | undefined;
  encodings: Map<string, Uint8Array> | undefined;
  hasLargeIntegers: boolean | undefined;
}

const decoder = new TextDecoder();
const noLabels: Readonly<Record<string, string>> = Object.freeze({});

/** Derived forms of stored entries. Decoded objects are the large ones: the oldest of them are dropped beyond a bound. */
export class ObjectCache {
  readonly #ring: (Attachment | undefined)[] = [];
  #next = 0;

  /** The attachment for a put, so that a write need not be parsed again. The object is shared from now on: never change it. */
  attach(object: ApiObject): unknown {
    const attachment = new Attachment();
    this.#keep(attachment, object);
    attachment.labels = object.metadata.labels ?? noLabels;
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
    this.#keep(attachment, object);
    return object;
  }

  /**
   * The same for readers beyond the API, loops of this process: all of them share it, so nobody may ever change it. Integers beyond
   * 2^53, which only the API keeps exactly, are numbers there as for any reader of JSON.
   */
  shared(entry: Entry): ApiObject {
    const object = this.decoded(entry);
    const attachment = attachmentOf(entry);
    attachment.hasLargeIntegers ??= hasLargeIntegers(object);
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
    return selectableFields(kind)[name]?.(known?.object ?? parseStored(entry)) ?? "";
  }

  /** The values that field selectors of the kind see. */
  fields(entry: Entry, kind: Kind): Readonly<Record<string, string>> {
    const attachment = attachmentOf(entry);
    if (attachment.fields === undefined) {
      const object = attachment.object ?? parseStored(entry);
      const fields: Record<string, string> = {};
      const readers = selectableFields(kind);
      for (const name of Object.keys(readers)) fields[name] = readers[name]!(object);
      attachment.labels ??= object.metadata.labels ?? noLabels;
      attachment.fields = fields;
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

  #keep(attachment: Attachment, object: ApiObject): void {
    attachment.object = object;
    const dropped = this.#ring[this.#next];
    if (dropped !== undefined) {
      dropped.object = undefined;
      dropped.encodings = undefined;
    }
    this.#ring[this.#next] = attachment;
    this.#next = (this.#next + 1) % decodedObjectsMax;
  }
}

function attachmentOf(entry: Entry): Attachment {
  if (entry.attachment instanceof Attachment) return entry.attachment;
  const made = new Attachment();
  entry.attachment = made;
  return made;
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
