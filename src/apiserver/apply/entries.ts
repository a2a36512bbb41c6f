import { formatTime } from "#codec/time.ts";
import { stringifyJson } from "#codec/json.ts";
import { KeptText } from "#codec/kept-text.ts";
import { isRecord, PlainRecord, recordOf } from "#codec/record.ts";
import { readFields, union, writeFields, type FieldSet } from "./field-set.ts";
import { updateEntriesMax } from "./limits.ts";

/** One entry of `metadata.managedFields`. */
export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly apiVersion?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: unknown;
  readonly subresource?: string;
}

/** Who writes: what tells entries apart. */
export interface Writer {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** Empty for the main resource. */
  readonly subresource: string;
}

/** The entries of an object that can be read; others are dropped, as upstream starts over with what it cannot decode. */
export function readEntries(managed: readonly unknown[] | undefined): ManagedFieldsEntry[] {
  return (managed ?? []).filter((entry): entry is ManagedFieldsEntry => {
    return isRecord(entry) && (entry["operation"] === "Apply" || entry["operation"] === "Update");
  });
}

/**
 * The entries that a write starts from: those that the client sent, else the stored ones. An empty list is what clients send that
 * know no entries; a single empty one is how they ask to forget all owners, which undefined stands for.
 */
export function entriesToStartFrom(
  given: readonly unknown[] | undefined,
  stored: readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  const [first] = given ?? [];
  if (given?.length === 1 && isRecord(first) && Object.keys(first).length === 0) return undefined;
  return given === undefined || given.length === 0 ? stored : given;
}

/** An applier keeps its entry when it applies in another version; updates of each version have their own. */
export function isSameWriter(entry: ManagedFieldsEntry, writer: Writer): boolean {
  return (
    (entry.manager ?? "") === writer.manager &&
    entry.operation === writer.operation &&
    (entry.subresource ?? "") === writer.subresource &&
    (writer.operation === "Apply" || entry.apiVersion === writer.apiVersion)
  );
}

export function makeEntry(writer: Writer, fields: FieldSet, timeMs: number | undefined): ManagedFieldsEntry {
  return entryWith(writer, writeFields(fields), timeMs);
}

/** An entry with fields that stand in their form, or as its text. */
export function entryWith(writer: Writer, fieldsV1: unknown, timeMs: number | undefined): ManagedFieldsEntry {
  return entryOf({
    manager: writer.manager,
    operation: writer.operation,
    apiVersion: writer.apiVersion,
    ...(timeMs === undefined ? {} : { time: formatTime(timeMs) }),
    fieldsType: "FieldsV1",
    fieldsV1,
    ...(writer.subresource === "" ? {} : { subresource: writer.subresource }),
  });
}

/** The entry with other fields, its time included when given. */
export function changeEntry(entry: ManagedFieldsEntry, fields: unknown, timeMs?: number): ManagedFieldsEntry {
  return entryOf({
    ...(entry.manager === undefined ? {} : { manager: entry.manager }),
    ...(entry.operation === undefined ? {} : { operation: entry.operation }),
    ...(entry.apiVersion === undefined ? {} : { apiVersion: entry.apiVersion }),
    ...(timeMs !== undefined ? { time: formatTime(timeMs) } : entry.time === undefined ? {} : { time: entry.time }),
    fieldsType: "FieldsV1",
    fieldsV1: fields,
    ...(entry.subresource === undefined ? {} : { subresource: entry.subresource }),
  });
}

function entryOf(entry: ManagedFieldsEntry): ManagedFieldsEntry {
  const made: Record<string, unknown> =
    entry.fieldsV1 instanceof KeptText ? new KeptEntry(entry, entry.fieldsV1) : recordOf({ ...entry });
  return made;
}

/** An entry like any other whose fields are read from their text when somebody looks at them: hardly anybody does. */
class KeptEntry extends PlainRecord {
  readonly #fields: KeptText;

  constructor(members: ManagedFieldsEntry, fields: KeptText) {
    super();
    this.#fields = fields;
    for (const name in members) {
      if (name === "fieldsV1") Object.defineProperty(this, name, KeptEntry.#looked);
      else this[name] = (members as Record<string, unknown>)[name];
    }
  }

  static fieldsOf(entry: object): KeptText | undefined {
    return #fields in entry ? entry.#fields : undefined;
  }

  static readonly #looked: PropertyDescriptor = {
    get(this: KeptEntry): unknown {
      return this.#fields.value;
    },
    enumerable: true,
    configurable: true,
  };
}
Reflect.deleteProperty(KeptEntry.prototype, "constructor");

/** The fields of an entry for another that has the same: as text where they are text. */
export function sameFields(entry: ManagedFieldsEntry): unknown {
  return keptFields(entry) ?? entry.fieldsV1;
}

function keptFields(entry: object): KeptText | undefined {
  return KeptEntry.fieldsOf(entry) ?? KeptText.behind((entry as ManagedFieldsEntry).fieldsV1);
}

/** The JSON of `managedFields`; fields that are text already stay so. */
export function entriesText(entries: readonly unknown[]): string {
  const texts = entries.map((entry) => {
    const fields = isRecord(entry) ? keptFields(entry) : undefined;
    return fields === undefined ? stringifyJson(entry) : entryText(entry as ManagedFieldsEntry, fields.text);
  });
  return `[${texts.join(",")}]`;
}

function entryText(entry: ManagedFieldsEntry, fields: string): string {
  let text = "";
  for (const name in entry) {
    const value = name === "fieldsV1" ? fields : stringifyJson((entry as Record<string, unknown>)[name]);
    text += `${text === "" ? "{" : ","}"${name}":${value}`;
  }
  return `${text}}`;
}

/** Merges the oldest updates when there are too many, and puts the entries into their order. */
export function arrangeEntries(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  return capUpdates(entries).sort(compareEntries);
}

/** The name under which upstream keeps what the oldest updates own. */
const ancientChanges = "ancient-changes";

function capUpdates(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const result = [...entries];
  let updates = result.filter((entry) => entry.operation === "Update").length;
  if (updates <= updateEntriesMax) return result;
  const oldest = result
    .filter((entry) => entry.operation === "Update" && entry.manager !== ancientChanges)
    .sort((a, b) => compareText(a.time ?? "", b.time ?? "") || compareText(a.manager ?? "", b.manager ?? ""));
  for (const entry of oldest) {
    if (updates <= updateEntriesMax) break;
    const bucketAt = result.findIndex(
      (other) => other.manager === ancientChanges && other.apiVersion === entry.apiVersion,
    );
    const bucket = result[bucketAt];
    result.splice(result.indexOf(entry), 1);
    if (bucket === undefined) {
      const writer: Writer = {
        manager: ancientChanges,
        operation: "Update",
        apiVersion: entry.apiVersion ?? "",
        subresource: "",
      };
      const renamed = makeEntry(writer, readFields(entry.fieldsV1), undefined);
      result.push(entry.time === undefined ? renamed : entryOf({ ...renamed, time: entry.time }));
    } else {
      const at = result.indexOf(bucket);
      const fields = writeFields(union(readFields(bucket.fieldsV1), readFields(entry.fieldsV1)));
      const merged = changeEntry(bucket, fields);
      result[at] =
        (entry.time ?? "") > (bucket.time ?? "") && entry.time !== undefined
          ? entryOf({ ...merged, time: entry.time })
          : merged;
      updates -= 1;
    }
  }
  return result;
}

function compareEntries(a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  return (
    compareText(a.operation ?? "", b.operation ?? "") ||
    compareText(a.time ?? "", b.time ?? "") ||
    compareText(a.manager ?? "", b.manager ?? "") ||
    compareText(a.apiVersion ?? "", b.apiVersion ?? "") ||
    compareText(a.subresource ?? "", b.subresource ?? "")
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
