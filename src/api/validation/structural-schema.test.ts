import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchemaProps } from "../generated/apiextensions-v1.ts";
import { FieldErrors } from "./field-errors.ts";
import { validateStructural } from "./structural-schema.ts";

/** What is said of the schema of a field `x`, with paths relative to it. */
function check(name: string, x: JSONSchemaProps, expected: readonly string[]): void {
  test(`${name}: ${expected.length === 0 ? "is structural" : expected.join("; ")}`, () => {
    const errors = new FieldErrors();
    validateStructural(errors, "s", { type: "object", properties: { x } });
    assert.deepEqual(
      errors.list.map(({ field, message }) => `${field}: ${message}`.replaceAll("s.properties[x]", "x")),
      expected,
    );
  });
}

const text: JSONSchemaProps = { type: "string" };
const eitherType: JSONSchemaProps[] = [{ type: "integer" }, { type: "string" }];
const mustBeEmpty = "Forbidden: must be empty to be structural";

check("a value without type", {}, ["x.type: Required value: must not be empty for specified object fields"]);
check("an open value without type", { "x-kubernetes-preserve-unknown-fields": true }, []);
check("an integer or string", { "x-kubernetes-int-or-string": true }, []);
check("with types as generators write them", { "x-kubernetes-int-or-string": true, anyOf: eitherType }, []);
check("below an allOf", { "x-kubernetes-int-or-string": true, allOf: [{ anyOf: eitherType }] }, []);
check("with other types", { "x-kubernetes-int-or-string": true, anyOf: [{ type: "boolean" }, { type: "string" }] }, [
  `x.anyOf[0].type: ${mustBeEmpty}`,
  `x.anyOf[1].type: ${mustBeEmpty}`,
]);
check("with more than types", { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer", minimum: 1 }, text] }, [
  `x.anyOf[0].type: ${mustBeEmpty}`,
  `x.anyOf[1].type: ${mustBeEmpty}`,
]);
check("types in the junctors of others", { type: "object", oneOf: [{ type: "object" }] }, [
  `x.oneOf[0].type: ${mustBeEmpty}`,
]);
check("conditions on fields", { type: "object", properties: { a: text }, not: { required: ["a"] } }, []);
check(
  "conditions on fields that are not there",
  { type: "object", properties: { a: text }, anyOf: [{ properties: { b: { pattern: "b" } } }] },
  ["x.properties[b]: Required value: because it is defined in x.anyOf[0].properties[b]"],
);

function mapOf(items: JSONSchemaProps, keys: string[]): JSONSchemaProps {
  return { type: "array", items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys };
}

function element(a: JSONSchemaProps, more: JSONSchemaProps = {}): JSONSchemaProps {
  return { type: "object", required: ["a"], properties: { a }, ...more };
}

check("a map by a key", mapOf(element(text), ["a"]), []);
check("a map by a key with a default", mapOf(element({ type: "string", default: "b" }, { required: [] }), ["a"]), []);
check("a map by a key that may be absent", mapOf(element(text, { required: [] }), ["a"]), [
  "x.items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be " +
    "a required property",
]);
check("a map by the same key twice", mapOf(element(text), ["a", "a"]), [
  'x.x-kubernetes-list-map-keys[1]: Invalid value: "a": must not contain duplicate entries',
]);
check("a map by objects", mapOf(element({ type: "object" }), ["a"]), [
  `x.items.properties[a].type: Invalid value: "object": must be a scalar type if parent array's x-kubernetes-list-type is map`,
]);
check("a map by what may be null", mapOf(element({ type: "string", nullable: true }), ["a"]), [
  "x.items.properties[a].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
]);
check("a map of what may be null", mapOf(element(text, { nullable: true }), ["a"]), [
  "x.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is map",
]);
check("a map by a key that is none", mapOf(element(text), ["b"]), [
  'x.x-kubernetes-list-map-keys[0]: Invalid value: "b": entries must all be names of item properties',
]);

function setOf(items: JSONSchemaProps): JSONSchemaProps {
  return { type: "array", items, "x-kubernetes-list-type": "set" };
}

check("a set of texts", setOf(text), []);
check("a set of atomic objects", setOf({ type: "object", "x-kubernetes-map-type": "atomic" }), []);
check("a set of objects", setOf({ type: "object" }), [
  "x.items: Forbidden: must be atomic as item of a list with x-kubernetes-list-type=set",
]);
check("a set of what may be null", setOf({ type: "string", nullable: true }), [
  "x.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set",
]);
