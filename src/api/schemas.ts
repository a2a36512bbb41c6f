import type {
  AnySchema,
  FieldSchema,
  ListSchema,
  MapSchema,
  ScalarType,
  Schema,
  StructSchema,
  UnionSchema,
} from "#codec/schema.ts";
import { atomicTypes } from "./atomic-types.ts";
import { typeAliases, typeTable } from "./generated/type-table.ts";

type PatchStrategy = NonNullable<ListSchema["patchStrategy"]>;

const structs = new Map<string, StructSchema>();

/**
 * The schema of a built-in type by its name among the facts (`apps/v1.Deployment`). Made on first use and kept; the children
 * of a struct are made when its `fields` are first read, so that types may contain themselves. Throws on unknown names.
 */
export function schemaOf(typeName: string): StructSchema {
  const known = structs.get(typeName);
  if (known !== undefined) return known;
  const line = typeTable[typeName];
  if (line === undefined && typeName !== emptyStruct)
    throw new Error(`Cannot find type ${typeName}: it is not among the facts`);
  const schema = new LazyStruct(typeName, line ?? "");
  structs.set(typeName, schema);
  return schema;
}

/** True for names that `schemaOf` knows. */
export function hasSchema(typeName: string): boolean {
  return Object.hasOwn(typeTable, typeName);
}

const emptyStruct = "apiextensions/v1.CustomResourceSubresourceStatus";

/** Lists whose defaulting asks whether they were given at all: an empty one gets no default, and is refused. */
const keptEmpty: ReadonlySet<string> = new Set(["autoscaling/v2.HPAScalingRules.policies"]);

const scalars: Readonly<Record<string, ScalarType>> = {
  string: "string",
  bool: "bool",
  int32: "int32",
  int64: "int64",
  float64: "float64",
  bytes: "bytes",
  "resource.Quantity": "quantity",
  "intstr.IntOrString": "int-or-string",
  "meta/v1.Time": "time",
  "meta/v1.MicroTime": "micro-time",
  "meta/v1.Duration": "duration",
};
const anyTypes: Readonly<Record<string, AnySchema["type"]>> = {
  "runtime.RawExtension": "raw",
  "meta/v1.FieldsV1": "fields-v1",
  "apiextensions/v1.JSON": "json",
  "interface{}": "json",
};

class LazyStruct implements StructSchema {
  readonly node = "struct";
  readonly name: string;
  readonly structType: "atomic" | "granular";
  private readonly line: string;
  private parts: Pick<StructSchema, "fields" | "byName" | "inlined"> | undefined;

  constructor(name: string, line: string, structType?: "atomic" | "granular") {
    this.name = name;
    this.line = line;
    this.structType = structType ?? (atomicTypes.has(name) ? "atomic" : "granular");
  }
  get fields(): readonly FieldSchema[] {
    return this.read().fields;
  }
  get byName(): ReadonlyMap<string, FieldSchema> {
    return this.read().byName;
  }
  get inlined(): NonNullable<StructSchema["inlined"]> {
    return this.read().inlined ?? [];
  }
  private read(): Pick<StructSchema, "fields" | "byName" | "inlined"> {
    this.parts ??= readStruct(this.name, this.line);
    return this.parts;
  }
}

function readStruct(name: string, line: string): Pick<StructSchema, "fields" | "byName" | "inlined"> {
  const fields: FieldSchema[] = [];
  const inlined: { number: number; struct: StructSchema }[] = [];
  for (const text of line === "" ? [] : line.split(";")) {
    const [json = "", type = "", flags = "", number = "0", ...rest] = text.split("|");
    const options = new Map(rest.map((part) => [part.slice(0, 1), part.slice(2)]));
    if (flags.includes("i")) {
      const inner = schemaOf(qualified(type));
      const isMessage = number !== "0";
      if (isMessage) inlined.push({ number: Number(number), struct: inner });
      for (const field of inner.fields) {
        fields.push({ ...field, from: field.from ?? inner.name, number: 0 });
      }
      continue;
    }
    const field = readField(json, type, flags, Number(number), options);
    fields.push(keptEmpty.has(`${name}.${json}`) ? { ...field, keepsEmpty: true } : field);
  }
  // A struct that inlines another and repeats one of its fields has the outer one in Go.
  const byName = new Map<string, FieldSchema>();
  for (const field of fields) {
    const previous = byName.get(field.name);
    if (previous === undefined || previous.from !== undefined) byName.set(field.name, field);
  }
  if (byName.size !== fields.length) throw new Error(`Cannot read type ${name}: a field occurs twice`);
  return { fields, byName, inlined };
}

function readField(
  name: string,
  type: string,
  flags: string,
  number: number,
  options: Map<string, string>,
): FieldSchema {
  const value = options.get("d");
  const schema = withListOptions(schemaOfExpression(type, ""), options);
  const strategy = options.get("p");
  return {
    name,
    schema,
    pointer: flags.includes("*"),
    omitEmpty: flags.includes("o"),
    omitZero: flags.includes("z"),
    required: flags.includes("!") || (!flags.includes("?") && !flags.includes("o")),
    number,
    ...(value === undefined ? {} : { default: JSON.parse(value) as unknown }),
    ...(strategy !== undefined && schema.node !== "list"
      ? { patchStrategy: strategy.split(",") as PatchStrategy }
      : {}),
  };
}

function withListOptions(schema: Schema, options: Map<string, string>): Schema {
  const listType = options.get("l");
  const mapType = options.get("a");
  const strategy = options.get("p");
  const mergeKey = options.get("k");
  if (schema.node === "list") {
    const keys = options.get("m");
    return {
      ...schema,
      ...(listType === undefined ? {} : { listType: listType as NonNullable<ListSchema["listType"]> }),
      ...(keys === undefined ? {} : { listMapKeys: keys.split(",") }),
      ...(strategy === undefined ? {} : { patchStrategy: strategy.split(",") as PatchStrategy }),
      ...(mergeKey === undefined ? {} : { patchMergeKey: mergeKey }),
    };
  }
  if (schema.node === "scalar" && listType === "atomic") return { ...schema, listType };
  const structType = options.get("s");
  if (schema instanceof LazyStruct && structType !== undefined) {
    return new LazyStruct(schema.name, typeTable[schema.name] ?? "", structType as "atomic" | "granular");
  }
  if (schema.node === "map" && mapType !== undefined)
    return { ...schema, mapType: mapType as NonNullable<MapSchema["mapType"]> };
  return schema;
}

/** `string`, `[]X`, `{K}V`, `map[K]V`, `= X`; a bare name belongs to `group`. */
function schemaOfExpression(expression: string, group: string, name?: string): Schema {
  if (expression.startsWith("= ")) return schemaOfExpression(expression.slice(2), group, name);
  const named = name === undefined ? {} : { name };
  if (expression.startsWith("[]"))
    return { node: "list", element: schemaOfExpression(expression.slice(2), group), ...named };
  const map = /^(?:map\[([^\]]+)\]|\{([^}]+)\})(.+)$/.exec(expression);
  if (map !== null) {
    const key = qualified(map[1] ?? map[2] ?? "", group);
    return {
      node: "map",
      value: schemaOfExpression(map[3] ?? "", group),
      ...(key === "string" ? {} : { keyName: key }),
      ...named,
    };
  }
  return schemaOfName(qualified(expression, group), name);
}

function schemaOfName(type: string, name: string | undefined): Schema {
  const scalar = scalars[type];
  if (scalar !== undefined) return { node: "scalar", type: scalar, ...(name === undefined ? {} : { name }) };
  if (type === "types.UID") return { node: "scalar", type: "string", name: type };
  const untyped = anyTypes[type];
  if (untyped !== undefined) return { node: "any", type: untyped };
  const alias = typeAliases[type];
  if (alias !== undefined) return schemaOfExpression(alias, type.slice(0, type.lastIndexOf(".")), name ?? type);
  if (unionTypes.has(type)) return unionOf(type);
  return schemaOf(type);
}

const unionTypes: ReadonlySet<string> = new Set(
  ["OrArray", "OrBool", "OrStringArray"].map((suffix) => `apiextensions/v1.JSONSchemaProps${suffix}`),
);

/** The facts list the forms of a union as fields without a JSON name. */
function unionOf(name: string): UnionSchema {
  const options = (typeTable[name] ?? "").split(";").map((text) => {
    const [, type = "", , number = "0"] = text.split("|");
    const schema = schemaOfExpression(type, "");
    const on =
      schema.node === "list"
        ? ("array" as const)
        : schema.node === "scalar"
          ? ("boolean" as const)
          : ("object" as const);
    return { on, schema, number: Number(number) };
  });
  return { node: "union", name, options };
}

function qualified(type: string, group = ""): string {
  if (type.startsWith("metav1.")) return `meta/v1.${type.slice("metav1.".length)}`;
  return group !== "" && !type.includes(".") && scalars[type] === undefined ? `${group}.${type}` : type;
}
