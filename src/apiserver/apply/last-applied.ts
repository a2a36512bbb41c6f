import { decode } from "#codec/decode.ts";
import { parseJsonText, stringifyJson } from "#codec/json.ts";
import { isRecord, recordOf } from "#codec/record.ts";
import type { StructSchema } from "#codec/schema.ts";
import { compareObjects } from "./compare.ts";
import { difference, union, type FieldSet } from "./field-set.ts";
import { fieldsOf } from "./fields-of.ts";
import type { ResetFields } from "./ignored.ts";

const annotation = "kubectl.kubernetes.io/last-applied-configuration";

function annotationOf(object: Record<string, unknown>): string | undefined {
  const metadata = object["metadata"];
  const annotations = isRecord(metadata) ? metadata["annotations"] : undefined;
  const text = isRecord(annotations) ? annotations[annotation] : undefined;
  return typeof text === "string" && text !== "" ? text : undefined;
}

/**
 * The fields that kubectl's client-side apply set and nobody changed since: kubectl may take them over when it first applies
 * on the server, without force. Undefined when the object was never applied by the client.
 */
export function fieldsOfLastApplied(
  schema: StructSchema,
  live: Record<string, unknown>,
  reset: ResetFields,
): FieldSet | undefined {
  const text = annotationOf(live);
  const parsed = text === undefined ? undefined : parseJsonText(text);
  if (parsed === undefined || !parsed.ok || !isRecord(parsed.value)) return undefined;
  const configuration = decode(schema, parsed.value, { defaults: false, sparse: true }).object;
  const { modified, removed } = compareObjects(schema, configuration, live, reset);
  return difference(fieldsOf(schema, configuration, reset).set, union(modified, removed));
}

/** Keeps kubectl's annotation in step when it applies on the server, so that a return to the client's way finds the truth. */
export function withLastApplied(
  object: Record<string, unknown>,
  applied: Record<string, unknown>,
): Record<string, unknown> {
  if (annotationOf(object) === undefined) return object;
  const metadata = isRecord(object["metadata"]) ? object["metadata"] : {};
  const annotations = isRecord(metadata["annotations"]) ? metadata["annotations"] : {};
  const text = `${stringifyJson(withoutAnnotation(applied))}\n`;
  const changed = recordOf({ ...annotations, [annotation]: text });
  return recordOf({ ...object, metadata: recordOf({ ...metadata, annotations: changed }) });
}

function withoutAnnotation(applied: Record<string, unknown>): Record<string, unknown> {
  const metadata = applied["metadata"];
  if (!isRecord(metadata) || !isRecord(metadata["annotations"])) return applied;
  const { [annotation]: _, ...annotations } = metadata["annotations"];
  return { ...applied, metadata: { ...metadata, annotations } };
}
