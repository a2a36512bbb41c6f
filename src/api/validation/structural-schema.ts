import type { JSONSchemaProps } from "../generated/apiextensions-v1.ts";
import type { FieldErrors } from "./field-errors.ts";

const types: ReadonlySet<string> = new Set(["array", "boolean", "integer", "number", "object", "string"]);
const depthMax = 512;
const unsupported = {
  id: "id is not supported",
  $schema: "",
  $ref: "$ref is not supported",
  definitions: "definitions is not supported",
  dependencies: "dependencies is not supported",
  additionalItems: "additionalItems is not supported",
  patternProperties: "patternProperties is not supported",
} as const satisfies Partial<Record<keyof JSONSchemaProps, string>>;

/** What shapes objects may stand only outside of the junctors, so that the shape can be read off. */
const shaping = [
  "type",
  "default",
  "description",
  "title",
  "nullable",
  "additionalProperties",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
] as const satisfies readonly (keyof JSONSchemaProps)[];

type Place = "root" | "property" | "items" | "additional";

const missingType: Record<Place, string> = {
  root: "must not be empty at the root",
  property: "must not be empty for specified object fields",
  items: "must not be empty for specified array items",
  additional: "must not be empty for specified object fields",
};

/** Checks that a custom resource's schema is structural: every value's shape stands in one place. */
export function validateStructural(errors: FieldErrors, field: string, schema: JSONSchemaProps): void {
  if (schema.type !== "object" && schema["x-kubernetes-preserve-unknown-fields"] !== true) {
    if (!schema.type) errors.required(`${field}.type`, missingType.root);
    else errors.invalid(`${field}.type`, schema.type, "must be object at the root");
  }
  if (schema.nullable === true) errors.forbidden(`${field}.nullable`, "nullable cannot be true at the root");
  const metadata = schema.properties?.["metadata"];
  if (metadata !== undefined) validateMetadata(errors, `${field}.properties[metadata]`, metadata);
  validateShape(errors, field, schema, "root", 0);
}

function validateMetadata(errors: FieldErrors, field: string, schema: JSONSchemaProps): void {
  const extra = Object.keys(schema.properties ?? {}).filter((name) => name !== "name" && name !== "generateName");
  if (extra.length > 0 || schema.additionalProperties !== undefined) {
    errors.forbidden(
      field,
      "must not specify anything other than name and generateName, but metadata is implicitly specified",
    );
  }
  if (schema.type !== undefined && schema.type !== "object")
    errors.invalid(`${field}.type`, schema.type, "must be object");
}

function validateShape(errors: FieldErrors, field: string, schema: JSONSchemaProps, place: Place, depth: number): void {
  if (depth > depthMax) {
    errors.invalid(field, depth, `schema must not be nested deeper than ${depthMax}`);
    return;
  }
  validateUnsupported(errors, field, schema);
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  const preserves = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (!schema.type) {
    if (place !== "root" && !intOrString && !preserves) errors.required(`${field}.type`, missingType[place]);
  } else if (!types.has(schema.type)) {
    errors.notSupported(`${field}.type`, schema.type, [...types]);
  }
  if (intOrString && schema.type)
    errors.invalid(`${field}.type`, schema.type, "must be empty if x-kubernetes-int-or-string is true");
  validateExtensions(errors, field, schema);
  validateChildren(errors, field, schema, depth);
  validateJunctors(errors, field, schema, schema);
  schema["x-kubernetes-validations"]?.forEach((rule, index) => {
    if (!rule.rule?.trim())
      errors.required(`${field}.x-kubernetes-validations[${index}].rule`, "rule is not specified");
    if (rule.message?.includes("\n")) {
      errors.invalid(
        `${field}.x-kubernetes-validations[${index}].message`,
        rule.message,
        "message must not contain line breaks",
      );
    }
  });
}

function validateUnsupported(errors: FieldErrors, field: string, schema: JSONSchemaProps): void {
  for (const name in unsupported) {
    const key = name as keyof typeof unsupported;
    if (schema[key] !== undefined && unsupported[key] !== "") errors.forbidden(`${field}.${name}`, unsupported[key]);
  }
  if (schema.uniqueItems === true) {
    errors.forbidden(
      `${field}.uniqueItems`,
      "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    );
  }
  if (schema.additionalProperties !== undefined) {
    if (Object.keys(schema.properties ?? {}).length > 0) {
      errors.forbidden(`${field}.additionalProperties`, "additionalProperties and properties are mutual exclusive");
    }
    if (schema.additionalProperties === false) {
      errors.forbidden(`${field}.additionalProperties`, "additionalProperties cannot be set to false");
    }
  }
  if (Array.isArray(schema.items)) errors.forbidden(`${field}.items`, "items must be a schema object and not an array");
}

function validateChildren(errors: FieldErrors, field: string, schema: JSONSchemaProps, depth: number): void {
  for (const name in schema.properties) {
    const child = schema.properties[name];
    // The server knows the type of metadata itself.
    if (child === undefined || (depth === 0 && name === "metadata")) continue;
    validateShape(errors, `${field}.properties[${name}]`, child, "property", depth + 1);
  }
  if (
    schema.type === "array" &&
    schema.items === undefined &&
    schema["x-kubernetes-preserve-unknown-fields"] !== true
  ) {
    errors.required(`${field}.items`, "must be specified");
  }
  if (schema.items !== undefined && !Array.isArray(schema.items)) {
    validateShape(errors, `${field}.items`, schema.items, "items", depth + 1);
  }
  if (typeof schema.additionalProperties === "object") {
    validateShape(errors, `${field}.additionalProperties`, schema.additionalProperties, "additional", depth + 1);
  }
}

function validateExtensions(errors: FieldErrors, field: string, schema: JSONSchemaProps): void {
  if (schema["x-kubernetes-embedded-resource"] === true) {
    if (schema.type !== "object")
      errors.invalid(`${field}.type`, schema.type ?? "", "must be object if x-kubernetes-embedded-resource is true");
    if (schema["x-kubernetes-preserve-unknown-fields"] !== true && Object.keys(schema.properties ?? {}).length === 0) {
      errors.required(
        `${field}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      );
    }
  }
  if (schema["x-kubernetes-preserve-unknown-fields"] === false) {
    errors.invalid(`${field}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined");
  }
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType !== undefined) {
    if (schema.type !== "object")
      errors.invalid(`${field}.type`, schema.type ?? "", "must be object if x-kubernetes-map-type is specified");
    if (mapType !== "atomic" && mapType !== "granular")
      errors.notSupported(`${field}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]);
  }
  validateListType(errors, field, schema);
}

function validateListType(errors: FieldErrors, field: string, schema: JSONSchemaProps): void {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (listType === undefined) {
    if (keys.length > 0)
      errors.required(`${field}.x-kubernetes-list-type`, "must be map if x-kubernetes-list-map-keys is non-empty");
    return;
  }
  if (schema.type !== "array")
    errors.invalid(`${field}.type`, schema.type ?? "", "must be array if x-kubernetes-list-type is specified");
  if (!["atomic", "map", "set"].includes(listType)) {
    errors.notSupported(`${field}.x-kubernetes-list-type`, listType, ["atomic", "map", "set"]);
    return;
  }
  const items = Array.isArray(schema.items) ? undefined : schema.items;
  if (listType !== "map") {
    if (keys.length > 0)
      errors.invalid(
        `${field}.x-kubernetes-list-type`,
        listType,
        "must be map if x-kubernetes-list-map-keys is non-empty",
      );
    const composite = items?.type === "object" || items?.type === "array";
    const atomic = items?.["x-kubernetes-map-type"] === "atomic" || items?.["x-kubernetes-list-type"] === "atomic";
    if (listType === "set" && items?.nullable === true)
      errors.forbidden(`${field}.items.nullable`, "cannot be nullable when x-kubernetes-list-type is set");
    if (listType === "set" && composite && !atomic) {
      errors.forbidden(`${field}.items`, "must be atomic as item of a list with x-kubernetes-list-type=set");
    }
    return;
  }
  if (keys.length === 0)
    errors.required(`${field}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map");
  if (items === undefined) return;
  if (items.type !== "object")
    errors.invalid(
      `${field}.items.type`,
      items.type ?? "",
      "must be object if parent array's x-kubernetes-list-type is map",
    );
  if (items.nullable === true)
    errors.forbidden(`${field}.items.nullable`, "cannot be nullable when x-kubernetes-list-type is map");
  validateKeys(errors, field, items, keys);
}

/** Keys tell the elements of a list apart: each is there once, has a value, and one that can be compared. */
function validateKeys(errors: FieldErrors, field: string, items: JSONSchemaProps, keys: readonly string[]): void {
  keys.forEach((key, index) => {
    const place = `${field}.x-kubernetes-list-map-keys[${index}]`;
    if (keys.indexOf(key) < index) errors.invalid(place, key, "must not contain duplicate entries");
    const property = items.properties?.[key];
    if (property === undefined) {
      errors.invalid(place, key, "entries must all be names of item properties");
      return;
    }
    const at = `${field}.items.properties[${key}]`;
    if (property.type === "array" || property.type === "object")
      errors.invalid(
        `${at}.type`,
        property.type,
        "must be a scalar type if parent array's x-kubernetes-list-type is map",
      );
    if (property.nullable === true)
      errors.forbidden(`${at}.nullable`, "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    if (property.default === undefined && !(items.required ?? []).includes(key)) {
      errors.required(
        `${at}.default`,
        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
      );
    }
  });
}

/** Inside allOf, anyOf, oneOf and not stand only conditions on values, of fields whose shape stands outside. */
function validateJunctors(errors: FieldErrors, field: string, schema: JSONSchemaProps, shape: JSONSchemaProps): void {
  for (const name of ["allOf", "anyOf", "oneOf"] as const) {
    if (name === "anyOf" && shape["x-kubernetes-int-or-string"] === true && isIntegerOrString(schema.anyOf)) continue;
    schema[name]?.forEach((part, index) => validateConditions(errors, `${field}.${name}[${index}]`, part, shape));
  }
  if (schema.not !== undefined) validateConditions(errors, `${field}.not`, schema.not, shape);
}

/** The one form in which types may stand in a junctor: generators write it beside x-kubernetes-int-or-string. */
function isIntegerOrString(parts: readonly JSONSchemaProps[] = []): boolean {
  const types = parts.map((part) => (Object.keys(part).length === 1 ? part.type : undefined));
  return types.length === 2 && types[0] === "integer" && types[1] === "string";
}

function validateConditions(errors: FieldErrors, field: string, part: JSONSchemaProps, shape: JSONSchemaProps): void {
  for (const name of shaping) {
    if (part[name] === undefined || part[name] === "") continue;
    errors.forbidden(`${field}.${name}`, "must be empty to be structural");
  }
  for (const name in part.properties) {
    const inner = part.properties[name];
    const outer = shape.properties?.[name];
    if (inner === undefined) continue;
    if (outer === undefined) {
      if (shape.additionalProperties === undefined && shape["x-kubernetes-preserve-unknown-fields"] !== true) {
        errors.required(
          field.replace(/\.(allOf|anyOf|oneOf|not).*$/, `.properties[${name}]`),
          `because it is defined in ${field}.properties[${name}]`,
        );
      }
      continue;
    }
    validateConditions(errors, `${field}.properties[${name}]`, inner, outer);
  }
  if (part.items !== undefined && !Array.isArray(part.items)) {
    const outer = Array.isArray(shape.items) ? undefined : shape.items;
    if (outer !== undefined) validateConditions(errors, `${field}.items`, part.items, outer);
  }
  validateJunctors(errors, field, part, shape);
}
