import assert from "node:assert/strict";
import { test } from "node:test";
import { readSides, samplesOf } from "./split-counts.ts";

test("sides are read by their key, whatever the order of the columns", () => {
  const answer = [
    "# table: sides, type: string, size:4096, used:2",
    "0x55d198ae6eb0: key=ab12-3/chosen use=0 exp=86399898 gpc0=13 gpc1=2",
    "0x55d198ae7c10: key=ab12-3/others use=1 exp=86399904 gpc1=1 gpc0=11",
  ].join("\n");
  assert.deepEqual(Object.fromEntries(readSides(answer)), {
    "ab12-3/chosen": { users: 13, inErrors: 2 },
    "ab12-3/others": { users: 11, inErrors: 1 },
  });
  assert.equal(readSides("Unknown table").size, 0);
});

test("samples are the last of their side, and nothing of a user's text survives that is not printable", () => {
  const line = (side: string, path: string): string => `<134> ${side} 500 GET ${path} 1|1 -`;
  const lines = [
    ...Array.from({ length: 8 }, (_, index) => line("r-1/chosen", `/${index}`)),
    line("r-1/others", "/other"),
  ];
  assert.deepEqual(samplesOf(lines.join("\n"), "r-1/chosen").at(0), "500 GET /3 1");
  assert.equal(samplesOf(lines.join("\n"), "r-1/chosen").length, 5);
  assert.equal(samplesOf(line("r-1/chosen", "/\x1b[2J\0"), "r-1/chosen")[0], "500 GET /?[2J? 1");
  assert.ok(samplesOf(line("r-1/chosen", "x".repeat(5_000)), "r-1/chosen")[0]!.length <= 300);
});
