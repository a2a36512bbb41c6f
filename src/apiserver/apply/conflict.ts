import type { ManagedFieldsEntry } from "./entries.ts";
import { formatPath, pathsOf, type FieldSet } from "./field-set.ts";

/** One field that somebody else owns, as `details.causes` carries it. */
export interface Conflict {
  readonly reason: "FieldManagerConflict";
  /** `conflict with "kubectl" using apps/v1`. */
  readonly message: string;
  /** `.spec.replicas`. */
  readonly field: string;
}

/** The conflicts with one entry. */
export function conflictsWith(entry: ManagedFieldsEntry, fields: FieldSet): Conflict[] {
  const message = `conflict with ${describe(entry)}`;
  return pathsOf(fields).map((path) => ({ reason: "FieldManagerConflict", message, field: formatPath(path) }));
}

function describe(entry: ManagedFieldsEntry): string {
  const name = JSON.stringify(entry.manager ?? "");
  const where =
    entry.subresource === undefined || entry.subresource === ""
      ? name
      : `${name} with subresource "${entry.subresource}"`;
  if (entry.operation !== "Update") return where;
  const at = entry.time === undefined ? "" : ` at ${entry.time}`;
  return `${where} using ${entry.apiVersion ?? ""}${at}`;
}

/** The message of the 409, in the form that kubectl prints. */
export function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1)
    return `Apply failed with 1 conflict: ${first.message}: ${first.field}`;
  const byWriter = new Map<string, string[]>();
  for (const { message, field } of conflicts) {
    const writer = message.replace(/^conflict with/, "conflicts with");
    byWriter.set(writer, [...(byWriter.get(writer) ?? []), field]);
  }
  const lines = [...byWriter]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([writer, fields]) => [`${writer}:`, ...fields.map((field) => `- ${field}`)]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
}
