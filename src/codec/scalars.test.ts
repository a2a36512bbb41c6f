import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalizeBase64 } from "./base64.ts";
import { canonicalizeDuration } from "./duration.ts";
import {
  canonicalizeMicroTime,
  canonicalizeTime,
  formatMicroTime,
  formatMilliTime,
  formatTime,
  timeToMs,
} from "./time.ts";

type Outcome = { ok: true; value: string | null } | { ok: false; message: string };
const shown = (result: Outcome) => (result.ok ? result.value : result.message);

test("times are whole seconds in UTC", () => {
  const check = (input: string, expected: string | null) => assert.equal(shown(canonicalizeTime(input)), expected);
  check("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z");
  check("2024-01-01T00:30:00.999+01:00", "2023-12-31T23:30:00Z");
  check("0001-01-01T00:00:00Z", null);
  check("2023-02-29T12:00:00Z", 'parsing time "2023-02-29T12:00:00Z": day out of range');
  check("soon", 'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"');
  check("2024-01-01", 'parsing time "2024-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"');
  assert.equal(formatTime(1_700_000_000_999), "2023-11-14T22:13:20Z");
  assert.equal(timeToMs("2023-11-14T22:13:20Z"), 1_700_000_000_000);
});

test("micro times have six decimals", () => {
  assert.equal(shown(canonicalizeMicroTime("2024-01-01T00:00:00.1234567Z")), "2024-01-01T00:00:00.123456Z");
  assert.equal(shown(canonicalizeMicroTime("2024-01-01T00:00:00Z")), "2024-01-01T00:00:00.000000Z");
  assert.equal(formatMicroTime(1_700_000_000_123), "2023-11-14T22:13:20.123000Z");
  for (const ms of [0, 999, 1_000, 1_700_000_000_007, 1_700_000_000_999, 1_700_000_001_000, -1, -62_135_596_800_000]) {
    assert.equal(formatMilliTime(ms), new Date(ms).toISOString(), "whatever second was said before");
  }
});

test("durations take Go's form", () => {
  const check = (input: string, expected: string) => assert.equal(shown(canonicalizeDuration(input)), expected);
  check("90m", "1h30m0s");
  check("1.5s", "1.5s");
  check("1500us", "1.5ms");
  check("0", "0s");
  check("-2h", "-2h0m0s");
  check("5", 'time: missing unit in duration "5"');
  check("1x", 'time: unknown unit "x" in duration "1x"');
});

test("base64 is standard, padded and without line breaks", () => {
  const check = (input: string, expected: string) => assert.equal(shown(canonicalizeBase64(input)), expected);
  check("aGVsbG8=", "aGVsbG8=");
  check("aGVs\nbG8=", "aGVsbG8=");
  check("aGVsbG9=", "aGVsbG8=");
  check("a*b=", "illegal base64 data at input byte 1");
});
