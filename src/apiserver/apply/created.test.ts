/** What a creation owns, written at once, is what comparing with an empty object finds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kinds } from "#api/kinds.ts";
import { apiVersionOf } from "#api/resource.ts";
import { SeededRandom } from "#base/seeded-random.ts";
import { decode } from "#codec/decode.ts";
import type { ScalarType, Schema } from "#codec/schema.ts";
import { Registry } from "../registry.ts";
import { compareObjects } from "./compare.ts";
import { createdFields } from "./created.ts";
import { union, writeFields } from "./field-set.ts";
import { defaultResetFields } from "./ignored.ts";
import { emptyObject } from "./empty-object.ts";

const scalars: Readonly<Record<ScalarType, readonly unknown[]>> = {
  string: ["", "a", "b", 'with "quotes"', "80"],
  bool: [true, false],
  int32: [0, 1, 80],
  int64: [0, 5],
  float64: [0, 1.5],
  bytes: ["", "YQ=="],
  quantity: ["1", "100m"],
  "int-or-string": [80, "http"],
  time: ["2024-01-01T00:00:00Z"],
  "micro-time": ["2024-01-01T00:00:00.000000Z"],
  duration: ["1s"],
};
const depthMax = 9;

/** A value that a client may send for a schema: often left out, sometimes null or empty. */
function valueOf(schema: Schema, random: SeededRandom, depth: number): unknown {
  const oneOf = <T>(values: readonly T[]): T => values[random.below(values.length)]!;
  if (random.below(20) === 0) return null;
  switch (schema.node) {
    case "scalar":
      return oneOf(scalars[schema.type]);
    case "list":
      return Array.from({ length: depth < depthMax ? random.below(4) : 0 }, () =>
        valueOf(schema.element, random, depth + 1),
      );
    case "map":
      return Object.fromEntries(
        ["x", "constructor", "a/b"]
          .slice(random.below(4))
          .map((key) => [key, valueOf(schema.value, random, depth + 1)]),
      );
    case "struct": {
      const object: Record<string, unknown> = {};
      if (depth > depthMax) return object;
      for (const field of schema.fields)
        if (depth < 2 ? random.below(4) > 0 : random.below(3) === 0)
          object[field.name] = valueOf(field.schema, random, depth + 1);
      return object;
    }
    case "any":
      return oneOf<unknown>([{ a: { b: 1 } }, {}, [1], "text"]);
    case "union":
      return true;
  }
}

test("for every kind, whatever is sent", () => {
  const random = new SeededRandom("created fields");
  const registry = new Registry(kinds);
  let compared = 0;
  for (const kind of kinds) {
    for (const version of kind.versions) {
      const { schema } = registry.find(apiVersionOf(version), version.resource)!;
      for (let round = 0; round < 8; round += 1) {
        const sent = valueOf(schema, random, 0);
        if (typeof sent !== "object" || sent === null) continue;
        const { object } = decode(
          schema,
          { ...sent, metadata: { name: "x", labels: { a: "b" } } },
          { defaults: round % 2 === 0 },
        );
        for (const subresource of ["", "status", "scale"]) {
          const reset = defaultResetFields(subresource);
          const empty = emptyObject(schema);
          const { added, modified } = compareObjects(schema, empty, object, reset);
          const byComparing = union(added, modified);
          const byWalking = createdFields(schema, empty, object, reset);
          assert.equal(
            byWalking,
            byComparing.isEmpty ? undefined : JSON.stringify(writeFields(byComparing)),
            `${schema.name}: ${JSON.stringify(object)}`,
          );
          compared += byWalking === undefined ? 0 : 1;
        }
      }
    }
  }
  assert.ok(compared > 1_000, `${compared} creations set something`);
});
