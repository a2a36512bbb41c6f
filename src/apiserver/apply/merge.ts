import { isRecord, PlainRecord } from "#codec/record.ts";
import type { ListSchema, Schema } from "#codec/schema.ts";
import { fieldSchema, itemElement, shapeOf } from "./elements.ts";
import type { FieldSet } from "./field-set.ts";
import { fieldDepthMax } from "./limits.ts";

/** Puts what is applied over what is live. Shares what does not change; changes neither. */
export function mergeApplied(schema: Schema | undefined, live: unknown, applied: unknown, depth = 0): unknown {
  if (applied === undefined) return live;
  if (live === undefined || live === null || depth > fieldDepthMax) return applied;
  const shape = shapeOf(schema, applied);
  if (shape.form === "leaf") return applied;
  if (shape.form === "list") {
    return Array.isArray(live) && Array.isArray(applied) ? mergeItems(shape.schema, live, applied, depth) : applied;
  }
  if (!isRecord(live) || !isRecord(applied)) return applied;
  const result = new PlainRecord();
  const schemaOfField = shape.form === "struct" ? (name: string) => fieldSchema(shape.schema, name) : () => shape.value;
  for (const name in live) result[name] = mergeApplied(schemaOfField(name), live[name], applied[name], depth + 1);
  for (const name in applied) if (live[name] === undefined) result[name] = applied[name];
  return result;
}

/** Applied items keep their order; live ones that are not applied keep their place before those that stood after them. */
function mergeItems(
  schema: ListSchema,
  live: readonly unknown[],
  applied: readonly unknown[],
  depth: number,
): unknown[] {
  const liveElements = live.map((item) => itemElement(schema, item).element);
  const appliedElements = applied.map((item) => itemElement(schema, item).element);
  const wanted = new Set(appliedElements);
  const liveItems = new Map(liveElements.map((element, index) => [element, live[index]]));
  const done = new Set<string>();
  const result: unknown[] = [];
  let next = 0;
  const emit = (): void => {
    const element = appliedElements[next] as string;
    done.add(element);
    const value = applied[next];
    result.push(
      schema.listType === "map" ? mergeApplied(schema.element, liveItems.get(element), value, depth + 1) : value,
    );
    next += 1;
  };
  liveElements.forEach((element, index) => {
    if (!wanted.has(element)) result.push(live[index]);
    else while (!done.has(element)) emit();
  });
  while (next < applied.length) emit();
  return result;
}

/** The value without the members of `gone`; undefined when the value itself is one. */
export function removeFields(schema: Schema | undefined, value: unknown, gone: FieldSet): unknown {
  if (gone.member) return undefined;
  const { children } = gone;
  if (children === undefined || children.size === 0) return value;
  const shape = shapeOf(schema, value);
  if (shape.form === "list" && Array.isArray(value)) {
    const kept: unknown[] = [];
    for (const item of value) {
      const inside = children.get(itemElement(shape.schema, item).element);
      const rest = inside === undefined ? item : removeFields(shape.schema.element, item, inside);
      if (rest !== undefined) kept.push(rest);
    }
    return kept;
  }
  if (shape.form === "leaf" || shape.form === "list" || !isRecord(value)) return value;
  const result = new PlainRecord();
  for (const name in value) {
    const inside = children.get(`f:${name}`);
    const inner = shape.form === "struct" ? fieldSchema(shape.schema, name) : shape.value;
    const rest = inside === undefined ? value[name] : removeFields(inner, value[name], inside);
    if (rest !== undefined) result[name] = rest;
  }
  return result;
}
