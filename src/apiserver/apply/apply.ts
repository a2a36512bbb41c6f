import type { ApiObject } from "#api/kind.ts";
import { allAtOnce } from "#base/steps.ts";
import { decode } from "#codec/decode.ts";
import { isEqualValue, isRecord, PlainRecord, recordOf } from "#codec/record.ts";
import type { StructSchema } from "#codec/schema.ts";
import { compareObjects } from "./compare.ts";
import { conflictMessage, conflictsWith, type Conflict } from "./conflict.ts";
import {
  arrangeEntries,
  isSameWriter,
  makeEntry,
  readEntries,
  type ManagedFieldsEntry,
  type Writer,
} from "./entries.ts";
import { difference, FieldSet, intersection, isSameSet, meets, pathsOf, readFields, union } from "./field-set.ts";
import { fieldsOf, withNamedFields } from "./fields-of.ts";
import { defaultResetFields, type ResetFields } from "./ignored.ts";
import { fieldsOfLastApplied, withLastApplied } from "./last-applied.ts";
import { mergeApplied, removeFields } from "./merge.ts";
import { emptyObject } from "./empty-object.ts";
import { takeFromOthers } from "./update.ts";
import { Comparisons, type ToVersion } from "./versions.ts";

export interface Apply {
  readonly schema: StructSchema;
  /** The stored object in canonical form; undefined when this apply creates it. */
  readonly live: Record<string, unknown> | undefined;
  /** Its entries; by default those in its metadata. */
  readonly liveManaged?: readonly unknown[] | undefined;
  /** The configuration, decoded with `sparse`: only what was given. */
  readonly applied: Record<string, unknown>;
  readonly manager: string;
  readonly force: boolean;
  /** Empty for the main resource. */
  readonly subresource: string;
  readonly apiVersion: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Fields that this write cannot set; by default `status` on the main resource and `spec` on /status. */
  readonly resetFields?: ResetFields;
  /** Where the kind has several versions: what others own is compared in the version in which they wrote. */
  readonly toVersion?: ToVersion | undefined;
  /** The way back from such a version. */
  readonly fromVersion?: ((apiVersion: string, object: Record<string, unknown>) => Record<string, unknown>) | undefined;
}

export type ApplyResult =
  | {
      readonly ok: true;
      /** Merged, not yet defaulted: hand it to `decode` with defaults. Its metadata carries the new entries. */
      readonly object: Record<string, unknown>;
      readonly managedFields: readonly unknown[];
      /** False: neither a field nor an owner changed; nothing needs to be written. */
      readonly changed: boolean;
    }
  /** 409 with `conflicts` as causes, or 400 when the configuration cannot be applied at all. */
  | { readonly ok: false; readonly code: 400 | 409; readonly message: string; readonly conflicts: readonly Conflict[] };

/**
 * Server-side apply: merges the configuration into the live object, refuses to change what others own unless forced, removes
 * what this manager applied before and applies no more. https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export function applyObject(apply: Apply): ApplyResult {
  return allAtOnce(applySteps(apply));
}

/** `applyObject` with a pause after each step: a large object takes tens of milliseconds, which others need not wait for. */
export function* applySteps(apply: Apply): Generator<void, ApplyResult> {
  const { schema, applied } = apply;
  const reset = apply.resetFields ?? defaultResetFields(apply.subresource);
  if (isRecord(applied["metadata"]) && applied["metadata"]["managedFields"] !== undefined) {
    return invalid("metadata.managedFields must be nil");
  }
  const { set, errors } = fieldsOf(schema, applied, reset);
  if (errors.length > 0) return invalid(untyped(applied, errors));
  yield;
  const live = apply.live ?? new PlainRecord();
  const entries = entriesBefore(apply, reset);
  const writer: Writer = {
    manager: apply.manager,
    operation: "Apply",
    apiVersion: apply.apiVersion,
    subresource: apply.subresource,
  };
  const own = entries.find((entry) => isSameWriter(entry, writer));
  const others = entries.filter((entry) => entry !== own);
  const object = mergeAndPrune(apply, live, reset, { own, set, others });
  yield;
  const comparison = compareObjects(schema, apply.live ?? emptyObject(schema), object, reset);
  yield;
  const taken = union(comparison.added, comparison.modified);
  const { apiVersion, toVersion } = apply;
  const change = { apiVersion, before: apply.live, after: object, reset, toVersion };
  const comparisons = new Comparisons(change, comparison);
  const conflicts = apply.force ? [] : conflictsOf(apply, entries, own, comparisons, reset);
  if (conflicts.length > 0) return { ok: false, code: 409, message: conflictMessage(conflicts), conflicts };
  const rest = takeFromOthers(entries, own, comparisons);
  yield;
  const isSame =
    taken.isEmpty && comparison.removed.isEmpty && own !== undefined && isSameSet(readFields(own.fieldsV1), set);
  const sameVersion = own !== undefined && own.apiVersion === apply.apiVersion;
  if (isSame && sameVersion) rest.push(own);
  else if (!set.isEmpty) rest.push(makeEntry(writer, set, apply.time));
  yield;
  const managedFields = arrangeEntries(rest);
  const annotated = apply.manager === "kubectl" && apply.subresource === "" ? withLastApplied(object, applied) : object;
  const result = withManagedFields(annotated, managedFields);
  const changed = apply.live === undefined || !isSame || !sameVersion || annotated !== object;
  return { ok: true, object: result, managedFields, changed: changed && !isEqualValue(apply.live, result) };
}

/** What upstream says of a configuration that is not of its type. */
export function untyped(applied: Record<string, unknown>, errors: readonly string[]): string {
  const { apiVersion, kind, metadata } = applied as Partial<ApiObject>;
  const what = `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}; ${apiVersion ?? ""}, Kind=${kind ?? ""}`;
  const list = errors.length === 1 ? errors[0]! : ["errors:", ...errors].join("\n  ");
  return `failed to create typed patch object (${what}): ${list}`;
}

function invalid(message: string): ApplyResult {
  return { ok: false, code: 400, message, conflicts: [] };
}

function withManagedFields(
  object: Record<string, unknown>,
  managedFields: readonly unknown[],
): Record<string, unknown> {
  const metadata = isRecord(object["metadata"]) ? object["metadata"] : {};
  return recordOf({ ...object, metadata: recordOf({ ...metadata, managedFields }) });
}

/** The live entries. What an object without any has was set by somebody before the first apply. */
function entriesBefore(apply: Apply, reset: ResetFields): ManagedFieldsEntry[] {
  if (apply.live === undefined) return [];
  const metadata = apply.live["metadata"];
  const stored =
    isRecord(metadata) && Array.isArray(metadata["managedFields"])
      ? (metadata["managedFields"] as unknown[])
      : undefined;
  const entries = readEntries(apply.liveManaged ?? stored);
  if (entries.length > 0) return entries;
  const { added, modified } = compareObjects(apply.schema, emptyObject(apply.schema), apply.live, reset);
  const writer: Writer = {
    manager: "before-first-apply",
    operation: "Update",
    apiVersion: apply.apiVersion,
    subresource: "",
  };
  const set = union(added, modified);
  return set.isEmpty ? [] : [makeEntry(writer, set, apply.time)];
}

interface Owners {
  readonly own: ManagedFieldsEntry | undefined;
  readonly set: FieldSet;
  readonly others: readonly ManagedFieldsEntry[];
}

function mergeAndPrune(
  apply: Apply,
  live: Record<string, unknown>,
  reset: ResetFields,
  owners: Owners,
): Record<string, unknown> {
  const { schema, apiVersion } = apply;
  const merged = mergeApplied(schema, live, apply.applied) as Record<string, unknown>;
  const { own, set } = owners;
  if (own === undefined) return merged;
  if (own.apiVersion !== undefined && own.apiVersion !== apiVersion && apply.toVersion !== undefined)
    return prunedAcrossVersions(apply, merged, reset, { ...owners, own });
  const last = readFields(own.fieldsV1);
  // Usually the same fields are applied again, and nothing can be left over.
  if (difference(last, set).isEmpty) return merged;
  const gone = difference(withNamedFields(last, schema), ownedIn(schema, owners, apply, apiVersion));
  gone.member = false;
  return removeFields(schema, merged, gone) as Record<string, unknown>;
}

/** What this apply and others own in a version; all that others own where versions are not told apart. */
function ownedIn(schema: StructSchema, { set, others }: Owners, apply: Apply, apiVersion: string): FieldSet {
  let owned = apiVersion === apply.apiVersion ? withNamedFields(set, schema) : new FieldSet();
  for (const other of others) {
    if (apply.toVersion !== undefined && other.apiVersion !== apiVersion) continue;
    owned = union(owned, withNamedFields(readFields(other.fieldsV1), schema));
  }
  return owned;
}

/**
 * Removes what this manager applied in another version and applies no more: there it is removed, and what that takes away in the
 * version of this apply goes, but for what somebody owns in it.
 */
function prunedAcrossVersions(
  apply: Apply,
  merged: Record<string, unknown>,
  reset: ResetFields,
  owners: Owners & { readonly own: ManagedFieldsEntry },
): Record<string, unknown> {
  const { own } = owners;
  const lastVersion = own.apiVersion ?? "";
  const there = apply.toVersion?.(lastVersion, merged);
  if (there === undefined || apply.fromVersion === undefined) return merged;
  const last = withNamedFields(readFields(own.fieldsV1), there.schema);
  const gone = difference(last, ownedIn(there.schema, owners, apply, lastVersion));
  gone.member = false;
  // Converting wants the parts that every object of a type has, also empty ones.
  const pruned = decode(there.schema, removeFields(there.schema, there.object, gone), { defaults: false }).object;
  const { removed } = compareObjects(apply.schema, merged, apply.fromVersion(lastVersion, pruned), reset);
  const goes = difference(removed, ownedIn(apply.schema, owners, apply, apply.apiVersion));
  goes.member = false;
  return removeFields(apply.schema, merged, goes) as Record<string, unknown>;
}

function conflictsOf(
  apply: Apply,
  entries: readonly ManagedFieldsEntry[],
  own: ManagedFieldsEntry | undefined,
  comparisons: Comparisons,
  reset: ResetFields,
): Conflict[] {
  const conflicts: Conflict[] = [];
  let fields = new FieldSet();
  for (const entry of entries) {
    const comparison = entry === own ? undefined : comparisons.of(entry);
    if (comparison === undefined) continue;
    const taken = union(comparison.added, comparison.modified);
    if (!meets(entry.fieldsV1, taken)) continue;
    const contested = intersection(readFields(entry.fieldsV1), taken);
    fields = union(fields, contested);
    conflicts.push(...conflictsWith(entry, contested));
  }
  if (conflicts.length === 0 || apply.manager !== "kubectl" || own !== undefined || apply.live === undefined)
    return conflicts;
  const allowed = fieldsOfLastApplied(apply.schema, apply.live, reset);
  return allowed !== undefined && pathsOf(difference(fields, allowed)).length === 0 ? [] : conflicts;
}
