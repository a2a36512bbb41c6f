import { cloneValue, isRecord, PlainRecord } from "#codec/record.ts";
import type { Schema } from "#codec/schema.ts";
import { shown } from "../../objects/shown.ts";

/** What an apply configuration may not do; the message names the path. */
export class ApplyProblem {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Levels of an object; deeper ones are taken over whole. */
const depthMax = 200;

/**
 * The object with a part of it replaced by what was applied: maps and structs field by field, lists that are maps by their keys, sets
 * as a union, the rest as a whole. Neither argument is changed. Parts that the schema calls atomic may not be applied.
 */
export function applyConfiguration(schema: Schema, object: unknown, applied: unknown): unknown {
  return merge(schema, object, applied, "", 0);
}

function merge(schema: Schema, object: unknown, applied: unknown, path: string, depth: number): unknown {
  if (depthMax < depth) return cloneValue(applied);
  if (isRecord(applied)) {
    if (isAtomicRecord(schema)) throw atomic(path);
    return mergeRecord(schema, isRecord(object) ? object : undefined, applied, path, depth);
  }
  if (Array.isArray(applied) && schema.node === "list") return mergeList(schema, object, applied, path, depth);
  return cloneValue(applied);
}

function atomic(path: string): ApplyProblem {
  return new ApplyProblem(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${path || "."}`);
}

function isAtomicRecord(schema: Schema): boolean {
  if (schema.node === "struct") return schema.structType === "atomic";
  return schema.node === "map" && schema.mapType === "atomic";
}

function mergeRecord(
  schema: Schema,
  object: Record<string, unknown> | undefined,
  applied: Record<string, unknown>,
  path: string,
  depth: number,
): Record<string, unknown> {
  const result = new PlainRecord();
  for (const name in object) result[name] = object[name];
  for (const name in applied) {
    const at = `${path}.${name}`;
    const inner = schemaOf(schema, name);
    if (inner === undefined)
      throw new ApplyProblem(
        `error applying patch: failed to convert patch object to typed object: ${at}: field not declared in schema`,
      );
    result[name] = merge(inner, object?.[name], applied[name], at, depth + 1);
  }
  return result;
}

function schemaOf(schema: Schema, name: string): Schema | undefined {
  if (schema.node === "struct") {
    const field = schema.byName.get(name);
    return field?.schema ?? (schema.preserveUnknown === true ? anything : undefined);
  }
  return schema.node === "map" ? schema.value : anything;
}

const anything: Schema = { node: "any", type: "json" };

function mergeList(
  schema: Extract<Schema, { node: "list" }>,
  object: unknown,
  applied: readonly unknown[],
  path: string,
  depth: number,
): unknown[] {
  const present: unknown[] = Array.isArray(object) ? [...(object as unknown[])] : [];
  if (schema.listType === "set") {
    const known = new Set(present.map((item) => JSON.stringify(item)));
    return [...present, ...applied.filter((item) => !known.has(JSON.stringify(item)))];
  }
  const keys = schema.listMapKeys ?? [];
  if (schema.listType !== "map" || keys.length === 0) throw atomic(path);
  const defaults = keyDefaults(schema.element, keys);
  const keyOf = (item: unknown): string =>
    JSON.stringify(keys.map((key, i) => (isRecord(item) ? shown(item[key] ?? defaults[i]) : "")));
  const places = new Map(present.map((item, index) => [keyOf(item), index]));
  for (const item of applied) {
    const place = places.get(keyOf(item));
    const merged = merge(
      schema.element,
      place === undefined ? undefined : present[place],
      item,
      `${path}[]`,
      depth + 1,
    );
    if (place === undefined) {
      places.set(keyOf(item), present.length);
      present.push(merged);
    } else present[place] = merged;
  }
  return present;
}

function keyDefaults(element: Schema, keys: readonly string[]): readonly unknown[] {
  return keys.map((key) => (element.node === "struct" ? (element.byName.get(key)?.default ?? "") : ""));
}
