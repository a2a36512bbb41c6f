import { isRecord } from "#codec/record.ts";
import type { Schema, StructSchema } from "#codec/schema.ts";
import { fieldSchema, isEmptyContainer, itemElement, shapeOf } from "./elements.ts";
import { FieldSet, formatPath } from "./field-set.ts";
import { ignoreRule, type ResetFields } from "./ignored.ts";
import { fieldDepthMax } from "./limits.ts";

/** The fields that an applied configuration sets, or why it cannot be told. */
export interface AppliedFields {
  readonly set: FieldSet;
  /** List items without their key, or twice with the same: upstream refuses the configuration. */
  readonly errors: readonly string[];
}

/** Collects the fields of a configuration. */
export function fieldsOf(schema: StructSchema, object: Record<string, unknown>, reset: ResetFields): AppliedFields {
  const collector = new Collector(reset);
  collector.fields(object, (name) => fieldSchema(schema, name), true);
  return collector;
}

class Collector implements AppliedFields {
  readonly set = new FieldSet();
  readonly errors: string[] = [];
  private readonly path: string[] = [];
  private readonly ignores: (parent: string | undefined, name: string) => boolean;

  constructor(reset: ResetFields) {
    this.ignores = ignoreRule(reset);
  }

  fields(object: Record<string, unknown>, schemaOfField: (name: string) => Schema | undefined, named: boolean): void {
    const depth = this.path.length;
    for (const name in object) {
      const value = object[name];
      if (value === undefined) continue;
      if (depth < 2 && this.ignores(depth === 0 ? undefined : this.path[0]?.slice(2), name)) continue;
      this.path.push(`f:${name}`);
      const schema = schemaOfField(name);
      this.visit(schema, value);
      // An entry of a map, unlike a field of a struct, exists because somebody made it.
      const isEntry = !named || schema === undefined;
      const isMetadata = depth === 0 && name === "metadata";
      const isEmptyObject = value === null || (isRecord(value) && isEmptyContainer(value));
      if ((isEntry || isEmptyObject) && !isMetadata) this.set.insert(this.path);
      this.path.pop();
    }
  }

  private visit(schema: Schema | undefined, value: unknown): void {
    const shape = this.path.length > fieldDepthMax ? { form: "leaf" as const } : shapeOf(schema, value);
    if (shape.form === "struct" && isRecord(value)) this.fields(value, (name) => fieldSchema(shape.schema, name), true);
    else if (shape.form === "map" && isRecord(value)) this.fields(value, () => shape.value, false);
    else if (shape.form === "list" && Array.isArray(value)) {
      value.forEach((item: unknown, index) => {
        const { element, missing } = itemElement(shape.schema, item);
        if (missing !== undefined) this.missingKey(index, missing);
        const known = this.node().children?.get(element);
        if (known !== undefined)
          this.errors.push(`${formatPath(this.path)}: duplicate entries for key ${formatPath([element])}`);
        this.path.push(element);
        if (shape.schema.listType === "map") this.visit(shape.schema.element, item);
        this.set.insert(this.path);
        this.path.pop();
      });
    } else this.set.insert(this.path);
  }

  private missingKey(index: number, key: string): void {
    const what = `associative list with keys has an element that omits key field "${key}" (and doesn't have default value)`;
    this.errors.push(`${formatPath(this.path)}: element ${index}: ${what}`);
  }

  private node(): FieldSet {
    let node = this.set;
    for (const element of this.path) node = node.child(element);
    return node;
  }
}

/**
 * The set with each named struct field above a member made a member too: what stops being applied is removed with the structs
 * that held only it.
 */
export function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  const result = new FieldSet();
  result.member = set.member;
  for (const [element, child] of set.children ?? []) {
    const isField = element.startsWith("f:");
    const name = element.slice(2);
    const inner = childSchema(schema, isField ? name : undefined);
    const named = withNamedFields(child, inner);
    if (isField && schema?.node === "struct" && schema.byName.has(name)) named.member = true;
    (result.children ??= new Map()).set(element, named);
  }
  return result;
}

function childSchema(schema: Schema | undefined, name: string | undefined): Schema | undefined {
  if (schema?.node === "list") return schema.element;
  if (schema?.node === "map") return schema.value;
  return schema?.node === "struct" && name !== undefined ? schema.byName.get(name)?.schema : undefined;
}
