import { stringifyJson } from "#codec/json.ts";
import { isRecord, PlainRecord } from "#codec/record.ts";
import type { FieldSchema, ListSchema, Schema, StructSchema } from "#codec/schema.ts";
import { patchDepthMax } from "./limits.ts";
import { PatchError, patched, recordOf, type PatchResult } from "./result.ts";

type Item = Record<string, unknown>;

const directive = "$patch";
const retainKeys = "$retainKeys";
const orderPrefix = "$setElementOrder/";
const deletePrefix = "$deleteFromPrimitiveList/";

/**
 * Applies a strategic merge patch: like a merge patch, but lists whose schema says so are merged by key, and directives in the
 * patch delete, replace, order and retain. The result shares what did not change with `document`, which stays as it is.
 * https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
 */
export function applyStrategicMergePatch(
  schema: StructSchema,
  document: Record<string, unknown>,
  patch: unknown,
): PatchResult<Record<string, unknown>> {
  return patched(() => {
    return mergeRecord(schema, document, recordOf(patch), 0);
  });
}

function mergeRecord(schema: Schema | undefined, original: Item | undefined, patch: Item, depth: number): Item {
  if (depth > patchDepthMax) throw new PatchError(400, "exceeded max depth");
  switch (patch[directive]) {
    case undefined:
    case "merge":
      break;
    case "replace":
      return mergeRecord(schema, undefined, withoutDirective(patch), depth);
    case "delete":
      return new PlainRecord();
    default:
      throw new PatchError(400, `Unknown value: ${stringifyJson(patch[directive])} for $patch`);
  }
  const retained = retainedKeys(patch);
  const result = new PlainRecord();
  for (const key in original) if (retained === undefined || retained.has(key)) result[key] = original[key];
  for (const key in patch) {
    if (key === directive || key === retainKeys) continue;
    if (key.startsWith("$")) mergeListDirective(schema, result, patch, key, depth);
    else mergeField(schema, result, patch, key, depth);
  }
  return result;
}

function withoutDirective(patch: Item): Item {
  const rest = new PlainRecord();
  for (const key in patch) if (key !== directive) rest[key] = patch[key];
  return rest;
}

function retainedKeys(patch: Item): ReadonlySet<unknown> | undefined {
  const list = patch[retainKeys];
  if (list === undefined) return undefined;
  const wrong = "invalid patch format of retainKeys";
  if (!Array.isArray(list)) throw new PatchError(400, wrong);
  const retained = new Set<unknown>(list);
  for (const key in patch)
    if (!key.startsWith("$") && patch[key] !== null && !retained.has(key)) throw new PatchError(400, wrong);
  return retained;
}

function fieldOf(schema: Schema | undefined, name: string): FieldSchema | undefined {
  return schema?.node === "struct" ? schema.byName.get(name) : undefined;
}

/** The schema of what stands under `name`: a struct's field, or a map's value. */
function childOf(schema: Schema | undefined, name: string): Schema | undefined {
  if (schema?.node === "map") return schema.value;
  const child = fieldOf(schema, name)?.schema;
  return child?.node === "union" ? undefined : child;
}

function mergeField(schema: Schema | undefined, result: Item, patch: Item, key: string, depth: number): void {
  const value = patch[key];
  if (value === null || value === undefined) {
    delete result[key];
    return;
  }
  const child = childOf(schema, key);
  const old = result[key];
  if (isRecord(value)) {
    const replaces = fieldOf(schema, key)?.patchStrategy?.includes("replace") === true;
    result[key] = mergeRecord(child, isRecord(old) && !replaces ? old : undefined, value, depth + 1);
  } else if (Array.isArray(value)) {
    const order = patch[`${orderPrefix}${key}`];
    result[key] = mergeList(listOf(child), Array.isArray(old) ? old : [], value, orderOf(order), depth + 1);
  } else {
    result[key] = value;
  }
}

function listOf(schema: Schema | undefined): ListSchema | undefined {
  return schema?.node === "list" ? schema : undefined;
}

function orderOf(value: unknown): readonly unknown[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new PatchError(400, "invalid patch format of setElementOrder list");
  return value as unknown[];
}

/** `$setElementOrder/x` and `$deleteFromPrimitiveList/x` stand beside the field they mean. */
function mergeListDirective(schema: Schema | undefined, result: Item, patch: Item, key: string, depth: number): void {
  if (key.startsWith(orderPrefix)) {
    const name = key.slice(orderPrefix.length);
    // Together with a list it has its turn there.
    if (patch[name] !== undefined || patch[`${deletePrefix}${name}`] !== undefined) return;
    const old = result[name];
    if (Array.isArray(old))
      result[name] = mergeList(listOf(childOf(schema, name)), old, [], orderOf(patch[key]), depth + 1);
    return;
  }
  if (!key.startsWith(deletePrefix)) throw new PatchError(400, `invalid directive ${stringifyJson(key)} in the patch`);
  const name = key.slice(deletePrefix.length);
  const deleted = patch[key];
  if (!Array.isArray(deleted)) throw new PatchError(400, "invalid patch format of primitive list");
  const old = result[name];
  if (!Array.isArray(old)) return;
  const gone = new Set<unknown>(deleted);
  // What the patch lists itself was added back already, when its key came first: it is not to be deleted.
  const added = new Set<unknown>(Array.isArray(patch[name]) ? patch[name] : []);
  const kept = old.filter((item: unknown) => !gone.has(item) || added.has(item));
  const order = orderOf(patch[`${orderPrefix}${name}`]);
  result[name] = order === undefined ? kept : inOrder(kept, order, old, (item) => item);
}

function mergeList(
  schema: ListSchema | undefined,
  original: readonly unknown[],
  patch: readonly unknown[],
  order: readonly unknown[] | undefined,
  depth: number,
): unknown[] {
  const key = schema?.patchMergeKey;
  const merges = schema?.patchStrategy?.includes("merge") === true;
  if (!merges) return patch.map((item) => plainItem(schema, item, depth));
  const isRecords = schema.element.node === "struct" || schema.element.node === "map";
  if (!isRecords) {
    const merged = [...new Set<unknown>([...original, ...patch])];
    return order === undefined ? merged : inOrder(merged, order, original, (item) => item);
  }
  if (key === undefined) throw new PatchError(422, "no merge key is declared for the list");
  const keyOf = (item: unknown): unknown => (isRecord(item) ? item[key] : undefined);
  const merged = mergeRecords(schema, key, original, patch, depth);
  return order === undefined ? merged : inOrder(merged, order, original, keyOf);
}

/** An item of a list that is replaced: only directives have to go. */
function plainItem(schema: ListSchema | undefined, item: unknown, depth: number): unknown {
  if (!isRecord(item)) return item;
  return mergeRecord(schema?.element, undefined, item, depth + 1);
}

function mergeRecords(
  schema: ListSchema,
  key: string,
  original: readonly unknown[],
  patch: readonly unknown[],
  depth: number,
): unknown[] {
  const { replaces, deleted, items } = splitDirectives(patch, key);
  if (replaces) return items.map((item) => plainItem(schema, item, depth));
  const merged: unknown[] = [];
  const positions = new Map<unknown, number>();
  for (const item of original) {
    const value = isRecord(item) ? item[key] : undefined;
    if (deleted.has(value)) continue;
    if (!positions.has(value)) positions.set(value, merged.length);
    merged.push(item);
  }
  for (const item of items) {
    const value = item[key];
    const at = positions.get(value);
    if (at === undefined) {
      positions.set(value, merged.length);
      merged.push(mergeRecord(schema.element, undefined, item, depth + 1));
    } else {
      merged[at] = mergeRecord(schema.element, merged[at] as Item, item, depth + 1);
    }
  }
  return merged;
}

function splitDirectives(patch: readonly unknown[], key: string) {
  const items: Item[] = [];
  const deleted = new Set<unknown>();
  let replaces = false;
  for (const item of patch) {
    if (!isRecord(item)) throw new PatchError(400, "the elements of a list that merges by key must be objects");
    const action = item[directive];
    if (action === "replace") replaces = true;
    else if (action === "delete") deleted.add(keyValue(item, key));
    else if (action === undefined || action === "merge") {
      keyValue(item, key);
      items.push(item);
    } else throw new PatchError(400, `Unknown value: ${stringifyJson(action)} for $patch`);
  }
  return { replaces, deleted, items };
}

function keyValue(item: Item, key: string): unknown {
  const value = item[key];
  if (value !== undefined && value !== null) return value;
  throw new PatchError(400, `map: ${stringifyJson(item)} does not contain declared merge key: ${key}`);
}

/**
 * Items that `order` names take its order; the others keep their place relative to those that stood after them in `original`.
 */
function inOrder(
  merged: readonly unknown[],
  order: readonly unknown[],
  original: readonly unknown[],
  keyOf: (item: unknown) => unknown,
): unknown[] {
  const place = new Map<unknown, number>();
  order.forEach((item, index) => place.set(isRecord(item) ? keyOf(item) : item, index));
  const before = new Map<unknown, number>();
  original.forEach((item, index) => before.set(keyOf(item), index));
  const named = merged.filter((item) => place.has(keyOf(item)));
  const others = merged.filter((item) => !place.has(keyOf(item)));
  named.sort((a, b) => (place.get(keyOf(a)) ?? 0) - (place.get(keyOf(b)) ?? 0));
  const result: unknown[] = [];
  let next = 0;
  for (const item of others) {
    const own = before.get(keyOf(item)) ?? 0;
    // An item that is new to the list goes before the others.
    while (next < named.length && !(own < (before.get(keyOf(named[next])) ?? -1))) {
      result.push(named[next]);
      next += 1;
    }
    result.push(item);
  }
  return [...result, ...named.slice(next)];
}
