import { KeptText } from "#codec/kept-text.ts";
import type { StructSchema } from "#codec/schema.ts";
import { compareObjects } from "./compare.ts";
import { createdFields } from "./created.ts";
import { emptyObject } from "./empty-object.ts";
import {
  arrangeEntries,
  changeEntry,
  entryWith,
  isSameWriter,
  makeEntry,
  readEntries,
  sameFields,
  type ManagedFieldsEntry,
  type Writer,
} from "./entries.ts";
import { covers, difference, meets, readFields, union, writeFields, type FieldSet } from "./field-set.ts";
import { defaultResetFields, type ResetFields } from "./ignored.ts";
import { Comparisons, type ToVersion } from "./versions.ts";

export interface UpdateOwnership {
  readonly schema: StructSchema;
  /** The stored object in canonical form; undefined when it is created. */
  readonly before: Record<string, unknown> | undefined;
  /** The new one, with defaults, before admission. */
  readonly after: Record<string, unknown>;
  /** The entries so far: those that the client sent, or the stored ones. */
  readonly managed: readonly unknown[] | undefined;
  readonly manager: string;
  readonly operation: "Update";
  readonly apiVersion: string;
  /** Empty for the main resource. */
  readonly subresource: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Fields that this write cannot set; by default `status` on the main resource and `spec` on /status. */
  readonly resetFields?: ResetFields;
  /** Where the kind has several versions: entries lose fields as their own version sees the change. */
  readonly toVersion?: ToVersion | undefined;
}

/**
 * The entries after a write that is no apply: the writer owns what it added and changed, others lose that and what was removed.
 * Answers `managed` itself when nothing changed. An object that was stored without entries stays without, as upstream.
 */
export function updateManagedFields(update: UpdateOwnership): readonly unknown[] | undefined {
  const { before, managed, schema } = update;
  if (before !== undefined && (managed === undefined || managed.length === 0)) return managed;
  const reset = update.resetFields ?? defaultResetFields(update.subresource);
  if (before === undefined && (managed === undefined || managed.length === 0)) return created(update, reset);
  const comparison = compareObjects(schema, before ?? emptyObject(schema), update.after, reset);
  const { added, modified, removed } = comparison;
  const taken = union(added, modified);
  if (taken.isEmpty && removed.isEmpty) return managed;
  const writer: Writer = {
    manager: update.manager,
    operation: "Update",
    apiVersion: update.apiVersion,
    subresource: update.subresource,
  };
  const entries = readEntries(managed);
  const own = entries.find((entry) => isSameWriter(entry, writer));
  const { apiVersion, after, toVersion } = update;
  const rest = takeFromOthers(
    entries,
    own,
    new Comparisons({ apiVersion, before, after, reset, toVersion }, comparison),
  );
  if (own === undefined) {
    if (!taken.isEmpty) rest.push(makeEntry(writer, taken, update.time));
  } else {
    const entry = changeOwn(own, taken, removed, update.time);
    if (entry !== undefined) rest.push(entry);
  }
  return arrangeEntries(rest);
}

/** Nobody owned anything before: the writer owns all that it set. */
function created(update: UpdateOwnership, reset: ResetFields): readonly unknown[] | undefined {
  const { schema, after, manager, apiVersion, subresource, time } = update;
  const fields = createdFields(schema, emptyObject(schema), after, reset);
  if (fields === undefined) return undefined;
  return [entryWith({ manager, operation: "Update", apiVersion, subresource }, KeptText.of(fields), time)];
}

/** All entries but `own`, without the fields that they lost; entries that lost all are gone, and those of versions that are. */
export function takeFromOthers(
  entries: readonly ManagedFieldsEntry[],
  own: ManagedFieldsEntry | undefined,
  comparisons: Comparisons,
): ManagedFieldsEntry[] {
  const rest: ManagedFieldsEntry[] = [];
  for (const entry of entries) {
    if (entry === own) continue;
    const comparison = comparisons.of(entry);
    if (comparison === undefined) continue;
    const taken = union(comparison.added, comparison.modified);
    if (!meets(entry.fieldsV1, taken) && !meets(entry.fieldsV1, comparison.removed)) {
      rest.push(entry);
      continue;
    }
    const left = difference(difference(readFields(entry.fieldsV1), taken), comparison.removed);
    if (!left.isEmpty) rest.push(changeEntry(entry, writeFields(left)));
  }
  return rest;
}

function changeOwn(
  own: ManagedFieldsEntry,
  taken: FieldSet,
  removed: FieldSet,
  time: number,
): ManagedFieldsEntry | undefined {
  // The usual case of a status that is written again and again: the same fields have other values.
  if (covers(own.fieldsV1, taken) && !meets(own.fieldsV1, removed)) {
    return taken.isEmpty ? own : changeEntry(own, sameFields(own), time);
  }
  const fields = union(difference(readFields(own.fieldsV1), removed), taken);
  if (fields.isEmpty) return undefined;
  return changeEntry(own, writeFields(fields), taken.isEmpty ? undefined : time);
}
