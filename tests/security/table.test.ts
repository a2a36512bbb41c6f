/** docs/security.md names a test for each hole: those files exist, and the files of settings are those that the program reads. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configFiles } from "#cluster/access-files.ts";

const root = join(import.meta.dirname, "../..");
const security = readFileSync(join(root, "docs/security.md"), "utf8");
const authentication = readFileSync(join(root, "docs/authentication.md"), "utf8");

test("every test that the table names exists", () => {
  const named = [...security.matchAll(/(?:tests|src)\/[\w./-]+\.test\.ts/g)].map(([path]) => path);
  assert.ok(named.length >= 30);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test("every file of settings is described", () => {
  for (const name of Object.values(configFiles)) {
    if (name === "scheduler.yaml") continue;
    assert.ok(authentication.includes(`\`${name}\``), name);
  }
});
