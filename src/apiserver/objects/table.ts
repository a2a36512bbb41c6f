import { ageColumn, nameColumn } from "#api/columns.ts";
import { ageOf } from "#api/human-duration.ts";
import type { ApiObject, Cell, Column, Kind } from "#api/kind.ts";
import { encodeJson } from "#codec/json.ts";

const plainColumns: readonly Column[] = [nameColumn, { ...ageColumn, name: "Age" }];

export function columnsOf(kind: Kind): readonly Column[] {
  return kind.rules.columns ?? plainColumns;
}

/** `"columnDefinitions":[...]` */
export function columnDefinitions(kind: Kind): Record<string, unknown>[] {
  return columnsOf(kind).map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? "",
    description,
    priority,
  }));
}

/** The cells of one row; what has no value is null. */
function cellsOf(kind: Kind, object: ApiObject, now: number): (Exclude<Cell, undefined> | null)[] {
  const cells = kind.rules.columns === undefined ? undefined : kind.rules.cells?.(object, now);
  const made = cells ?? [object.metadata.name ?? "", ageOf(object.metadata.creationTimestamp, now)];
  return made.map((cell) => cell ?? null);
}

/** `{"cells":[...]` without the object and the closing brace, to which the object's bytes are added. */
export function rowHead(kind: Kind, object: ApiObject, now: number): Uint8Array {
  const text = encodeJson({ cells: cellsOf(kind, object, now) });
  return text.subarray(0, text.length - 1);
}
