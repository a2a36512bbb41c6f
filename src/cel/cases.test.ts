// Each line of testdata/*.txt is a story: an expression, where needed the variables that it sees, and what it answers.
//   expression  →  value
//   expression  where {"name": json}  →  value
// `error: …` is told while it runs, `invalid: …` when it is compiled; both show how the message begins or what it contains.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fromJson } from "./json.ts";
import { kubernetesEnvironment } from "./kubernetes.ts";
import { compileExpression } from "./program.ts";
import { formatDouble, formatDuration, formatTimestamp } from "./scalar-text.ts";
import { dyn } from "./types.ts";
import {
  Duration,
  ListValue,
  MapValue,
  Optional,
  Timestamp,
  typeNameOf,
  TypeValue,
  Unsigned,
  type Value,
} from "./value.ts";

const folder = join(import.meta.dirname, "testdata");

for (const file of readdirSync(folder)) {
  const lines = readFileSync(join(folder, file), "utf8").split("\n");
  for (const line of lines.filter((each) => each.trim() !== "" && !each.startsWith("#"))) {
    test(`${file}: ${line}`, () => check(line));
  }
}

function check(line: string): void {
  const arrow = line.lastIndexOf("→");
  assert.notEqual(arrow, -1, "a case has an arrow");
  const [expression = "", given = "{}"] = line.slice(0, arrow).split(" where ");
  const wanted = line.slice(arrow + 1).trim();
  const found = outcome(expression.trim(), JSON.parse(given) as Record<string, unknown>);
  if (/^(error|invalid): /.test(wanted)) {
    const [kind = "", text = ""] = wanted.split(/: (.*)/s);
    assert.ok(found.startsWith(`${kind}: `) && found.includes(text), `wanted ${wanted}, found ${found}`);
  } else assert.equal(found, wanted);
}

function outcome(expression: string, given: Record<string, unknown>): string {
  const names = Object.keys(given);
  const environment = kubernetesEnvironment.with(names.map((name) => ({ name, type: dyn })));
  const compiled = compileExpression(environment, expression);
  if (!compiled.ok) return `invalid: ${compiled.message}`;
  const result = compiled.program.evaluate(names.map((name) => fromJson(given[name], dyn)));
  return result.ok ? show(result.value) : `error: ${result.message}`;
}

function show(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number")
    return /^-?\d+$/.test(formatDouble(value)) ? `${formatDouble(value)}.0` : formatDouble(value);
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof Unsigned) return `${value.value}u`;
  if (value instanceof Uint8Array)
    return `b"${Array.from(value, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`;
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof Optional) return value.value === undefined ? "none" : `optional(${show(value.value)})`;
  if (value instanceof ListValue)
    return `[${Array.from({ length: value.size }, (_, i) => show(value.at(i))).join(", ")}]`;
  if (value instanceof MapValue)
    return `{${[...value.keys()].map((key) => `${show(key)}: ${show(value.get(key) ?? null)}`).join(", ")}}`;
  return typeNameOf(value);
}
