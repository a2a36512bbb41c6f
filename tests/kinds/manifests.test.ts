// Manifests as people write them are valid, and their defaults settle after one round.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringifyJson } from "#codec/json.ts";
import { created, errorsOf, kindOf, now } from "./created.ts";

const folder = join(import.meta.dirname, "manifests");
const tried = new Set<string>();

for (const file of readdirSync(folder)) {
  for (const manifest of readFileSync(join(folder, file), "utf8").split(/^---$/m)) {
    const [, what = ""] = /^kind: (.*)$/m.exec(manifest) ?? [];
    const [, name = ""] = /name: ([^\s,}]+)/.exec(manifest) ?? [];
    test(`${file}: ${what} ${name}`, () => {
      const object = created(manifest);
      tried.add(what);
      assert.deepEqual(errorsOf(object), []);
      const once = stringifyJson(object);
      const { rules } = kindOf(object);
      rules.defaults?.(object);
      assert.equal(stringifyJson(object), once);
      if (rules.cells !== undefined) assert.equal(rules.cells(object, now).length, rules.columns?.length);
    });
  }
}
