import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFieldSelector } from "./field-selectors.ts";
import { kinds } from "./kinds.ts";
import { formatSelector, nothing, parseLabelSelector, selectorOfObject } from "./selectors.ts";

const labels = { app: "web", tier: "front", version: "5" };

for (const [text, expected, pairs] of [
  ["", true, []],
  ["app=web", true, [["app", "web"]]],
  [
    "app==web,tier=back",
    false,
    [
      ["app", "web"],
      ["tier", "back"],
    ],
  ],
  ["app!=web", false, []],
  ["missing!=web", true, []],
  ["app in (web, api)", true, []],
  ["app in (web)", true, [["app", "web"]]],
  ["app notin (web,api)", false, []],
  ["missing notin (a)", true, []],
  ["app", true, []],
  ["!app", false, []],
  ["constructor", false, []],
  ["!toString", true, []],
  ["valueOf in (a,b)", false, []],
  ["hasOwnProperty!=a", true, []],
  ["!missing , tier", true, []],
  ["version>4,version<6", true, []],
  ["version>5", false, []],
  ["app=", false, [["app", ""]]],
] as const) {
  test(`labels match "${text}": ${expected}`, () => {
    const parsed = parseLabelSelector(text);
    assert.ok(parsed.ok);
    assert.equal(parsed.selector.matches(labels), expected);
    assert.deepEqual(parsed.selector.pairs, pairs);
  });
}

for (const [text, message] of [
  ["app in web", "unable to parse requirement: found 'web' expected: '('"],
  ["app=web,", "unable to parse requirement: found '', expected: identifier after ','"],
  [",", "unable to parse requirement: found ',', expected: !, identifier, or 'end of string'"],
  ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  [
    "version>x",
    "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
  ],
] as const) {
  test(`"${text}" is no label selector`, () => {
    assert.deepEqual(parseLabelSelector(text), { ok: false, message });
  });
}

test("an absent selector object selects nothing, an empty one everything", () => {
  assert.equal(selectorOfObject(undefined), nothing);
  assert.equal(selectorOfObject({}).everything, true);
  const selector = selectorOfObject({
    matchLabels: { b: "1" },
    matchExpressions: [{ key: "a", operator: "NotIn", values: ["y", "x"] }],
  });
  assert.equal(formatSelector(selector), "a notin (x,y),b in (1)");
  assert.equal(selector.matches({ b: "1" }), true);
});

const kind = kinds.find((candidate) => candidate.storage.resource === "pods");
assert.ok(kind !== undefined);
const pod = {
  metadata: { name: "p", namespace: "n" },
  spec: { nodeName: "n1", hostNetwork: true },
  status: { phase: "Running" },
};

for (const [text, expected] of [
  ["", true],
  ["metadata.name=p,spec.nodeName==n1", true],
  ["status.phase!=Running", false],
  ["spec.hostNetwork=true", true],
  ["status.podIP=", true],
  ["metadata.name=a\\,b", false],
] as const) {
  test(`fields match "${text}": ${expected}`, () => {
    const parsed = parseFieldSelector(text, kind);
    assert.ok(parsed.ok);
    assert.equal(parsed.selector.matches(pod), expected);
  });
}

for (const [text, message] of [
  ["spec.image=x", "field label not supported: spec.image"],
  ["spec.nodeName", "invalid selector: 'spec.nodeName'; can't understand 'spec.nodeName'"],
] as const) {
  test(`"${text}" is no field selector of pods`, () => {
    assert.deepEqual(parseFieldSelector(text, kind), { ok: false, message });
  });
}
