import assert from "node:assert/strict";
import { test } from "node:test";
import { LogFilter, type LogOptions } from "./filter.ts";
import { parseLogLine } from "./line.ts";

const file = [
  "2026-01-01T00:00:01.000000001Z stdout F one",
  "2026-01-01T00:00:02.5Z stderr F two",
  "2026-01-01T00:00:03Z stdout P thr",
  "2026-01-01T00:00:03.1Z stdout F ee",
  "2026-01-01T00:00:04Z stdout F ",
  "cut off",
  "",
].join("\n");

/** What comes out, however the file is cut into pieces. */
function check(options: Partial<LogOptions>, expected: string): void {
  for (const size of [1, 7, 1000]) {
    const filter = new LogFilter({ follow: false, timestamps: false, stream: "All", ...options });
    const bytes = new TextEncoder().encode(file);
    let text = "";
    for (let at = 0; at < bytes.length; at += size) {
      for (const part of filter.push(bytes.slice(at, at + size))) text += new TextDecoder().decode(part);
    }
    assert.equal(text, expected, `in pieces of ${size}`);
  }
}

test("a log file is what its container wrote", () => {
  check({}, "one\ntwo\nthree\n\n");
  check({ stream: "Stderr" }, "two\n");
  check({ stream: "Stdout" }, "one\nthree\n\n");
  check({ sinceMs: Date.parse("2026-01-01T00:00:02.5Z") }, "two\nthree\n\n");
  check({ limitBytes: 6 }, "one\ntw");
  check({ timestamps: true, limitBytes: 36 }, "2026-01-01T00:00:01.000000001Z one\n2");
  assert.deepEqual(parseLogLine("t stderr P:x abc"), { time: "t", stream: "stderr", partial: true, content: "abc" });
});
