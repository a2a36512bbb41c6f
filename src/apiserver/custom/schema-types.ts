import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import { bool, bytesOfMax, double, duration, dyn, int, list, map, string, stringOfMax, timestamp } from "#cel/types.ts";
import type { ObjectField, ObjectType, Type } from "#cel/types.ts";
import { requestBytesMax } from "../limits.ts";
import { escapedName } from "./field-names.ts";

/** Bytes that quotes or brackets take. */
const bracketBytes = 2;
/** A map's entry without its value: an empty key in quotes, a colon, a comma. */
const entryBytes = 6;
const timestampBytes = 20;
/** Code points take up to four bytes; costs count bytes. */
const bytesOfCharacter = 4;

/** What can be seen of metadata: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/ */
const metadataType: ObjectType = {
  kind: "object",
  name: "ObjectMeta",
  fields: new Map([
    ["name", { name: "name", type: stringOfMax(253) }],
    ["generateName", { name: "generateName", type: stringOfMax(253) }],
  ]),
};

/** The type that expressions see of a schema; undefined when they cannot see its values. Remembered by schema. */
export function typeOfSchema(schema: JSONSchemaProps, isResource = false): Type | undefined {
  const known = isResource ? resourceTypes : types;
  const found = known.get(schema);
  if (found !== undefined) return found.type;
  const type = makeType(schema, isResource || schema["x-kubernetes-embedded-resource"] === true);
  known.set(schema, { type });
  return type;
}

const types = new WeakMap<JSONSchemaProps, { type: Type | undefined }>();
const resourceTypes = new WeakMap<JSONSchemaProps, { type: Type | undefined }>();

function makeType(schema: JSONSchemaProps, isResource: boolean): Type | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) return dyn;
  switch (schema.type) {
    case "object":
      return objectOf(schema, isResource);
    case "array":
      return listOf(schema);
    case "string":
      return stringOf(schema);
    case "boolean":
      return bool;
    case "integer":
      return int;
    case "number":
      return double;
    default:
      return undefined;
  }
}

function objectOf(schema: JSONSchemaProps, isResource: boolean): Type {
  const { additionalProperties, properties = {} } = schema;
  if (typeof additionalProperties === "object" && !isResource) {
    const value = typeOfSchema(additionalProperties);
    const max = schema.maxProperties ?? atMost(entryBytes + bytesMin(additionalProperties));
    return map(string, value ?? dyn, max);
  }
  if (additionalProperties === true && Object.keys(properties).length === 0)
    return map(string, dyn, schema.maxProperties);
  const fields = new Map<string, ObjectField>();
  if (isResource) {
    fields.set("apiVersion", { name: "apiVersion", type: string });
    fields.set("kind", { name: "kind", type: string });
    fields.set("metadata", { name: "metadata", type: metadataType });
  }
  for (const [name, property] of Object.entries(properties)) {
    if (isResource && name === "metadata") continue;
    const type = typeOfSchema(property);
    const escaped = escapedName(name);
    if (type !== undefined && escaped !== undefined) fields.set(escaped, { name, type });
  }
  return { kind: "object", name: "object", fields };
}

/** The schema of a list's elements. */
export function itemsOf(schema: JSONSchemaProps): JSONSchemaProps | undefined {
  return Array.isArray(schema.items) ? schema.items[0] : schema.items;
}

function listOf(schema: JSONSchemaProps): Type | undefined {
  const items = itemsOf(schema);
  const element = items && typeOfSchema(items);
  if (items === undefined || element === undefined) return undefined;
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"]?.map((key) => escapedName(key) ?? key);
  const mergeBy = listType === "set" ? "set" : listType === "map" ? keys : undefined;
  return { ...list(element, schema.maxItems ?? atMost(bytesMin(items) + 1)), mergeBy };
}

function stringOf(schema: JSONSchemaProps): Type {
  switch (schema.format) {
    case "byte":
      return bytesOfMax(schema.maxLength ?? requestBytesMax - bracketBytes);
    case "duration":
      return duration;
    case "date":
    case "date-time":
      return timestamp;
    default:
  }
  if (schema.maxLength !== undefined) return stringOfMax(schema.maxLength * bytesOfCharacter);
  const texts = schema.enum?.filter((each) => typeof each === "string") ?? [];
  if (texts.length > 0) return stringOfMax(Math.max(...texts.map((text) => text.length)));
  return stringOfMax(requestBytesMax - bracketBytes);
}

function atMost(bytesOfOne: number): number {
  return Math.floor((requestBytesMax - bracketBytes) / bytesOfOne);
}

/** Bytes that a value of the schema takes in a request at least. */
export function bytesMin(schema: JSONSchemaProps): number {
  switch (schema.type) {
    case "boolean":
      return 4;
    case "integer":
    case "number":
      return 1;
    case "string":
      return bracketBytes + (schema.format === "date-time" ? timestampBytes : (schema.minLength ?? 0));
    case "object": {
      const required = schema.required ?? [];
      const properties = schema.properties ?? {};
      // A quoted name, a colon and a comma for each that must be there.
      const ofRequired = required.map((name) => name.length + 4 + (properties[name] ? bytesMin(properties[name]) : 1));
      return bracketBytes + ofRequired.reduce((total, bytes) => total + bytes, 0);
    }
    default:
      return schema["x-kubernetes-int-or-string"] === true ? 1 : bracketBytes;
  }
}
