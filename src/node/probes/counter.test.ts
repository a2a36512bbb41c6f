import assert from "node:assert/strict";
import { test } from "node:test";
import { countResult, type ProbeCount } from "./counter.ts";

/** Verdicts after each result: `+` passed, `-` failed. */
function check(
  results: string,
  probe: { successThreshold?: number; failureThreshold?: number },
  begin: boolean,
  expected: string,
): void {
  let count: ProbeCount = { passing: begin, run: 0, verdict: begin };
  let verdicts = "";
  for (const result of results) {
    count = countResult(count, result === "+", probe);
    verdicts += count.verdict ? "+" : "-";
  }
  assert.equal(verdicts, expected);
}

test("a verdict turns only at its threshold", () => {
  check("+---+", {}, true, "+++-+");
  check("--+--+---", {}, true, "++++++++-");
  check("++-+++", { successThreshold: 3, failureThreshold: 1 }, false, "-----+");
  check("+-+", { failureThreshold: 1 }, false, "+-+");
});
