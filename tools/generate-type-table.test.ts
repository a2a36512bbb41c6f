import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { generateTypeTable } from "./generate-type-table.ts";

const facts = join(import.meta.dirname, "../../shared/k8s-1.36/types.json");
const skip = existsSync(facts) ? false : "the published facts are not beside the project";

test("the committed table of types is what the facts give", { skip }, () => {
  const committed = readFileSync(join(import.meta.dirname, "../src/api/generated/type-table.ts"), "utf8");
  const generated = generateTypeTable(
    JSON.parse(readFileSync(facts, "utf8")) as Parameters<typeof generateTypeTable>[0],
  );
  assert.equal(generated, committed);
});
