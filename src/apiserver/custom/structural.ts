import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import { schemaOf } from "#api/schemas.ts";
import type { AnySchema, FieldSchema, ListSchema, Schema, StructSchema } from "#codec/schema.ts";

const any: AnySchema = { node: "any", type: "json" };

const ofEveryObject: readonly FieldSchema[] = [
  field("apiVersion", { node: "scalar", type: "string" }, undefined),
  field("kind", { node: "scalar", type: "string" }, undefined),
  field("metadata", schemaOf("meta/v1.ObjectMeta"), undefined),
];
const namesOfEveryObject: ReadonlySet<string> = new Set(ofEveryObject.map(({ name }) => name));

/** The schema of a custom resource's version: its own fields, and the metadata that every object has. */
export function structuralSchema(props: JSONSchemaProps | undefined): StructSchema {
  const own = props?.properties ?? {};
  const isOpen = props === undefined || props["x-kubernetes-preserve-unknown-fields"] === true;
  const fields = [
    ...ofEveryObject,
    ...Object.keys(own)
      .filter((name) => !namesOfEveryObject.has(name))
      .map((name) => field(name, nodeOf(own[name]!), own[name])),
  ];
  return struct(fields, isOpen);
}

function struct(
  fields: readonly FieldSchema[],
  preserveUnknown: boolean,
  structType?: "atomic" | "granular",
): StructSchema {
  const byName = new Map(fields.map((each) => [each.name, each]));
  return {
    node: "struct",
    name: "",
    fields,
    byName,
    ...(preserveUnknown && { preserveUnknown }),
    ...(structType !== undefined && { structType }),
  };
}

function field(name: string, schema: Schema, props: JSONSchemaProps | undefined): FieldSchema {
  return {
    name,
    schema,
    pointer: true,
    omitEmpty: false,
    omitZero: false,
    required: false,
    number: 0,
    ...(props?.default !== undefined && { default: props.default }),
    ...(props?.nullable === true && { nullable: true }),
  };
}

function nodeOf(props: JSONSchemaProps): Schema {
  if (props["x-kubernetes-int-or-string"] === true) return { node: "scalar", type: "int-or-string" };
  switch (props.type) {
    case "string":
      return { node: "scalar", type: "string" };
    case "boolean":
      return { node: "scalar", type: "bool" };
    case "integer":
      return { node: "scalar", type: "int64" };
    case "number":
      return { node: "scalar", type: "float64" };
    case "array":
      return listOf(props);
    case "object":
      return objectOf(props);
    default:
      return any;
  }
}

function listOf(props: JSONSchemaProps): ListSchema {
  const items = Array.isArray(props.items) ? props.items[0] : props.items;
  const listType = props["x-kubernetes-list-type"];
  const keys = props["x-kubernetes-list-map-keys"];
  const isKnown = listType === "map" || listType === "set" || listType === "atomic";
  return {
    node: "list",
    element: items === undefined ? any : nodeOf(items),
    ...(isKnown && { listType }),
    ...(keys !== undefined && { listMapKeys: keys }),
  };
}

function objectOf(props: JSONSchemaProps): Schema {
  const isOpen = props["x-kubernetes-preserve-unknown-fields"] === true;
  const { properties, additionalProperties } = props;
  const isAtomic = props["x-kubernetes-map-type"] === "atomic";
  if (properties === undefined && additionalProperties !== undefined && additionalProperties !== false) {
    const value = additionalProperties === true ? any : nodeOf(additionalProperties);
    return { node: "map", value, ...(isAtomic && { mapType: "atomic" }) };
  }
  const fields = Object.keys(properties ?? {}).map((name) =>
    field(name, nodeOf(properties![name]!), properties![name]),
  );
  const structType = isAtomic ? "atomic" : undefined;
  if (props["x-kubernetes-embedded-resource"] !== true) return struct(fields, isOpen, structType);
  // Whatever a definition says of them: they are those of every object.
  return struct([...ofEveryObject, ...fields.filter(({ name }) => !namesOfEveryObject.has(name))], isOpen, structType);
}
