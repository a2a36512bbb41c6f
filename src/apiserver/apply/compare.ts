import { isEqualValue, isRecord, PlainRecord } from "#codec/record.ts";
import type { Schema, StructSchema } from "#codec/schema.ts";
import { fieldSchema, indexItems, isEmptyContainer, shapeOf, type Shape } from "./elements.ts";
import { FieldSet } from "./field-set.ts";
import { ignoreRule, type ResetFields } from "./ignored.ts";
import { fieldDepthMax } from "./limits.ts";

/** What differs between two objects, as sets of fields. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Compares two objects of a schema field by field, without what is ignored near the root. */
export function compareObjects(
  schema: StructSchema,
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  reset: ResetFields,
): Comparison {
  const comparer = new Comparer(reset);
  comparer.struct(schema, before, after);
  return comparer;
}

class Comparer implements Comparison {
  readonly added = new FieldSet();
  readonly modified = new FieldSet();
  readonly removed = new FieldSet();
  private readonly path: string[] = [];
  private readonly ignores: (parent: string | undefined, name: string) => boolean;

  constructor(reset: ResetFields) {
    this.ignores = ignoreRule(reset);
  }

  struct(schema: StructSchema, before: Record<string, unknown>, after: Record<string, unknown>): void {
    this.fields(before, after, (name) => fieldSchema(schema, name));
  }

  private fields(
    before: Record<string, unknown>,
    after: Record<string, unknown>,
    schemaOfField: (name: string) => Schema | undefined,
  ): void {
    for (const name in before) {
      const old = before[name];
      const now = after[name];
      if (old !== now && !this.isIgnored(name)) this.descend(`f:${name}`, schemaOfField(name), old, now);
    }
    for (const name in after) {
      if (before[name] === undefined && !this.isIgnored(name))
        this.descend(`f:${name}`, schemaOfField(name), undefined, after[name]);
    }
  }

  private isIgnored(name: string): boolean {
    const depth = this.path.length;
    return depth < 2 && this.ignores(depth === 0 ? undefined : this.path[0]?.slice(2), name);
  }

  private descend(element: string, schema: Schema | undefined, old: unknown, now: unknown): void {
    if (old === undefined && now === undefined) return;
    this.path.push(element);
    this.visit(schema, old, now);
    this.path.pop();
  }

  private visit(schema: Schema | undefined, old: unknown, now: unknown): void {
    if (this.path.length > fieldDepthMax) return;
    const shape = shapeOf(schema, now ?? old);
    if (shape.form === "leaf" || (isEmptyContainer(old) && isEmptyContainer(now)) || !this.inside(shape, old, now)) {
      this.leaf(old, now);
      return;
    }
    // Every object has metadata: nobody owns that it is there.
    if (this.path.length === 1 && this.path[0] === "f:metadata") return;
    if (old === undefined) this.added.insert(this.path);
    else if (now === undefined) this.removed.insert(this.path);
  }

  /** False when a value does not have the form that its schema asks for. */
  private inside(shape: Shape, old: unknown, now: unknown): boolean {
    if (shape.form === "list") {
      if (!isListOrNothing(old) || !isListOrNothing(now)) return false;
      this.items(shape, old ?? [], now ?? []);
      return true;
    }
    if (!isRecordOrNothing(old) || !isRecordOrNothing(now) || shape.form === "leaf") return false;
    const schemaOfField =
      shape.form === "struct" ? (name: string) => fieldSchema(shape.schema, name) : () => shape.value;
    this.fields(old ?? nothing, now ?? nothing, schemaOfField);
    return true;
  }

  private items(shape: Shape & { form: "list" }, old: readonly unknown[], now: readonly unknown[]): void {
    const { schema } = shape;
    const before = indexItems(schema, old);
    const after = indexItems(schema, now);
    const element = schema.listType === "map" ? schema.element : undefined;
    for (const [key, item] of before) {
      const other = after.get(key);
      if (item !== other) this.item(key, element, item, other);
    }
    for (const [key, item] of after) if (!before.has(key)) this.item(key, element, undefined, item);
  }

  private item(key: string, element: Schema | undefined, old: unknown, now: unknown): void {
    if (element !== undefined) {
      this.descend(key, element, old, now);
      return;
    }
    // Members of a set are their own values: they come and go, they do not change.
    this.path.push(key);
    if (old === undefined) this.added.insert(this.path);
    else if (now === undefined) this.removed.insert(this.path);
    this.path.pop();
  }

  private leaf(old: unknown, now: unknown): void {
    if (this.path.length === 1 && this.path[0] === "f:metadata") return;
    if (old === undefined) this.added.insert(this.path);
    else if (now === undefined) this.removed.insert(this.path);
    else if (!isEqualValue(old, now)) this.modified.insert(this.path);
  }
}

/** Inherits nothing: a key may be called `constructor`. */
const nothing: Record<string, unknown> = new PlainRecord();

function isRecordOrNothing(value: unknown): value is Record<string, unknown> | undefined | null {
  return value === undefined || value === null || isRecord(value);
}

function isListOrNothing(value: unknown): value is unknown[] | undefined | null {
  return value === undefined || value === null || Array.isArray(value);
}
