import type { FieldSchema, ListSchema, MapSchema, ScalarSchema, Schema, StructSchema, UnionSchema } from "./schema.ts";
import { goName, goTypeOf } from "./go-type.ts";
import { schemaDepthMax } from "./limits.ts";
import { cloneValue, isRecord, PlainRecord } from "./record.ts";
import { decodeScalar, valueKind, zeroScalar } from "./scalar.ts";
import { Walk, type DecodeError, type DecodeOptions } from "./walk.ts";

export interface DecodeResult {
  readonly object: Record<string, unknown>;
  /** Paths of fields that the schema does not name, at most 100: `spec.template.foo`. They are not in `object`. */
  readonly unknownFields: readonly string[];
  /** Values of the wrong type; those are left at their zero. Go's client sees the first. */
  readonly errors: readonly DecodeError[];
}

/**
 * One walk over schema and value: takes the named fields over in Go's order and canonical form, notes unknown fields and wrong
 * types, applies defaults. The result shares with `value` only parts kept as given (raw extensions, custom resources' scalars).
 * A struct without a name belongs to a custom resource, which stays as given: order, zeros and wrong types (its structural
 * schema is validated later), without fields that no schema names.
 */
export function decode(schema: StructSchema, value: unknown, options: DecodeOptions): DecodeResult {
  const walk = new Walk(options);
  const decoder = decoderOf(schema);
  const object = decoder.decode(value, walk);
  return {
    object: isRecord(object) ? object : (decoder.zero(walk) as Record<string, unknown>),
    unknownFields: walk.unknownFields,
    errors: walk.errors,
  };
}

/** What decodes one node of a schema. `undefined` means absent. */
interface NodeDecoder {
  decode(value: unknown, walk: Walk): unknown;
  /** The zero that Go writes for an absent value field; undefined: nothing is written. */
  zero(walk: Walk): unknown;
  /** Whether omitempty drops the (decoded) value. */
  isEmpty(value: unknown): boolean;
  /** As Go names the type in messages. */
  readonly goType: string;
}

const decoders = new WeakMap<Schema, NodeDecoder>();

function decoderOf(schema: Schema): NodeDecoder {
  let decoder = decoders.get(schema);
  if (decoder === undefined) {
    decoder = makeDecoder(schema);
    decoders.set(schema, decoder);
  }
  return decoder;
}

function makeDecoder(schema: Schema): NodeDecoder {
  switch (schema.node) {
    case "scalar":
      return new ScalarDecoder(schema);
    case "list":
      return new ListDecoder(schema);
    case "map":
      return new MapDecoder(schema);
    case "struct":
      return schema.name === "" ? new CustomDecoder(schema) : new StructDecoder(schema);
    case "union":
      return new UnionDecoder(schema);
    case "any":
      return anyDecoder;
  }
}

/** Values kept as given. */
const anyDecoder: NodeDecoder = {
  decode: (value) => value,
  zero: () => null,
  isEmpty: () => false,
  goType: "interface {}",
};

class ScalarDecoder implements NodeDecoder {
  private readonly schema: ScalarSchema;
  readonly goType: string;
  constructor(schema: ScalarSchema) {
    this.schema = schema;
    this.goType = goTypeOf(schema);
  }
  decode(value: unknown, walk: Walk): unknown {
    if (typeof value === "string" && this.schema.type === "string") return value;
    if (typeof value === "boolean" && this.schema.type === "bool") return value;
    const result = decodeScalar(this.schema.type, value);
    if (result.ok) return result.value;
    if (result.message !== undefined) walk.fail(result.message);
    else walk.wrongType(valueKind(value, this.schema.type), this.goType);
    return zeroScalar(this.schema.type);
  }
  zero(): unknown {
    return zeroScalar(this.schema.type);
  }
  isEmpty(value: unknown): boolean {
    return value === "" || value === 0 || value === false;
  }
}

class ListDecoder implements NodeDecoder {
  private readonly element: NodeDecoder;
  readonly goType: string;
  constructor(schema: ListSchema) {
    decoders.set(schema, this);
    this.element = decoderOf(schema.element);
    this.goType = schema.name === undefined ? `[]${goTypeOf(schema.element)}` : goName(schema.name);
  }
  decode(value: unknown, walk: Walk): unknown {
    if (!Array.isArray(value)) {
      walk.wrongType(valueKind(value), this.goType);
      return [];
    }
    const element = this.element;
    const list: unknown[] = [];
    const depth = walk.path.length;
    walk.path.push(0);
    for (let i = 0; i < value.length; i += 1) {
      walk.path[depth] = i;
      const item: unknown = value[i];
      list.push(item === null ? element.zero(walk) : element.decode(item, walk));
    }
    walk.path.pop();
    return list;
  }
  zero(): unknown {
    return [];
  }
  isEmpty(value: unknown): boolean {
    return Array.isArray(value) && value.length === 0;
  }
}

class MapDecoder implements NodeDecoder {
  private readonly value: NodeDecoder;
  readonly goType: string;
  constructor(schema: MapSchema) {
    decoders.set(schema, this);
    this.value = decoderOf(schema.value);
    this.goType =
      schema.name === undefined
        ? `map[${goName(schema.keyName ?? "string")}]${goTypeOf(schema.value)}`
        : goName(schema.name);
  }
  decode(value: unknown, walk: Walk): unknown {
    if (!isRecord(value)) {
      walk.wrongType(valueKind(value), this.goType);
      return new PlainRecord();
    }
    const keys = Object.keys(value);
    if (!isSorted(keys)) keys.sort(compareText);
    const map = new PlainRecord();
    const depth = walk.path.length;
    walk.path.push("");
    for (const key of keys) {
      walk.path[depth] = `\0${key}`;
      const item = value[key];
      map[key] = item === null ? this.value.zero(walk) : this.value.decode(item, walk);
    }
    walk.path.pop();
    return map;
  }
  zero(): unknown {
    return new PlainRecord();
  }
  isEmpty(value: unknown): boolean {
    for (const _ in value as Record<string, unknown>) return false;
    return true;
  }
}

/** Go writes maps in the order of their keys' bytes; of UTF-16 units differs only beyond the basic plane. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i += 1) if ((keys[i - 1] as string) > (keys[i] as string)) return false;
  return true;
}

/** One field, with what a walk asks of it, flat. */
interface FieldPlan {
  readonly name: string;
  readonly decoder: NodeDecoder;
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly keepsEmpty: boolean;
  readonly omitZero: boolean;
  readonly default: unknown;
  readonly struct: string;
}

class StructDecoder implements NodeDecoder {
  private readonly schema: StructSchema;
  private plans: readonly FieldPlan[] | undefined;
  readonly goType: string;
  constructor(schema: StructSchema) {
    this.schema = schema;
    this.goType = goName(schema.name);
  }

  private compile(): readonly FieldPlan[] {
    return this.schema.fields.map((field) => ({
      name: field.name,
      decoder: decoderOf(field.schema),
      pointer: field.pointer,
      // In Go, omitempty has no effect on structs, and most scalars of the machinery are structs.
      omitEmpty: field.omitEmpty && canBeEmpty(field.schema),
      keepsEmpty: field.keepsEmpty === true,
      omitZero: field.omitZero,
      default: field.default,
      struct: field.from ?? this.schema.name,
    }));
  }

  decode(value: unknown, walk: Walk): unknown {
    if (!isRecord(value)) {
      walk.wrongType(valueKind(value), this.goType);
      return this.zero(walk);
    }
    const depth = walk.structs.length;
    if (depth >= schemaDepthMax) {
      walk.fail("exceeded max depth");
      return new PlainRecord();
    }
    this.plans ??= this.compile();
    const object = new PlainRecord();
    const at = walk.path.length;
    let found = 0;
    walk.structs.push(this.schema.name);
    walk.path.push("");
    for (const plan of this.plans) {
      const given = value[plan.name];
      if (given !== undefined) found += 1;
      if (given === undefined || given === null) {
        if (walk.sparse) continue;
        if (plan.pointer) {
          if (walk.defaults && plan.default !== undefined) object[plan.name] = cloneValue(plan.default);
          continue;
        }
        walk.path[at] = plan.name;
        writeAbsent(object, plan, walk);
        continue;
      }
      walk.path[at] = plan.name;
      walk.structs[depth] = plan.struct;
      const decoded = plan.decoder.decode(given, walk);
      if (
        !walk.sparse &&
        !plan.pointer &&
        !plan.keepsEmpty &&
        (plan.omitEmpty || plan.default !== undefined) &&
        plan.decoder.isEmpty(decoded)
      ) {
        writeAbsent(object, plan, walk);
      } else if (!(plan.omitZero && decoded === null)) {
        object[plan.name] = decoded;
      }
    }
    walk.path.pop();
    walk.structs.pop();
    if (found !== countKeys(value)) this.noteUnknown(value, object, walk);
    return object;
  }

  private noteUnknown(value: Record<string, unknown>, object: Record<string, unknown>, walk: Walk): void {
    for (const name in value) {
      if (value[name] === undefined || this.schema.byName.has(name)) continue;
      if (this.schema.preserveUnknown) object[name] = value[name];
      else walk.unknown(name);
    }
  }

  zero(walk: Walk): unknown {
    if (walk.structs.length >= schemaDepthMax) return new PlainRecord();
    return this.decode(new PlainRecord(), walk);
  }
  isEmpty(): boolean {
    return false;
  }
}

function countKeys(value: Record<string, unknown>): number {
  let count = 0;
  for (const _ in value) count += 1;
  return count;
}

/** A value field that was not given, or given as its zero. */
function writeAbsent(object: Record<string, unknown>, plan: FieldPlan, walk: Walk): void {
  if (walk.defaults && plan.default !== undefined && !plan.decoder.isEmpty(plan.default)) {
    object[plan.name] = cloneValue(plan.default);
    return;
  }
  if (plan.omitEmpty || plan.omitZero) return;
  const zero = plan.decoder.zero(walk);
  if (zero !== undefined) object[plan.name] = zero;
}

function canBeEmpty(schema: Schema): boolean {
  if (schema.node === "list" || schema.node === "map") return true;
  if (schema.node !== "scalar") return false;
  return ["string", "bool", "int32", "int64", "float64", "bytes"].includes(schema.type);
}

/** An object of a custom resource: as given, minus unknown fields, plus defaults. */
class CustomDecoder implements NodeDecoder {
  private readonly schema: StructSchema;
  readonly goType = "map[string]interface {}";
  constructor(schema: StructSchema) {
    this.schema = schema;
  }
  decode(value: unknown, walk: Walk): unknown {
    if (!isRecord(value) || walk.path.length > 2 * schemaDepthMax) return value;
    const object = new PlainRecord();
    const at = walk.path.length;
    walk.path.push("");
    for (const name in value) {
      const given = value[name];
      const field = this.schema.byName.get(name);
      walk.path[at] = name;
      if (field === undefined) {
        if (this.schema.preserveUnknown) object[name] = given;
        else noteUnknownHere(walk, name);
      } else {
        const decoded = decodeCustom(field, given, walk);
        if (decoded !== undefined) object[name] = decoded;
      }
    }
    for (const field of walk.defaults ? this.schema.fields : []) {
      if (field.default === undefined || object[field.name] !== undefined) continue;
      walk.path[at] = field.name;
      object[field.name] = decodeCustom(field, cloneValue(field.default), walk);
    }
    walk.path.pop();
    return object;
  }
  zero(walk: Walk): unknown {
    return this.decode(new PlainRecord(), walk);
  }
  isEmpty(): boolean {
    return false;
  }
}

function noteUnknownHere(walk: Walk, name: string): void {
  walk.path.pop();
  walk.unknown(name);
  walk.path.push(name);
}

/** Undefined drops the field: a null that is not allowed, where a default stands ready. */
function decodeCustom(field: FieldSchema, given: unknown, walk: Walk): unknown {
  if (given === null) return field.nullable !== true && field.default !== undefined ? undefined : null;
  return decodeAsGiven(field.schema, given, walk);
}

/** Descends where the value has the schema's form; everything else is for the structural schema's validation to judge. */
function decodeAsGiven(schema: Schema, value: unknown, walk: Walk): unknown {
  if (value === null) return null;
  switch (schema.node) {
    case "scalar":
    case "any":
    case "union":
      return value;
    case "struct":
      return decoderOf(schema).decode(value, walk);
    case "list":
      if (!Array.isArray(value)) return value;
      return value.map((item: unknown, index) => within(walk, index, () => decodeAsGiven(schema.element, item, walk)));
    case "map": {
      if (!isRecord(value)) return value;
      const map = new PlainRecord();
      for (const key in value) map[key] = within(walk, `\0${key}`, () => decodeAsGiven(schema.value, value[key], walk));
      return map;
    }
  }
}

function within<T>(walk: Walk, part: string | number, work: () => T): T {
  walk.path.push(part);
  const result = work();
  walk.path.pop();
  return result;
}

class UnionDecoder implements NodeDecoder {
  private readonly schema: UnionSchema;
  readonly goType: string;
  constructor(schema: UnionSchema) {
    this.schema = schema;
    this.goType = goName(schema.name);
  }
  decode(value: unknown, walk: Walk): unknown {
    const on = Array.isArray(value) ? "array" : typeof value;
    for (const option of this.schema.options) if (option.on === on) return decoderOf(option.schema).decode(value, walk);
    walk.wrongType(valueKind(value), this.goType);
    return null;
  }
  zero(): unknown {
    return null;
  }
  isEmpty(): boolean {
    return false;
  }
}
