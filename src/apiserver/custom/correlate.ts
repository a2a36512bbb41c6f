import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import { isRecord } from "#codec/record.ts";
import { shown } from "../objects/shown.ts";

/** Finds the old element that an element of a list continues: only lists that are maps tell. */
export function correlated(schema: JSONSchemaProps, old: unknown): (item: unknown) => unknown {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] !== "map" || keys === undefined || !Array.isArray(old)) return () => undefined;
  const byKey = new Map<string, unknown>();
  for (const item of old as unknown[]) byKey.set(keyOf(keys, item), item);
  return (item) => byKey.get(keyOf(keys, item));
}

function keyOf(keys: readonly string[], item: unknown): string {
  return JSON.stringify(keys.map((key) => (isRecord(item) ? shown(item[key]) : "")));
}
