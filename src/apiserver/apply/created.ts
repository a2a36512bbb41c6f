import { isEqualValue, isRecord, PlainRecord } from "#codec/record.ts";
import type { ListSchema, Schema, StructSchema } from "#codec/schema.ts";
import { fieldSchema, indexItems, isEmptyContainer, itemElement, shapeOf, type Shape } from "./elements.ts";
import { ignoreRule, type ResetFields } from "./ignored.ts";
import { fieldDepthMax } from "./limits.ts";

type Fields = Record<string, unknown>;

/**
 * The FieldsV1 form, as JSON, of what a creation sets: the fields that `compareObjects` finds added or changed from `empty`, which
 * is what an object of the type is before anybody wrote to it. Written at once as text, without sets or trees in between, because
 * every creation goes through here. Undefined: nothing is set.
 */
export function createdFields(
  schema: StructSchema,
  empty: Fields,
  created: Fields,
  reset: ResetFields,
): string | undefined {
  const ignores = ignoreRule(reset);
  const last = lastOf(shapeOf(schema, created));
  const base = (top = 0);
  for (const name in created) {
    const now = created[name];
    if (empty[name] === now || now === undefined || ignores(undefined, name)) continue;
    // Every object has metadata: nobody owns that it is there.
    const isMetadata = name === "metadata";
    const old = isMetadata ? (empty[name] ?? nothing) : empty[name];
    const fields = changedText(fieldSchema(schema, name), old, now, 1, (below) => ignores(name, below));
    if (fields !== undefined && !(isMetadata && fields === "{}")) add(memberLabel(name), fields);
  }
  const text = top === base ? undefined : textFrom(base, last, false);
  // The names of a huge object would stay until another has as many.
  if (walkedKeptMax < labelsWalked.length) labelsWalked.length = fieldsWalked.length = 0;
  return text;
}

/** A path element, and the same as a key of JSON with its colon. */
interface Label {
  /** Of the member, or the one text that tells its item from others; undefined where there is no such text. */
  readonly name: string | undefined;
  readonly element: string;
  readonly text: string;
}

/** The same names come again with each object: their labels are made once, until there are too many. */
class Labels {
  readonly #known = new Map<string, Label>();

  of(name: string, element: (name: string) => string): Label {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const made = labelOf(name, element(name));
    if (labelLengthMax < name.length) return made;
    if (labelsMax <= this.#known.size) this.#known.clear();
    this.#known.set(name, made);
    return made;
  }
}

function labelOf(name: string | undefined, element: string): Label {
  return { name, element, text: `${JSON.stringify(element)}:` };
}

const labelsMax = 2_048;
/** Characters of a name. */
const labelLengthMax = 128;
const ofMembers = new Labels();
/** By the one key of their items. */
const ofItems = new Map<string, Labels>();

function memberLabel(name: string): Label {
  return ofMembers.of(name, (member) => `f:${member}`);
}

/** Nearly all lists tell their items apart by one text, and most have the same ones at the same places as the list before. */
function itemLabel(schema: ListSchema, item: unknown, likely: Label | undefined): Label {
  const keys = schema.listMapKeys;
  const key = schema.listType === "map" && keys?.length === 1 ? keys[0] : undefined;
  const value = key !== undefined && isRecord(item) ? item[key] : undefined;
  if (key === undefined || typeof value !== "string") return labelOf(undefined, itemElement(schema, item).element);
  if (likely?.name === value) return likely;
  let labels = ofItems.get(key);
  if (labels === undefined) ofItems.set(key, (labels = new Labels()));
  return labels.of(value, () => itemElement(schema, item).element);
}

/** What was written last where the same might be written again. */
class Last {
  labels: readonly Label[] = [];
  /** What is owned below each of them. */
  fields: readonly string[] = [];
  isMember = false;
  text = "";
}

const lasts = new WeakMap<Shape, Last>();

function lastOf(shape: Shape): Last {
  let last = lasts.get(shape);
  if (last === undefined) lasts.set(shape, (last = new Last()));
  return last;
}

/** Characters of a text that is kept for the next object. */
const lastLengthMax = 16_384;

/** Members of which the room is kept for the next walk. */
const walkedKeptMax = 1_024;
/** The members of all structs, maps and lists that the walk is in, each from the `base` that it remembers up to `top`. */
const labelsWalked: Label[] = [];
const fieldsWalked: string[] = [];
let top = 0;

function add(label: Label, fields: string): void {
  labelsWalked[top] = label;
  fieldsWalked[top] = fields;
  top += 1;
}

/** `{}` for a member with nothing inside, `.` for one with something; undefined where nothing was added or changed. */
function changedText(
  schema: Schema | undefined,
  old: unknown,
  now: unknown,
  depth: number,
  ignored?: (name: string) => boolean,
): string | undefined {
  if (fieldDepthMax < depth || now === undefined) return undefined;
  if (old === undefined && ignored === undefined) return addedText(schema, now, depth);
  const shape = shapeOf(schema, now ?? old);
  const isLeaf = shape.form === "leaf" || (isEmptyContainer(old) && isEmptyContainer(now));
  const base = top;
  if (isLeaf || !walkInside(shape, old, now, depth, ignored))
    return old === undefined || !isEqualValue(old, now) ? "{}" : undefined;
  if (old === undefined) return textFrom(base, lastOf(shape), true);
  return base === top ? undefined : textFrom(base, lastOf(shape), false);
}

/** Adds the members; false when a value does not have the form that its schema asks for. */
function walkInside(
  shape: Shape,
  old: unknown,
  now: unknown,
  depth: number,
  ignored?: (name: string) => boolean,
): boolean {
  if (shape.form === "list") {
    if (!isListOrNothing(old) || !isListOrNothing(now)) return false;
    const before = isEmptyContainer(old) ? undefined : indexItems(shape.schema, old ?? []);
    const { labels } = lastOf(shape);
    let at = 0;
    for (const item of now ?? []) {
      const label = itemLabel(shape.schema, item, labels[at]);
      const fields = itemText(shape.schema, before?.get(label.element), item, depth + 1);
      if (fields !== undefined) add(label, fields);
      at += 1;
    }
    return true;
  }
  if (shape.form === "leaf" || !isRecordOrNothing(old) || !isRecordOrNothing(now)) return false;
  const before = old ?? nothing;
  const after = now ?? nothing;
  for (const name in after) {
    if (before[name] === after[name] || ignored?.(name) === true) continue;
    const schema = shape.form === "struct" ? fieldSchema(shape.schema, name) : shape.value;
    const fields = changedText(schema, before[name], after[name], depth + 1);
    if (fields !== undefined) add(memberLabel(name), fields);
  }
  return true;
}

/** Items of sets are owned as they are, those of maps by what stands in them. */
function itemText({ listType, element }: ListSchema, old: unknown, now: unknown, depth: number): string | undefined {
  return listType === "map" ? changedText(element, old, now, depth) : old === undefined ? "{}" : undefined;
}

/** The same where nothing was before: what stands here is owned with all that stands in it. */
function addedText(schema: Schema | undefined, now: unknown, depth: number): string {
  if (typeof now !== "object" || now === null || depth === fieldDepthMax) return "{}";
  const shape = shapeOf(schema, now);
  if (shape.form === "struct" && isRecord(now)) return addedStruct(shape, now, depth);
  const base = top;
  return shape.form !== "leaf" && walkInside(shape, undefined, now, depth) ? textFrom(base, lastOf(shape), true) : "{}";
}

type StructShape = Extract<Shape, { form: "struct" }>;

interface Plan {
  readonly name: string;
  readonly label: Label;
  readonly schema: Schema;
}

/** Of a struct: its fields in the order in which they are written, and what was written last. */
interface StructPlan {
  readonly fields: readonly Plan[];
  /** By the fields that were there, a bit each; larger structs have one for all. */
  readonly lasts: Map<number, Last>;
}

const bitsMax = 30;
const plans = new WeakMap<StructSchema, StructPlan>();

function planOf(schema: StructSchema): StructPlan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    const fields = schema.fields
      .map(({ name, schema: inner }) => ({ name, label: memberLabel(name), schema: inner }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    plans.set(schema, (plan = { fields, lasts: new Map() }));
  }
  return plan;
}

function addedStruct(shape: StructShape, now: Fields, depth: number): string {
  const { fields, lasts: known } = planOf(shape.schema);
  const base = top;
  let bits = 0;
  for (let i = 0; i < fields.length; i += 1) {
    const { name, label, schema } = fields[i]!;
    const value = now[name];
    if (value === undefined) continue;
    bits |= 1 << i;
    add(label, addedText(schema, value, depth + 1));
  }
  let given = 0;
  for (const name in now) if (now[name] !== undefined) given += 1;
  // What no schema names is kept by some structs.
  if (given !== top - base) {
    top = base;
    walkInside(shape, undefined, now, depth);
    return textFrom(base, lastOf(shape), true);
  }
  const id = fields.length <= bitsMax ? bits : -1;
  let last = known.get(id);
  if (last === undefined) {
    last = new Last();
    if (known.size < lastsMax) known.set(id, last);
  }
  return textFrom(base, last, true);
}

/** Of one struct: clients leave fields out in few ways. */
const lastsMax = 64;
const nothing: Fields = new PlainRecord();

/** The text of the members from `base` on, which are taken off: the last one itself where it is the same. */
function textFrom(base: number, last: Last, isMember: boolean): string {
  const count = top - base;
  top = base;
  if (count === 0) return "{}";
  if (isAlike(last, base, count, isMember)) return last.text;
  const labels = labelsWalked.slice(base, base + count);
  const fields = fieldsWalked.slice(base, base + count);
  sort(base, base + count);
  const text = sortedText(base, base + count, isMember);
  if (lastLengthMax < text.length) return text;
  last.labels = labels;
  last.fields = fields;
  last.isMember = isMember;
  last.text = text;
  return text;
}

function isAlike(last: Last, base: number, count: number, isMember: boolean): boolean {
  const { labels, fields } = last;
  if (labels.length !== count || last.isMember !== isMember) return false;
  for (let i = 0; i < count; i += 1) {
    if (labels[i] !== labelsWalked[base + i] || fields[i] !== fieldsWalked[base + i]) return false;
  }
  return true;
}

/** Siblings are of one kind, so that their texts alone give their order. Of two with the same the first counts. */
function sortedText(from: number, to: number, isMember: boolean): string {
  let text = isMember ? `{".":{}` : "{";
  let before: string | undefined;
  for (let i = from; i < to; i += 1) {
    const { element, text: key } = labelsWalked[i]!;
    if (element === before) continue;
    text += before === undefined && !isMember ? key : `,${key}`;
    text += fieldsWalked[i]!;
    before = element;
  }
  return `${text}}`;
}

/** Beyond so many the engine's own way is faster, which makes a list or two for every call. */
const insertedMax = 40;

function sort(from: number, to: number): void {
  if (from + insertedMax < to) {
    const members = Array.from(
      { length: to - from },
      (_, i) => [labelsWalked[from + i]!, fieldsWalked[from + i]!] as const,
    );
    members.sort(([{ element: a }], [{ element: b }]) => (a < b ? -1 : a > b ? 1 : 0));
    members.forEach(([label, fields], i) => {
      labelsWalked[from + i] = label;
      fieldsWalked[from + i] = fields;
    });
    return;
  }
  for (let i = from + 1; i < to; i += 1) {
    const label = labelsWalked[i]!;
    const fields = fieldsWalked[i]!;
    let at = i;
    for (; from < at && label.element < labelsWalked[at - 1]!.element; at -= 1) {
      labelsWalked[at] = labelsWalked[at - 1]!;
      fieldsWalked[at] = fieldsWalked[at - 1]!;
    }
    labelsWalked[at] = label;
    fieldsWalked[at] = fields;
  }
}

function isRecordOrNothing(value: unknown): value is Fields | undefined | null {
  return value === undefined || value === null || isRecord(value);
}

function isListOrNothing(value: unknown): value is unknown[] | undefined | null {
  return value === undefined || value === null || Array.isArray(value);
}
