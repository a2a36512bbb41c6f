import { schemaOf } from "#api/schemas.ts";
import { atomicTypes } from "#api/atomic-types.ts";
import type { AnySchema, FieldSchema, ListSchema, ScalarType, Schema, StructSchema } from "#codec/schema.ts";
import type { Describe, Dialect, Json } from "./documented.ts";
import { definitionName } from "./names.ts";

/** Scalars that are types of their own, with their forms in the two dialects. */
const namedScalars: Partial<Record<ScalarType, { type: string; v2: Json; v3?: Json }>> = {
  quantity: {
    type: "resource.Quantity",
    v2: { type: "string" },
    v3: { oneOf: [{ type: "string" }, { type: "number" }] },
  },
  "int-or-string": {
    type: "intstr.IntOrString",
    v2: { type: "string", format: "int-or-string" },
    v3: { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] },
  },
  time: { type: "meta/v1.Time", v2: { type: "string", format: "date-time" } },
  "micro-time": { type: "meta/v1.MicroTime", v2: { type: "string", format: "date-time" } },
  duration: { type: "meta/v1.Duration", v2: { type: "string" } },
};
const plainScalars: Partial<Record<ScalarType, Json>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  float64: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
};
const anyTypes: Readonly<Record<AnySchema["type"], { type: string; form: Json }>> = {
  raw: { type: "runtime.RawExtension", form: { type: "object" } },
  "fields-v1": { type: "meta/v1.FieldsV1", form: { type: "object" } },
  json: { type: "apiextensions/v1.JSON", form: {} },
};

/** Types of which one field at a time counts; the facts about fields do not carry it. */
const unions: Readonly<Record<string, Json>> = {
  "core/v1.AppArmorProfile": {
    discriminator: "type",
    "fields-to-discriminateBy": { localhostProfile: "LocalhostProfile" },
  },
  "core/v1.PodSchedulingGroup": { "fields-to-discriminateBy": { podGroupName: "PodGroupName" } },
  "core/v1.SeccompProfile": {
    discriminator: "type",
    "fields-to-discriminateBy": { localhostProfile: "LocalhostProfile" },
  },
  "flowcontrol/v1.LimitResponse": { discriminator: "type", "fields-to-discriminateBy": { queuing: "Queuing" } },
  "flowcontrol/v1.PriorityLevelConfigurationSpec": {
    discriminator: "type",
    "fields-to-discriminateBy": { exempt: "Exempt", limited: "Limited" },
  },
  "flowcontrol/v1.Subject": {
    discriminator: "kind",
    "fields-to-discriminateBy": { group: "Group", serviceAccount: "ServiceAccount", user: "User" },
  },
};

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Collects the definitions that a document needs, each with all that it refers to. */
export class Definitions {
  readonly byName: Json = {};
  private readonly dialect: Dialect;
  private readonly describe: Describe;
  private readonly pending: StructSchema[] = [];

  constructor(dialect: Dialect, describe: Describe) {
    this.dialect = dialect;
    this.describe = describe;
  }

  /** A reference to a built-in type, whose definition is then part of the document. */
  refer(typeName: string): Json {
    this.need(schemaOf(typeName));
    return this.reference(definitionName(typeName));
  }

  reference(name: string): Json {
    return { $ref: `#/${this.dialect === "v2" ? "definitions" : "components/schemas"}/${name}` };
  }

  /** Adds a definition that is no built-in type. */
  add(name: string, definition: Json): void {
    this.byName[name] = definition;
  }

  /** Notes that a type is the kind of this group and version. */
  markKind(typeName: string, gvk: GroupVersionKind): void {
    this.need(schemaOf(typeName));
    this.finish();
    const definition = this.byName[definitionName(typeName)] as Json;
    const marks = (definition["x-kubernetes-group-version-kind"] ??= []) as GroupVersionKind[];
    const isKnown = marks.some(
      (mark) => mark.group === gvk.group && mark.version === gvk.version && mark.kind === gvk.kind,
    );
    if (!isKnown) marks.push({ group: gvk.group, kind: gvk.kind, version: gvk.version });
  }

  /** Renders what is still only referred to. */
  finish(): void {
    for (let schema = this.pending.pop(); schema !== undefined; schema = this.pending.pop()) {
      Object.assign(this.byName[definitionName(schema.name)] as Json, this.struct(schema));
    }
  }

  private need(schema: StructSchema): void {
    const name = definitionName(schema.name);
    if (this.byName[name] !== undefined) return;
    this.byName[name] = {};
    this.pending.push(schema);
  }

  private struct(schema: StructSchema): Json {
    const properties: Json = {};
    const required: string[] = [];
    for (const field of schema.fields) {
      properties[field.name] = this.property(schema, field);
      if (field.required) required.push(field.name);
    }
    const description = this.describe(schema.name);
    const union = unions[schema.name];
    return {
      ...(description === undefined ? {} : { description }),
      ...(schema.fields.length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required }),
      type: "object",
      ...(union === undefined ? {} : { "x-kubernetes-unions": [union] }),
      ...(atomicTypes.has(schema.name) ? { "x-kubernetes-map-type": "atomic" } : {}),
    };
  }

  private property(owner: StructSchema, field: FieldSchema): Json {
    // Where the field itself has no description, that of its type helps those who ask `kubectl explain`.
    const ofType = field.schema.node === "struct" ? this.describe(field.schema.name) : undefined;
    const description = this.describe(owner.name, field.name) ?? ofType;
    const form = this.form(field.schema);
    const extras: Json = {
      ...(field.patchStrategy === undefined ? {} : { "x-kubernetes-patch-strategy": field.patchStrategy.join(",") }),
      ...(field.schema.node === "struct" && isLoosened(field.schema) ? { "x-kubernetes-map-type": "granular" } : {}),
      ...(this.dialect === "v3" && field.default !== undefined ? { default: field.default } : {}),
    };
    // OpenAPI 3 ignores what stands beside a reference.
    const isReference = "$ref" in form && this.dialect === "v3";
    const hasMore = description !== undefined || Object.keys(extras).length > 0;
    return {
      ...(description === undefined ? {} : { description }),
      ...(isReference && hasMore ? { allOf: [form] } : form),
      ...extras,
    };
  }

  private form(schema: Schema): Json {
    switch (schema.node) {
      case "scalar": {
        const named = namedScalars[schema.type];
        if (named === undefined) {
          return {
            ...plainScalars[schema.type],
            ...(schema.listType === undefined ? {} : { "x-kubernetes-list-type": schema.listType }),
          };
        }
        return this.simple(named.type, this.dialect === "v3" ? (named.v3 ?? named.v2) : named.v2);
      }
      case "list":
        return { type: "array", items: this.form(schema.element), ...listMarks(schema) };
      case "map":
        return {
          type: "object",
          additionalProperties: this.form(schema.value),
          ...(schema.mapType === undefined ? {} : { "x-kubernetes-map-type": schema.mapType }),
        };
      case "struct":
        this.need(schema);
        return this.reference(definitionName(schema.name));
      case "any":
        return this.simple(anyTypes[schema.type].type, anyTypes[schema.type].form);
      case "union":
        return this.simple(schema.name, {});
    }
  }

  /** A definition without fields of its own. */
  private simple(typeName: string, form: Json): Json {
    const name = definitionName(typeName);
    const description = this.describe(typeName);
    this.byName[name] ??= { ...(description === undefined ? {} : { description }), ...form };
    return this.reference(name);
  }
}

/** A type that is owned as a whole elsewhere but by its fields here. */
function isLoosened(schema: StructSchema): boolean {
  return atomicTypes.has(schema.name) && schema.structType === "granular";
}

function listMarks(schema: ListSchema): Json {
  return {
    ...(schema.listMapKeys === undefined ? {} : { "x-kubernetes-list-map-keys": schema.listMapKeys }),
    ...(schema.listType === undefined ? {} : { "x-kubernetes-list-type": schema.listType }),
    ...(schema.patchMergeKey === undefined ? {} : { "x-kubernetes-patch-merge-key": schema.patchMergeKey }),
    ...(schema.patchStrategy === undefined ? {} : { "x-kubernetes-patch-strategy": schema.patchStrategy.join(",") }),
  };
}
