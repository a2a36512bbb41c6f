import { isEqualValue, isRecord, PlainRecord } from "#codec/record.ts";
import type { Schema, StructSchema } from "#codec/schema.ts";
import { fieldSchema, indexItems, isEmptyContainer, shapeOf, type Shape } from "./elements.ts";
import { ignoreRule, type ResetFields } from "./ignored.ts";
import { fieldDepthMax } from "./limits.ts";

type Fields = Record<string, unknown>;

/**
 * The FieldsV1 form of what a creation sets: the fields that `compareObjects` finds added or changed from `empty`, which is what
 * an object of the type is before anybody wrote to it. Written in one walk, without the sets in between, because every
 * creation goes through here. Undefined: nothing is set.
 */
export function createdFields(
  schema: StructSchema,
  empty: Fields,
  created: Fields,
  reset: ResetFields,
): Fields | undefined {
  const ignores = ignoreRule(reset);
  const elements: [string, Fields][] = [];
  for (const name in created) {
    if (empty[name] === created[name] || ignores(undefined, name)) continue;
    // Every object has metadata: nobody owns that it is there.
    const isMetadata = name === "metadata";
    const old = isMetadata ? (empty[name] ?? nothing) : empty[name];
    const place = { depth: 1, ignored: (below: string) => ignores(name, below) };
    const fields = valueFields(fieldSchema(schema, name), old, created[name], place);
    if (fields !== undefined && !(isMetadata && isEmptyContainer(fields))) elements.push([`f:${name}`, fields]);
  }
  return elements.length === 0 ? undefined : sorted(elements, false);
}

interface Place {
  readonly depth: number;
  /** Only near the root. */
  readonly ignored?: (name: string) => boolean;
}

/** `{}` for a member with nothing inside, `.` for one with something; undefined where nothing was added or changed. */
function valueFields(schema: Schema | undefined, old: unknown, now: unknown, place: Place): Fields | undefined {
  if (fieldDepthMax < place.depth || now === undefined) return undefined;
  const shape = shapeOf(schema, now ?? old);
  const isLeaf = shape.form === "leaf" || (isEmptyContainer(old) && isEmptyContainer(now));
  const inside = isLeaf ? undefined : elementsInside(shape, old, now, place);
  if (inside === undefined) {
    return old === undefined || !isEqualValue(old, now) ? new PlainRecord() : undefined;
  }
  if (old === undefined) return sorted(inside, true);
  return inside.length === 0 ? undefined : sorted(inside, false);
}

/** Undefined when a value does not have the form that its schema asks for. */
function elementsInside(shape: Shape, old: unknown, now: unknown, place: Place): [string, Fields][] | undefined {
  const elements: [string, Fields][] = [];
  if (shape.form === "list") {
    if (!isListOrNothing(old) || !isListOrNothing(now)) return undefined;
    itemsInside(shape, old ?? [], now ?? [], place, elements);
    return elements;
  }
  if (shape.form === "leaf" || !isRecordOrNothing(old) || !isRecordOrNothing(now)) return undefined;
  const before = old ?? nothing;
  const after = now ?? nothing;
  for (const name in after) {
    if (before[name] === after[name] || place.ignored?.(name) === true) continue;
    const schema = shape.form === "struct" ? fieldSchema(shape.schema, name) : shape.value;
    const fields = valueFields(schema, before[name], after[name], { depth: place.depth + 1 });
    if (fields !== undefined) elements.push([`f:${name}`, fields]);
  }
  return elements;
}

function itemsInside(
  { schema }: Shape & { form: "list" },
  old: readonly unknown[],
  now: readonly unknown[],
  place: Place,
  elements: [string, Fields][],
): void {
  const before = indexItems(schema, old);
  const isMap = schema.listType === "map";
  for (const [key, item] of indexItems(schema, now)) {
    const other = before.get(key);
    if (item === other && before.has(key)) continue;
    const isNew = !before.has(key);
    if (isMap) {
      const fields = valueFields(schema.element, other, item, { depth: place.depth + 1 });
      if (fields !== undefined) elements.push([key, fields]);
    } else if (isNew) elements.push([key, new PlainRecord()]);
  }
}

const nothing: Fields = new PlainRecord();

/** Siblings are of one kind, so that their texts alone give their order. */
function sorted(elements: [string, Fields][], isMember: boolean): Fields {
  const fields: Fields = new PlainRecord();
  if (elements.length === 0) return fields;
  if (isMember) fields["."] = new PlainRecord();
  elements.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const [element, inner] of elements) fields[element] = inner;
  return fields;
}

function isRecordOrNothing(value: unknown): value is Fields | undefined | null {
  return value === undefined || value === null || isRecord(value);
}

function isListOrNothing(value: unknown): value is unknown[] | undefined | null {
  return value === undefined || value === null || Array.isArray(value);
}
