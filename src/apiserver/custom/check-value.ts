import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import type { ApiObject, FieldError } from "#api/kind.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import { EvaluationFailure } from "#cel/failure.ts";
import { matches as matchesPattern } from "#cel/pattern.ts";
import { isRecord } from "#codec/record.ts";
import { correlated } from "./correlate.ts";
import { formats } from "./formats.ts";
import { errorsMax } from "./limits.ts";

/** What the structure of a version's schema says against a whole resource; what is as in `old` is let through. */
export function checkResource(errors: FieldErrors, schema: JSONSchemaProps, object: ApiObject, old?: ApiObject): void {
  checkObject(errors, "", schema, object, old, true);
}

/** What the structure of a schema says against a value. */
export function checkValue(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: unknown): void {
  check(errors, path, schema, value, undefined);
}

function check(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: unknown, old: unknown): void {
  if (errorsMax <= errors.list.length) return;
  if (old !== undefined && semanticallyEqual(value, old)) return;
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
  else if (Array.isArray(value)) checkList(errors, path, schema, value, old);
  else if (isRecord(value))
    checkObject(errors, path, schema, value, old, schema["x-kubernetes-embedded-resource"] === true);
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

/** Linear-time matching, because the pattern is the user's. One that cannot be compiled or is too costly matches nothing. */
function matches(pattern: string, value: string): boolean {
  try {
    return matchesPattern(value, pattern);
  } catch (error) {
    if (error instanceof EvaluationFailure) return false;
    throw error;
  }
}

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

function checkList(
  errors: FieldErrors,
  path: string,
  schema: JSONSchemaProps,
  value: readonly unknown[],
  old: unknown,
): void {
  if (schema.maxItems !== undefined && schema.maxItems < value.length)
    errors.tooMany(path, value.length, schema.maxItems);
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`);
  }
  const items = Array.isArray(schema.items) ? schema.items[0] : schema.items;
  const find = correlated(schema, old);
  if (items !== undefined) value.forEach((item, index) => check(errors, `${path}[${index}]`, items, item, find(item)));
  checkUnique(errors, path, schema, value);
}

/** Lists that are sets or maps hold each element or key once. */
function checkUnique(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: readonly unknown[]): void {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map") return;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  value.forEach((item, index) => {
    const identity = type === "set" || !isRecord(item) ? item : Object.fromEntries(keys.map((key) => [key, item[key]]));
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
  old: unknown,
  isResource: boolean,
): void {
  const before = isRecord(old) ? old : undefined;
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) if (value[name] === undefined) errors.required(at(name));
  if (isResource && path !== "") checkEmbedded(errors, path, value);
  const count = Object.keys(value).length;
  if (schema.maxProperties !== undefined && schema.maxProperties < count)
    errors.tooMany(path, count, schema.maxProperties);
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.invalid(path, count, `${path} in body should have at least ${schema.minProperties} properties`);
  }
  const { properties, additionalProperties } = schema;
  for (const name of Object.keys(value)) {
    if (isResource && (name === "metadata" || name === "kind" || name === "apiVersion")) continue;
    if (value[name] === undefined) continue;
    const own = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own !== undefined) check(errors, at(name), own, value[name], before?.[name]);
    else if (typeof additionalProperties === "object")
      check(errors, at(name), additionalProperties, value[name], before?.[name]);
  }
}

function checkCombinations(errors: FieldErrors, path: string, schema: JSONSchemaProps, value: unknown): void {
  const problemsOf = (part: JSONSchemaProps): readonly FieldError[] => {
    const inner = new FieldErrors();
    check(inner, path, part, value, undefined);
    return inner.list;
  };
  const say = (what: string, problems: readonly FieldError[] = []): void => {
    errors.invalid(path, "", `${JSON.stringify(path)} ${what}`);
    errors.list.push(...problems);
  };
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  const ofAll = allOf.map(problemsOf).filter(({ length }) => length > 0);
  if (ofAll.length > 0) {
    const none = ofAll.length === allOf.length ? ". None validated" : "";
    say(`must validate all the schemas (allOf)${none}`, ofAll.flat());
  }
  const ofAny: (readonly FieldError[])[] = [];
  for (const part of anyOf) {
    ofAny.push(problemsOf(part));
    if (ofAny.at(-1)?.length === 0) break;
  }
  const isNone = (ofAny.at(-1)?.length ?? 0) > 0;
  if (isNone) say("must validate at least one schema (anyOf)", fewest(ofAny));
  const ofOne = oneOf.map(problemsOf);
  const valid = ofOne.filter(({ length }) => length === 0).length;
  if (ofOne.length > 0 && valid !== 1) {
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    say(`must validate one and only one schema (oneOf). ${found}`, valid === 0 ? fewest(ofOne) : []);
  }
  if (not !== undefined && problemsOf(not).length === 0) say("must not validate the schema (not)");
}

/** What is wrong with the alternative that comes nearest: whoever reads it learns most. */
function fewest(alternatives: readonly (readonly FieldError[])[]): readonly FieldError[] {
  return alternatives.reduce((best, each) => (each.length < best.length ? each : best));
}

/** An object inside an object has a version and a kind of its own, and metadata in the usual form. */
function checkEmbedded(errors: FieldErrors, path: string, value: Record<string, unknown>): void {
  for (const name of ["apiVersion", "kind"]) {
    const text = value[name];
    if (text === undefined || text === "") errors.required(`${path}.${name}`, "must not be empty");
    else if (typeof text !== "string")
      errors.typeInvalid(`${path}.${name}`, typeName(text), `${name} must be a string`);
  }
  const { metadata } = value;
  if (metadata === undefined) return;
  if (!isRecord(metadata)) {
    errors.typeInvalid(`${path}.metadata`, typeName(metadata), "must be an object");
    return;
  }
  if (typeof metadata["name"] === "string")
    errors.invalidEach(`${path}.metadata.name`, metadata["name"], isPathSegment(metadata["name"]));
  for (const name of ["labels", "annotations"]) {
    const map = metadata[name];
    if (map === undefined) continue;
    if (!isRecord(map) || !Object.values(map).every((each) => typeof each === "string"))
      errors.typeInvalid(`${path}.metadata.${name}`, typeName(map), "must be a map of strings");
  }
}

function isPathSegment(name: string): string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"]
    .filter((character) => name.includes(character))
    .map((character) => `may not contain '${character}'`);
}
