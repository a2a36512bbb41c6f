import assert from "node:assert/strict";
import { test } from "node:test";
import { createIndexedMap, type Entry } from "./indexed-map.ts";

const words = (text: string): readonly string[] => (text === "" ? [] : text.split(" "));

function entry(key: string, view: string): Entry<string> {
  return { key, namespace: "", name: key, uid: key, revision: 1, deleting: false, view };
}

test("an object is found by what it says now, and as it is now, whatever it said before", () => {
  const map = createIndexedMap({ word: words, length: (text: string) => [String(text.length)] });
  const found = (value: string): string => map.by("word", value).join(", ");
  map.set(entry("b", "red large"));
  map.set(entry("a", "red small"));
  assert.equal(found("red"), "red small, red large");

  map.set(entry("b", "red round"));
  assert.equal(found("red"), "red small, red round", "what stays is found in its new state, in the order of keys");
  assert.equal(found("large"), "");
  assert.equal(found("round"), "red round");
  assert.deepEqual(map.by("length", "9"), ["red small", "red round"]);

  map.set(entry("a", ""));
  map.delete("b");
  assert.deepEqual([found("red"), found("small"), found("round")], ["", "", ""]);
  assert.deepEqual(map.by("length", "0"), [""]);
});
