import assert from "node:assert/strict";
import { test } from "node:test";
import { ageOf, humanDuration } from "./human-duration.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

for (const [durationMs, expected] of [
  [-2 * second, "<invalid>"],
  [-500, "0s"],
  [5 * second, "5s"],
  [119 * second, "119s"],
  [2 * minute, "2m"],
  [2 * minute + 10 * second, "2m10s"],
  [10 * minute + 10 * second, "10m"],
  [179 * minute, "179m"],
  [3 * hour + 5 * minute, "3h5m"],
  [8 * hour + 5 * minute, "8h"],
  [47 * hour, "47h"],
  [2 * day, "2d"],
  [4 * day + 2 * hour, "4d2h"],
  [8 * day + 2 * hour, "8d"],
  [729 * day, "729d"],
  [2 * 365 * day + 30 * day, "2y30d"],
  [9 * 365 * day, "9y"],
] as const) {
  test(`${durationMs} ms are ${expected}`, () => assert.equal(humanDuration(durationMs), expected));
}

test("an age without a time is unknown", () => assert.equal(ageOf(undefined, 0), "<unknown>"));
