/** What a generator writes from the schemas, and how an answer to it is judged. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Schema } from "#codec/schema.ts";
import { send, type Answer, type TestServer } from "./harness.ts";

export const oddKey = fc.constantFrom(
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "a",
  "a/b",
  "A.b",
  "",
  "\u0000",
  "é",
);
export const oddText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom(
    "x",
    "a-b",
    "1",
    "-1",
    "9223372036854775807",
    "1e400",
    "0.5Gi",
    "2026-01-01T00:00:00Z",
    "\ud800",
    "../x",
  ),
);
const oddNumber = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, -0, 2 ** 31, -(2 ** 31), 2 ** 53, 2 ** 63, 1.5, 1e308, Number.MIN_VALUE),
);
export const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), oddText, oddNumber, fc.dictionary(oddKey, oddText));

/** Values that mostly have the schema's form. */
export function valueOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (depth === 0) return anything;
  const fitting = fittingValue(schema, depth);
  return fc.oneof({ weight: 30, arbitrary: fitting }, { weight: 1, arbitrary: anything });
}

function fittingValue(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.node) {
    case "list":
      return fc.array(valueOf(schema.element, depth - 1), { maxLength: 2 });
    case "map":
      return fc.dictionary(oddKey, valueOf(schema.value, depth - 1), { maxKeys: 2 });
    case "struct": {
      const fields = schema.fields.map(({ name, schema: field }) => [name, fc.constant(field)] as const);
      if (fields.length === 0) return fc.constant({});
      return fc
        .subarray(fields as unknown[] as [string, fc.Arbitrary<Schema>][], { maxLength: Math.min(4, fields.length) })
        .chain((chosen) =>
          fc.record(
            Object.fromEntries(chosen.map(([name, field]) => [name, field.chain((each) => valueOf(each, depth - 1))])),
          ),
        );
    }
    case "scalar":
      return schema.type === "bool"
        ? fc.boolean()
        : schema.type.startsWith("int") || schema.type === "float64"
          ? fc.oneof(oddNumber, oddText)
          : oddText;
    default:
      return anything;
  }
}

/** Milliseconds of the processor that any one request may take. */
const cpuMsMax = 100;
/** How often a request that took longer is sent again: garbage of others is collected at its cost now and then. */
const triesMax = 4;

/** What the server cannot answer is its own failure; what it is too early for (504) is not. Nothing may take long. */
export async function answered(
  server: TestServer,
  method: string,
  target: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<Answer> {
  let first: Answer | undefined;
  let leastMs = Infinity;
  for (let tries = 0; tries < triesMax && leastMs > cpuMsMax; tries += 1) {
    const start = process.threadCpuUsage();
    const answer = await send(server, method, target, body, headers);
    leastMs = Math.min(leastMs, process.threadCpuUsage(start).user / 1_000);
    first ??= answer;
    const shown = `${method} ${target} ${JSON.stringify(body)}: ${answer.status} ${answer.text.slice(0, 300)}`;
    assert.ok(answer.status !== 500 && answer.status !== 502, shown);
  }
  assert.ok(leastMs <= cpuMsMax, `${method} ${target} ${JSON.stringify(body)} took ${leastMs} ms`);
  for (const prototype of [Object.prototype, Array.prototype, Map.prototype, Function.prototype])
    assert.deepEqual(Object.keys(prototype), []);
  assert.ok(first);
  return first;
}
