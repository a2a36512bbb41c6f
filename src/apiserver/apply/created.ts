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
  const members: Member[] = [];
  for (const name in created) {
    const now = created[name];
    if (empty[name] === now || now === undefined || ignores(undefined, name)) continue;
    // Every object has metadata: nobody owns that it is there.
    const isMetadata = name === "metadata";
    const old = isMetadata ? (empty[name] ?? nothing) : empty[name];
    const fields = changedText(fieldSchema(schema, name), old, now, 1, (below) => ignores(name, below));
    if (fields !== undefined && !(isMetadata && fields === "{}")) members.push({ label: memberLabel(name), fields });
  }
  return members.length === 0 ? undefined : textOf(members, false);
}

/** A path element, and the same as a key of JSON with its colon. */
interface Label {
  readonly element: string;
  readonly text: string;
}

interface Member {
  readonly label: Label;
  /** What is owned below it. */
  readonly fields: string;
}

/** The same names come again with each object: their labels are made once, until there are too many. */
class Labels {
  readonly #known = new Map<string, Label>();

  of(name: string, element: (name: string) => string): Label {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const made = labelOf(element(name));
    if (labelLengthMax < name.length) return made;
    if (labelsMax <= this.#known.size) this.#known.clear();
    this.#known.set(name, made);
    return made;
  }
}

function labelOf(element: string): Label {
  return { element, text: `${JSON.stringify(element)}:` };
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

/** Nearly all lists tell their items apart by one text. */
function itemLabel(schema: ListSchema, item: unknown): Label {
  const keys = schema.listMapKeys;
  const key = schema.listType === "map" && keys?.length === 1 ? keys[0] : undefined;
  const value = key !== undefined && isRecord(item) ? item[key] : undefined;
  if (key === undefined || typeof value !== "string") return labelOf(itemElement(schema, item).element);
  let labels = ofItems.get(key);
  if (labels === undefined) ofItems.set(key, (labels = new Labels()));
  return labels.of(value, () => itemElement(schema, item).element);
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
  const inside = isLeaf ? undefined : membersInside(shape, old, now, depth, ignored);
  if (inside === undefined) return old === undefined || !isEqualValue(old, now) ? "{}" : undefined;
  if (old === undefined) return textOf(inside, true);
  return inside.length === 0 ? undefined : textOf(inside, false);
}

/** Undefined when a value does not have the form that its schema asks for. */
function membersInside(
  shape: Shape,
  old: unknown,
  now: unknown,
  depth: number,
  ignored?: (name: string) => boolean,
): Member[] | undefined {
  const members: Member[] = [];
  if (shape.form === "list") {
    if (!isListOrNothing(old) || !isListOrNothing(now)) return undefined;
    const before = isEmptyContainer(old) ? undefined : indexItems(shape.schema, old ?? []);
    for (const item of now ?? []) {
      const label = itemLabel(shape.schema, item);
      const fields = itemText(shape.schema, before?.get(label.element), item, depth + 1);
      if (fields !== undefined) members.push({ label, fields });
    }
    return members;
  }
  if (shape.form === "leaf" || !isRecordOrNothing(old) || !isRecordOrNothing(now)) return undefined;
  const before = old ?? nothing;
  const after = now ?? nothing;
  for (const name in after) {
    if (before[name] === after[name] || ignored?.(name) === true) continue;
    const schema = shape.form === "struct" ? fieldSchema(shape.schema, name) : shape.value;
    const fields = changedText(schema, before[name], after[name], depth + 1);
    if (fields !== undefined) members.push({ label: memberLabel(name), fields });
  }
  return members;
}

/** Items of sets are owned as they are, those of maps by what stands in them. */
function itemText({ listType, element }: ListSchema, old: unknown, now: unknown, depth: number): string | undefined {
  return listType === "map" ? changedText(element, old, now, depth) : old === undefined ? "{}" : undefined;
}

/** The same where nothing was before: what stands here is owned with all that stands in it. */
function addedText(schema: Schema | undefined, now: unknown, depth: number): string {
  if (typeof now !== "object" || now === null || depth === fieldDepthMax) return "{}";
  const shape = shapeOf(schema, now);
  if (shape.form === "struct" && isRecord(now)) return addedStruct(shape.schema, now, depth);
  const inside = shape.form === "leaf" ? undefined : membersInside(shape, undefined, now, depth);
  return inside === undefined ? "{}" : textOf(inside, true);
}

interface Plan {
  readonly name: string;
  /** `"f:name":` */
  readonly label: string;
  readonly schema: Schema;
}

/** Of a struct: its fields in the order in which they are written, and what was written where all that stood there were scalars. */
interface StructPlan {
  readonly fields: readonly Plan[];
  /** By the fields that were there, a bit each. */
  readonly scalars: Map<number, string>;
}

/** More fields have no bits; such structs are written anew each time. */
const bitsMax = 30;
const plans = new WeakMap<StructSchema, StructPlan>();

function planOf(schema: StructSchema): StructPlan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    const fields = schema.fields
      .map(({ name, schema: inner }) => ({ name, label: `${JSON.stringify(`f:${name}`)}:`, schema: inner }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    plans.set(schema, (plan = { fields, scalars: new Map() }));
  }
  return plan;
}

function addedStruct(schema: StructSchema, now: Fields, depth: number): string {
  const { fields, scalars } = planOf(schema);
  let found = 0;
  let bits = 0;
  let isScalar = fields.length <= bitsMax;
  for (let i = 0; i < fields.length; i += 1) {
    const value = now[fields[i]!.name];
    if (value === undefined) continue;
    found += 1;
    bits |= 1 << i;
    if (typeof value === "object" && value !== null) isScalar = false;
  }
  let given = 0;
  for (const name in now) if (now[name] !== undefined) given += 1;
  // What no schema names is kept by some structs: then the order is not known beforehand.
  if (given !== found) return textOf(membersInside({ form: "struct", schema }, undefined, now, depth) ?? [], true);
  if (found === 0) return "{}";
  const known = isScalar ? scalars.get(bits) : undefined;
  if (known !== undefined) return known;
  let text = `{".":{}`;
  for (let i = 0; i < fields.length; i += 1) {
    const { name, label, schema: inner } = fields[i]!;
    const value = now[name];
    if (value !== undefined) text += `,${label}${addedText(inner, value, depth + 1)}`;
  }
  text += "}";
  if (isScalar && scalars.size < scalarsMax) scalars.set(bits, text);
  return text;
}

/** Of one struct: clients leave fields out in few ways. */
const scalarsMax = 64;
const nothing: Fields = new PlainRecord();

/** Siblings are of one kind, so that their texts alone give their order. Of two with the same the first counts. */
function textOf(members: Member[], isMember: boolean): string {
  if (members.length === 0) return "{}";
  sort(members);
  let text = isMember ? `{".":{}` : "{";
  let last: string | undefined;
  for (let i = 0; i < members.length; i += 1) {
    const { label, fields } = members[i]!;
    if (label.element === last) continue;
    last = label.element;
    text += i === 0 && !isMember ? label.text : `,${label.text}`;
    text += fields;
  }
  return `${text}}`;
}

/** Beyond so many the engine's own way is faster, which makes a list or two for every call. */
const insertedMax = 40;

function sort(members: Member[]): void {
  if (insertedMax < members.length) {
    members.sort(({ label: { element: a } }, { label: { element: b } }) => (a < b ? -1 : a > b ? 1 : 0));
    return;
  }
  for (let i = 1; i < members.length; i += 1) {
    const member = members[i]!;
    let at = i;
    for (; 0 < at && member.label.element < members[at - 1]!.label.element; at -= 1) members[at] = members[at - 1]!;
    members[at] = member;
  }
}

function isRecordOrNothing(value: unknown): value is Fields | undefined | null {
  return value === undefined || value === null || isRecord(value);
}

function isListOrNothing(value: unknown): value is unknown[] | undefined | null {
  return value === undefined || value === null || Array.isArray(value);
}
