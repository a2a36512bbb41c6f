import { RE2JS } from "re2js";
import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import type { ApiObject, FieldError } from "#api/kind.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import { isRecord } from "#codec/record.ts";
import type { Served } from "../registry.ts";

/** Errors of one object; whoever sends more has seen enough. */
const errorsMax = 100;
/** Compiled patterns that are remembered. */
const patternsMax = 1_000;

/** What the structural schema of a custom resource says against an object. Built-in kinds have none. */
export function customErrors(served: Served, object: ApiObject): FieldError[] {
  const schema = served.custom?.schema;
  if (schema === undefined) return [];
  const errors = new FieldErrors();
  checkObject(errors, "", schema, object, true);
  return errors.list.slice(0, errorsMax);
}

function check(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: unknown): void {
  if (errorsMax <= errors.list.length) return;
  if (value === null) {
    if (schema.nullable !== true)
      errors.invalid(path, null, `${path} in body must be of type ${schema.type ?? "object"}: "null"`);
    return;
  }
  if (!hasType(schema, value)) {
    errors.typeInvalid(
      path,
      typeName(value),
      `${path} in body must be of type ${typeWanted(schema)}: ${JSON.stringify(typeName(value))}`,
    );
    return;
  }
  if (schema.enum !== undefined && !schema.enum.some((allowed) => semanticallyEqual(allowed, value))) {
    errors.notSupported(
      path,
      value,
      schema.enum.map((allowed) => (typeof allowed === "string" ? allowed : JSON.stringify(allowed))),
    );
  }
  if (typeof value === "string") checkString(errors, path, schema, value);
  else if (typeof value === "number" || typeof value === "bigint") checkNumber(errors, path, schema, Number(value));
  else if (Array.isArray(value)) checkList(errors, path, schema, value);
  else if (isRecord(value)) checkObject(errors, path, schema, value, false);
  checkCombinations(errors, path, schema, value);
}

function typeWanted(schema: JSONSchemaProps): string {
  return schema["x-kubernetes-int-or-string"] === true ? "integer,string" : (schema.type ?? "");
}

function hasType(schema: JSONSchemaProps, value: unknown): boolean {
  if (schema["x-kubernetes-int-or-string"] === true) return typeof value === "string" || isInteger(value);
  switch (schema.type) {
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return isInteger(value);
    case "number":
      return typeof value === "number" || typeof value === "bigint";
    case "array":
      return Array.isArray(value);
    case "object":
      return isRecord(value);
    default:
      return true;
  }
}

function isInteger(value: unknown): boolean {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value === "bigint" ? "integer" : typeof value;
}

function checkString(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: string): void {
  const length = [...value].length;
  if (schema.maxLength !== undefined && schema.maxLength < length) errors.tooLong(path, schema.maxLength);
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.invalid(path, value, `${path} in body should be at least ${schema.minLength} chars long`);
  }
  if (schema.pattern !== undefined && !matches(schema.pattern, value)) {
    errors.invalid(path, value, `${path} in body should match '${schema.pattern}'`);
  }
  if (schema.format !== undefined && formats[schema.format]?.(value) === false) {
    errors.invalid(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`);
  }
}

const patterns = new Map<string, RE2JS | undefined>();

/** Linear-time matching, because the pattern is the user's. One that cannot be compiled matches nothing. */
function matches(pattern: string, value: string): boolean {
  if (!patterns.has(pattern)) {
    if (patternsMax <= patterns.size) patterns.clear();
    patterns.set(pattern, compiled(pattern));
  }
  return patterns.get(pattern)?.matcher(value).find() ?? false;
}

function compiled(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
}

const formats: Readonly<Record<string, (value: string) => boolean>> = {
  "date-time": (value) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  uuid: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value),
  ipv4: (value) => /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(value),
  email: (value) => /^[^@\s]+@[^@\s]+$/.test(value),
};

function checkNumber(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: number): void {
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    const words = schema.exclusiveMinimum === true ? "greater than" : "greater than or equal to";
    errors.invalid(path, value, `${path} in body should be ${words} ${minimum}`);
  }
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? maximum <= value : maximum < value)) {
    const words = schema.exclusiveMaximum === true ? "less than" : "less than or equal to";
    errors.invalid(path, value, `${path} in body should be ${words} ${maximum}`);
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
    errors.invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`);
}

function checkList(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: readonly unknown[]): void {
  if (schema.maxItems !== undefined && schema.maxItems < value.length)
    errors.tooMany(path, value.length, schema.maxItems);
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`);
  }
  const items = Array.isArray(schema.items) ? schema.items[0] : schema.items;
  if (items !== undefined) value.forEach((item, index) => check(errors, `${path}[${index}]`, items, item));
  checkUnique(errors, path, schema, value);
}

/** Lists that are sets or maps hold each element or key once. */
function checkUnique(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: readonly unknown[]): void {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map") return;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  value.forEach((item, index) => {
    const identity = type === "set" ? item : keys.map((key) => (isRecord(item) ? item[key] : undefined));
    const text = JSON.stringify(identity, (_, inner: unknown) =>
      typeof inner === "bigint" ? inner.toString() : inner,
    );
    if (seen.has(text)) errors.duplicate(`${path}[${index}]`, identity);
    seen.add(text);
  });
}

function checkObject(
  errors: FieldErrors,
  path: string,
  schema: JSONSchemaProps,
  value: Record<string, unknown>,
  isRoot: boolean,
): void {
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) if (value[name] === undefined) errors.required(at(name));
  const count = Object.keys(value).length;
  if (schema.maxProperties !== undefined && schema.maxProperties < count)
    errors.tooMany(path, count, schema.maxProperties);
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.invalid(path, count, `${path} in body should have at least ${schema.minProperties} properties`);
  }
  const { properties, additionalProperties } = schema;
  for (const name of Object.keys(value)) {
    if (isRoot && (name === "metadata" || name === "kind" || name === "apiVersion")) continue;
    if (value[name] === undefined) continue;
    const own = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own !== undefined) check(errors, at(name), own, value[name]);
    else if (typeof additionalProperties === "object") check(errors, at(name), additionalProperties, value[name]);
  }
}

function checkCombinations(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: unknown): void {
  for (const each of schema.allOf ?? []) check(errors, path, each, value);
  const fits = (each: JSONSchemaProps): boolean => {
    const inner = new FieldErrors();
    check(inner, path, each, value);
    return inner.list.length === 0;
  };
  if (schema.anyOf !== undefined && !schema.anyOf.some(fits))
    errors.invalid(path, "", `${path} in body must validate at least one schema (anyOf)`);
  if (schema.oneOf !== undefined && schema.oneOf.filter(fits).length !== 1) {
    errors.invalid(path, "", `${path} in body must validate one and only one schema (oneOf)`);
  }
  if (schema.not !== undefined && fits(schema.not))
    errors.invalid(path, "", `${path} in body must not validate the schema (not)`);
}
