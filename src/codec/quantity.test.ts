import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addQuantities,
  canonicalizeQuantity,
  compareQuantities,
  formatQuantity,
  quantityOf,
  quantityToInteger,
  quantityToMillis,
  quantityToNumber,
  subtractQuantities,
} from "./quantity.ts";

function check(input: string | number, expected: string): void {
  const result = canonicalizeQuantity(input);
  assert.equal(result.ok ? result.value : result.message, expected, String(input));
}

test("quantities take their canonical form", () => {
  for (const [input, expected] of [
    ["0.5", "500m"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["1000m", "1"],
    ["100000", "100k"],
    ["1500m", "1500m"],
    ["0.1Ki", "102400m"],
    ["1Ki", "1Ki"],
    ["1e3", "1e3"],
    ["1E3", "1e3"],
    ["12e6", "12e6"],
    ["1E", "1E"],
    ["+1", "1"],
    ["-1.5", "-1500m"],
    ["0.0000000001", "1n"],
    [".5", "500m"],
    ["5.", "5"],
    ["0Mi", "0"],
    ["010", "10"],
  ] as const) {
    check(input, expected);
  }
  check(2, "2");
  check(0.25, "250m");
});

test("magnitudes are capped at 2^63-1 and precision at a nano", () => {
  check("9223372036854775808", "9223372036854775807");
  check("100Ei", "9223372036854775807");
  check("-1e999999", "-9223372036854775807");
  check("1e-999999999", "1e-9");
});

test("what is no quantity is refused as Go refuses it", () => {
  check("abc", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  check("", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  check("1mm", "unable to parse quantity's suffix");
});

test("arithmetic is exact", () => {
  const sum = (a: string, b: string) => formatQuantity(addQuantities(quantityOf(a), quantityOf(b)));
  assert.equal(sum("0.1", "0.2"), "300m");
  assert.equal(sum("1Gi", "512Mi"), "1536Mi");
  assert.equal(sum("0", "1Gi"), "1Gi");
  assert.equal(formatQuantity(subtractQuantities(quantityOf("1"), quantityOf("1500m"))), "-500m");
  assert.equal(compareQuantities(quantityOf("1Gi"), quantityOf("1073741824")), 0);
  assert.ok(compareQuantities(quantityOf("999m"), quantityOf("1")) < 0);
  assert.equal(quantityToMillis(quantityOf("0.1001")), 101n);
  assert.equal(quantityToInteger(quantityOf("1500m")), 2n);
  assert.equal(quantityToNumber(quantityOf("250m")), 0.25);
});
