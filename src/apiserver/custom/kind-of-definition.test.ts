import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustomResourceColumnDefinition } from "#api/generated/apiextensions-v1.ts";
import { kindOfDefinition } from "./kind-of-definition.ts";

const now = Date.parse("2026-01-01T00:05:00Z");
const object = {
  metadata: { name: "one", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: {
    hosts: ["a.example", "b.example"],
    size: 3,
    ratio: 1.5,
    isOpen: true,
    since: "yesterday",
    options: { deep: 1 },
  },
};

/** The columns of a definition, and what they show of `object`. */
function shown(columns: readonly Partial<CustomResourceColumnDefinition>[]): [string[], unknown[]] {
  const entry = kindOfDefinition({
    metadata: { name: "sites.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "sites", kind: "Site" },
      versions: [{ name: "v1", served: true, storage: true, additionalPrinterColumns: columns as never }],
    },
  } as never);
  const rules = [...(entry?.kinds?.values() ?? [])][0]?.rules;
  return [rules?.columns?.map(({ name, type }) => `${name} ${type}`) ?? [], rules?.cells?.(object as never, now) ?? []];
}

function check(type: string, jsonPath: string, expected: unknown): void {
  test(`a column of type ${type} shows ${JSON.stringify(expected)} at ${jsonPath}`, () => {
    assert.deepEqual(shown([{ name: "It", type, jsonPath }]), [
      ["Name string", `It ${type}`],
      ["one", expected],
    ]);
  });
}

check("string", ".spec.hosts[*]", "a.example");
check("string", ".spec.hosts[-1:]", "b.example");
check("string", ".spec.hosts", '["a.example","b.example"]');
check("string", ".spec.options", '{"deep":1}');
check("string", ".spec.size", "3");
check("string", ".spec.none", undefined);
check("integer", ".spec.size", 3);
check("integer", ".spec.ratio", 1);
check("integer", ".spec.hosts[0]", undefined);
check("number", ".spec.ratio", 1.5);
check("boolean", ".spec.isOpen", true);
check("boolean", ".spec.size", undefined);
check("date", ".metadata.creationTimestamp", "5m");
check("date", ".spec.since", "<invalid>");
check("date", ".spec.size", undefined);

test("without columns of its own a kind shows name and age", () => {
  assert.deepEqual(shown([]), [
    ["Name string", "Age date"],
    ["one", "5m"],
  ]);
});

test("what follows a column whose path cannot be read is not shown", () => {
  const size = { name: "Size", type: "integer", jsonPath: ".spec.size" };
  const broken = { name: "Broken", type: "string", jsonPath: ".spec[" };
  assert.deepEqual(shown([size, broken, size]), [
    ["Name string", "Size integer"],
    ["one", 3],
  ]);
});
