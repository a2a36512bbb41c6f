// What the structure of a schema says against values, in the words that clients know.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { checkValue } from "./check-value.ts";

function check(schema: JSONSchemaProps, value: unknown, expected: readonly string[]): void {
  test(`${JSON.stringify(value)} against ${JSON.stringify(schema)}`, () => {
    const errors = new FieldErrors();
    checkValue(errors, "spec.x", schema, value);
    assert.deepEqual(
      errors.list.map(({ field, message }) => `${field}: ${message}`),
      expected,
    );
  });
}

const either: JSONSchemaProps = { type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] };
check(either, { a: 1 }, []);
check(either, {}, [
  'spec.x: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
  "spec.x.a: Required value",
]);
check(either, { a: 1, b: 1 }, [
  'spec.x: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives',
]);

const some: JSONSchemaProps = {
  type: "object",
  properties: { a: { type: "string" } },
  anyOf: [{ required: ["a", "b"] }, { properties: { a: { pattern: "^x" } }, required: ["a"] }],
};
check(some, { a: "x" }, []);
check(some, { a: "y" }, [
  'spec.x: Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
  "spec.x.b: Required value",
]);
check({ type: "string", allOf: [{ minLength: 2 }, { pattern: "^a" }] }, "a", [
  'spec.x: Invalid value: "": "spec.x" must validate all the schemas (allOf)',
  'spec.x: Invalid value: "a": spec.x in body should be at least 2 chars long',
]);
check({ type: "string", allOf: [{ minLength: 2 }] }, "a", [
  'spec.x: Invalid value: "": "spec.x" must validate all the schemas (allOf). None validated',
  'spec.x: Invalid value: "a": spec.x in body should be at least 2 chars long',
]);
check({ type: "object", not: { required: ["a"] } }, { a: 1 }, [
  'spec.x: Invalid value: "": "spec.x" must not validate the schema (not)',
]);

const ports: JSONSchemaProps = {
  type: "array",
  items: { type: "object" },
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["port", "protocol"],
};
check(
  ports,
  [
    { port: 1, protocol: "TCP" },
    { port: 1, protocol: "UDP" },
    { protocol: "TCP", port: 1 },
  ],
  ['spec.x[2]: Duplicate value: {"port":1,"protocol":"TCP"}'],
);
check(
  { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
  ["a", "b", "a"],
  ['spec.x[2]: Duplicate value: "a"'],
);
check({ type: "integer", minimum: 1, exclusiveMinimum: true }, 1, [
  "spec.x: Invalid value: 1: spec.x in body should be greater than 1",
]);
check({ type: "integer" }, 1.5, ['spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"']);
check({ "x-kubernetes-int-or-string": true }, true, [
  'spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"',
]);
