import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "#base/seeded-random.ts";
import { confidenceInterval, judge, judgeCopies, type Evidence } from "./verdict.ts";

const evidence: Evidence = {
  chosen: { users: 0, inErrors: 0 },
  others: { users: 1000, inErrors: 10 },
  limit: 0.1,
  confidence: 0.95,
  minUsers: 0,
  missing: [],
};

function verdictOf(users: number, inErrors: number, more: Partial<Evidence> = {}): string {
  return judge({ ...evidence, chosen: { users, inErrors }, ...more }).verdict;
}

test("nobody seen says nothing; the interval narrows with every user and holds the seen share", () => {
  assert.deepEqual(confidenceInterval({ users: 0, inErrors: 0 }, 0.05), { low: 0, high: 1 });
  let width = 1;
  for (const users of [10, 100, 1_000, 10_000, 1_000_000]) {
    const { low, high } = confidenceInterval({ users, inErrors: users / 10 }, 0.05);
    assert.ok(low < 0.1 && 0.1 < high && high - low < width, `${users}: ${low} to ${high}`);
    width = high - low;
  }
  assert.ok(width < 0.003);
});

test("the ends are where the density of the posterior is alpha", () => {
  // Beta(1, 1 + n) has the density (n + 1)(1 - p)^n.
  const { low, high } = confidenceInterval({ users: 50, inErrors: 0 }, 0.05);
  assert.equal(low, 0);
  assert.ok(Math.abs(51 * (1 - high) ** 50 - 0.05) < 1e-9);
});

test("three values: one user in errors tells nothing, two of two fail; 69 without any pass", () => {
  assert.equal(verdictOf(2, 2), "Fail");
  assert.equal(verdictOf(1, 1), "NotEnoughData");
  assert.equal(verdictOf(68, 0), "NotEnoughData");
  assert.equal(verdictOf(69, 0), "Pass");
  assert.equal(verdictOf(1000, 100), "NotEnoughData");
});

test("the minimum of users and a missing source keep from passing, never from failing", () => {
  assert.equal(verdictOf(70, 0, { minUsers: 100 }), "NotEnoughData");
  assert.equal(verdictOf(70, 0, { missing: ["n2"] }), "NotEnoughData");
  assert.equal(verdictOf(10, 9, { minUsers: 100, missing: ["n2"] }), "Fail");
});

test("a failure on both sides alike blames nobody; one that is plainly worse on the new side does", () => {
  assert.equal(verdictOf(100, 50, { others: { users: 1000, inErrors: 500 } }), "BothSidesFail");
  assert.equal(verdictOf(100, 90, { others: { users: 1000, inErrors: 200 } }), "Fail");
  assert.equal(verdictOf(100, 50, { others: { users: 0, inErrors: 0 } }), "Fail");
});

test("numbers that cannot be say nothing, and never pass", () => {
  for (const [users, inErrors] of [
    [-5, 0],
    [Number.NaN, 0],
    [10, 20],
    [Number.POSITIVE_INFINITY, 0],
    [100, -1],
  ] as const) {
    assert.deepEqual(confidenceInterval({ users, inErrors }, 0.05), { low: 0, high: 1 });
    assert.notEqual(verdictOf(users, inErrors), "Pass");
    assert.notEqual(verdictOf(users, inErrors), "Fail");
  }
});

/** Users come one by one and each is looked at; ends with the first verdict. */
function release(seed: number, trueShare: number, controlShare: number): string {
  const random = new SeededRandom(String(seed));
  const [chosen, others] = [
    { users: 0, inErrors: 0 },
    { users: 0, inErrors: 0 },
  ];
  for (let user = 0; user < 3_000; user++) {
    chosen.users += 1;
    if (random.float() < trueShare) chosen.inErrors += 1;
    for (let other = 0; other < 3; other++) {
      others.users += 1;
      if (random.float() < controlShare) others.inErrors += 1;
    }
    const { verdict } = judge({ ...evidence, chosen, others });
    if (verdict !== "NotEnoughData") return verdict;
  }
  return "NotEnoughData";
}

function releases(trueShare: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= 1_000; seed++) {
    const verdict = release(seed, trueShare, 0.01);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  }
  return counts;
}

test("of 1,000 releases whose users err at 5 % fewer than 1 % are taken back, looked at after every user", () => {
  const counts = releases(0.05);
  assert.ok((counts["Fail"] ?? 0) < 10, JSON.stringify(counts));
  assert.ok((counts["Pass"] ?? 0) > 900, JSON.stringify(counts));
});

test("of 1,000 releases whose users err at 20 % fewer than 1 % pass", () => {
  const counts = releases(0.2);
  assert.ok((counts["Pass"] ?? 0) < 10, JSON.stringify(counts));
  assert.ok((counts["Fail"] ?? 0) > 900, JSON.stringify(counts));
});

test("at the limit itself the interval loses the truth in fewer runs than alpha, however often it is looked at", () => {
  let lost = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SeededRandom(String(seed));
    let inErrors = 0;
    for (let users = 1; users <= 2_000; users++) {
      if (random.float() < 0.1) inErrors += 1;
      const { low, high } = confidenceInterval({ users, inErrors }, 0.05);
      if (low <= 0.1 && 0.1 <= high) continue;
      lost += 1;
      break;
    }
  }
  assert.ok(lost / 200 < 0.05, `${lost} of 200`);
});

test("copies are judged against the same requests: three values, and a fourth when both sides fail alike", () => {
  const verdictOfCopies = (copies: [number, number], originals: [number, number], more: object = {}): string => {
    const [made, kept] = [copies, originals].map(([requests, inErrors]) => ({ requests, inErrors }));
    const mirrored = { copies: made!, originals: kept!, dropped: 1_000_000 };
    return judgeCopies({ ...evidence, mirrored, minRequests: 50, ...more }).verdict;
  };
  assert.equal(verdictOfCopies([0, 0], [0, 0]), "NotEnoughData", "dropped copies tell nothing");
  assert.equal(verdictOfCopies([200, 0], [200, 0]), "Pass");
  assert.equal(verdictOfCopies([200, 0], [200, 0], { minRequests: 300 }), "NotEnoughData");
  assert.equal(verdictOfCopies([200, 0], [200, 0], { missing: ["n1"] }), "NotEnoughData");
  assert.equal(verdictOfCopies([10, 1], [10, 0]), "NotEnoughData");
  assert.equal(verdictOfCopies([10, 8], [10, 0], { missing: ["n1"] }), "Fail");
  assert.equal(verdictOfCopies([200, 80], [200, 80]), "BothSidesFail");
  assert.equal(verdictOfCopies([200, 180], [200, 30]), "Fail", "plainly worse than the stable one");
  const { message } = judgeCopies({
    ...evidence,
    mirrored: { copies: { requests: 10, inErrors: 8 }, originals: { requests: 10, inErrors: 0 }, dropped: 0 },
    minRequests: 0,
  });
  assert.match(message, /^8 of 10 copied requests end in errors in the new version \(.*limit 10%\)$/);
});
