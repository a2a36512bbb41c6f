import assert from "node:assert/strict";
import { test } from "node:test";
import { KeptText } from "./kept-text.ts";
import { keptTextsMax } from "./limits.ts";

test("parts of the same text are one, and are read once", () => {
  const first = KeptText.of(`{"a":{"b":1}}`);
  const again = KeptText.of(["{", `"a":{"b":1}}`].join(""));
  assert.equal(again, first);
  assert.deepEqual(JSON.parse(JSON.stringify(first.value)), { a: { b: 1 } });
  assert.equal(again.value, first.value);
  assert.equal(KeptText.behind(first.value), first);
  assert.equal(KeptText.behind({ a: { b: 1 } }), undefined);
});

test("whoever tries to change what all share is told so", () => {
  const value = KeptText.of(`{"a":{"b":1}}`).value as { a: { b: number } };
  assert.throws(() => {
    value.a.b = 2;
  }, TypeError);
});

test("the oldest are forgotten, not those in use", () => {
  const held = KeptText.of(`{"held":0}`);
  for (let i = 0; i <= keptTextsMax; i += 1) KeptText.of(`{"i":${i}}`);
  assert.notEqual(KeptText.of(`{"held":0}`), held);
  assert.equal(held.text, `{"held":0}`);
  assert.deepEqual({ ...(held.value as object) }, { held: 0 });
});
