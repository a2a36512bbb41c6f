// Rules of custom resources as data: a schema, an object (and what it replaces), and the errors that users see.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { definitionErrors } from "./check-definition.ts";
import { rulesOfSchema } from "./rules.ts";
import { runRules } from "./run-rules.ts";

interface Case {
  readonly schema: JSONSchemaProps;
  readonly object: unknown;
  readonly old?: unknown;
  readonly errors: readonly string[];
}

function check(title: string, { schema, object, old, errors }: Case): void {
  test(title, () => {
    const found = new FieldErrors();
    const tree = rulesOfSchema({ type: "object", properties: { spec: schema } });
    assert.ok(tree !== undefined);
    runRules(found, tree, { spec: object }, old === undefined ? undefined : { spec: old });
    assert.deepEqual(
      found.list.map(({ field, message }) => `${field}: ${message}`),
      errors,
    );
  });
}

const scale: JSONSchemaProps = {
  type: "object",
  properties: { min: { type: "integer" }, replicas: { type: "integer" }, max: { type: "integer" } },
  "x-kubernetes-validations": [
    { rule: "self.min <= self.replicas", message: "replicas must not be below min" },
    { rule: "self.replicas <= self.max", messageExpression: "'%d is more than %d'.format([self.replicas, self.max])" },
  ],
};

check("objects that keep the rules pass", { schema: scale, object: { min: 1, replicas: 2, max: 3 }, errors: [] });
check("each broken rule is told in its own words", {
  schema: scale,
  object: { min: 5, replicas: 4, max: 3 },
  errors: [
    'spec: Invalid value: "object": replicas must not be below min',
    'spec: Invalid value: "object": 4 is more than 3',
  ],
});
check("what fails while it runs is told", {
  schema: scale,
  object: { min: 1, replicas: 1 },
  errors: ['spec: Invalid value: "object": no such key: max evaluating rule: self.replicas <= self.max'],
});
check("numbers are exact", {
  schema: scale,
  object: { min: 1, replicas: 9007199254740993n, max: 9007199254740992n },
  errors: ['spec: Invalid value: "object": 9007199254740993 is more than 9007199254740992'],
});
check("rules that were broken before do not hold up changes elsewhere", {
  schema: { type: "object", properties: { scale, note: { type: "string" } } },
  object: { scale: { min: 5, replicas: 4, max: 9 }, note: "new" },
  old: { scale: { min: 5, replicas: 4, max: 9 }, note: "old" },
  errors: [],
});

const immutable: JSONSchemaProps = {
  type: "object",
  properties: {
    name: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "name is fixed" }] },
  },
};

check("transition rules do not run on creation", { schema: immutable, object: { name: "a" }, errors: [] });
check("transition rules compare with what was", {
  schema: immutable,
  object: { name: "b" },
  old: { name: "a" },
  errors: ['spec.name: Invalid value: "string": name is fixed'],
});
check("optionalOldSelf runs on creation too", {
  schema: {
    type: "string",
    "x-kubernetes-validations": [
      { rule: "oldSelf.hasValue() || self == 'new'", optionalOldSelf: true, message: "begin with new" },
    ],
  },
  object: "other",
  errors: ['spec: Invalid value: "string": begin with new'],
});

const list: JSONSchemaProps = {
  type: "array",
  maxItems: 10,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name"],
  items: {
    type: "object",
    required: ["name"],
    properties: { name: { type: "string" }, size: { type: "integer" } },
    "x-kubernetes-validations": [{ rule: "self.size >= oldSelf.size", message: "may only grow" }],
  },
};

check("elements of lists that are maps are followed by their keys", {
  schema: list,
  object: [
    { name: "new", size: 1 },
    { name: "b", size: 1 },
    { name: "a", size: 2 },
  ],
  old: [
    { name: "a", size: 2 },
    { name: "b", size: 3 },
  ],
  errors: ['spec[1]: Invalid value: "object": may only grow'],
});
check("reason and fieldPath say where and what", {
  schema: {
    type: "object",
    properties: { a: { type: "object", properties: { "b.c": { type: "string" } } } },
    "x-kubernetes-validations": [
      { rule: "has(self.a)", reason: "FieldValueRequired", fieldPath: ".a", message: "a is needed" },
      { rule: "!has(self.x__dash__y)", message: "never" },
    ],
  },
  object: {},
  errors: [
    "spec.a: Required value: a is needed",
    'spec: Invalid value: "object": rule compile error: ERROR: <input>:1:10: undefined field ' +
      "'x__dash__y'\n | !has(self.x__dash__y)\n | .........^",
  ],
});
check("names with signs are escaped", {
  schema: {
    type: "object",
    properties: { "a-b": { type: "integer" }, namespace: { type: "string" }, "c.d/e__f": { type: "boolean" } },
    "x-kubernetes-validations": [
      { rule: "self.a__dash__b == 1 && self.__namespace__ == 'n' && self.c__dot__d__slash__e__underscores__f" },
    ],
  },
  object: { "a-b": 1, namespace: "n", "c.d/e__f": true },
  errors: [],
});
check("formats give types; ints or strings may be either", {
  schema: {
    type: "object",
    properties: {
      at: { type: "string", format: "date-time" },
      every: { type: "string", format: "duration" },
      raw: { type: "string", format: "byte" },
      port: { "x-kubernetes-int-or-string": true },
    },
    "x-kubernetes-validations": [
      { rule: "self.at < timestamp('2030-01-01T00:00:00Z') && self.every > duration('1m')" },
      { rule: "self.raw == b'hello'" },
      { rule: "type(self.port) == int ? self.port < 10 : self.port.endsWith('%')" },
    ],
  },
  object: { at: "2020-01-01T00:00:00Z", every: "1h", raw: "aGVsbG8=", port: "5%" },
  errors: [],
});
check("sets are equal whatever their order", {
  schema: {
    type: "array",
    "x-kubernetes-list-type": "set",
    items: { type: "string" },
    "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "fixed" }],
  },
  object: ["b", "a"],
  old: ["a", "b"],
  errors: [],
});
check("rules that run too long end all rules", {
  schema: {
    type: "array",
    items: { type: "integer" },
    "x-kubernetes-validations": [{ rule: "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))" }, { rule: "false" }],
  },
  object: Array.from({ length: 200 }, (_, i) => i),
  errors: [
    'spec: Invalid value: "array": call cost exceeds limit for rule: ' +
      "self.all(a, self.all(b, self.all(c, a + b + c >= 0))), " +
      "no further validation rules will be run due to call cost exceeds limit for rule",
  ],
});

function checkDefinition(title: string, schema: JSONSchemaProps, errors: readonly RegExp[]): void {
  test(title, () => {
    const found = definitionErrors({
      metadata: { name: "things.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "things", kind: "Thing" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { spec: schema } } },
          },
        ],
      },
      status: {},
    } as never);
    const texts = found.map(
      ({ field, message }) =>
        `${field.replace("spec.versions[0].schema.openAPIV3Schema.properties[spec]", "spec")}: ${message}`,
    );
    assert.equal(texts.length, errors.length, texts.join("\n"));
    errors.forEach((wanted, index) => assert.match(texts[index]!, wanted));
  });
}

const names: JSONSchemaProps = { type: "array", items: { type: "string" } };
checkDefinition(
  "a definition tells all that is wrong with its rules",
  {
    type: "object",
    properties: { names, n: { type: "integer", default: "x" }, p: { type: "string", pattern: "(" } },
    "x-kubernetes-validations": [
      { rule: "self.unknown == 1" },
      { rule: "self.n" },
      { rule: "self.n == 'a'" },
      { rule: "self.n == 1", messageExpression: "self.n" },
      { rule: "self.n == 1", reason: "Whatever", fieldPath: ".none" },
      { rule: "self.n == 1", optionalOldSelf: true, message: " " },
    ],
  },
  [
    /rule: Invalid value: "self.unknown == 1": compilation failed: ERROR: <input>:1:5: undefined field 'unknown'/,
    /rule: Invalid value: "self.n": cel expression must evaluate to a bool/,
    /found no matching overload for '_==_' applied to '\(int, string\)'/,
    /messageExpression: Invalid value: "self.n": messageExpression must evaluate to a string/,
    /reason: Unsupported value: "Whatever"/,
    /fieldPath must be a valid path/,
    /message must be non-empty if specified/,
    /optionalOldSelf: .*may not be set if oldSelf is not used in rule/,
    /pattern: Invalid value: "\(": must be a valid regular expression/,
    /default: Invalid value: "string": .*must be of type integer/,
  ],
);
checkDefinition(
  "rules without bounds cost too much",
  {
    ...names,
    "x-kubernetes-validations": [{ rule: "self.all(a, self.all(b, a == b))" }],
  },
  [
    /estimated rule cost exceeds budget by factor of more than 100x \(try simplifying the rule, or adding maxItems/,
    /contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema/,
    /estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of/,
  ],
);
checkDefinition(
  "the same with bounds is let through",
  {
    ...names,
    maxItems: 20,
    items: { type: "string", maxLength: 20 },
    "x-kubernetes-validations": [{ rule: "self.all(a, self.all(b, a == b))" }],
  },
  [],
);
checkDefinition(
  "rules of elements count for each element",
  {
    type: "array",
    items: {
      type: "string",
      maxLength: 100,
      "x-kubernetes-validations": [{ rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')" }],
    },
  },
  [
    /estimated rule cost exceeds budget by factor of 34.5x/,
    /contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema/,
    /estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of/,
  ],
);
checkDefinition(
  "oldSelf needs elements that can be told apart",
  {
    type: "array",
    maxItems: 5,
    items: { type: "string", maxLength: 10, "x-kubernetes-validations": [{ rule: "self == oldSelf" }] },
  },
  [/oldSelf cannot be used on the uncorrelatable portion of the schema within/],
);
checkDefinition(
  "defaults obey rules and hold no unknown fields",
  {
    type: "object",
    properties: {
      a: { type: "integer", default: 5, "x-kubernetes-validations": [{ rule: "self < 3", message: "too many" }] },
      b: { type: "object", default: { x: 1 }, properties: { y: { type: "integer" } } },
      c: { type: "string", nullable: true, default: null },
    },
  },
  [/\[a\].default: .*too many/, /\[b\].default: .*must not have unspecified fields/],
);
