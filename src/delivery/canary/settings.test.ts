import assert from "node:assert/strict";
import { test } from "node:test";
import type { CanarySpec } from "#api/delivery/canary.ts";
import { millisecondsOf, partOf, podsAt, settingsOf, type Step } from "./settings.ts";

const spec: CanarySpec = { deployment: "web", ingress: "web", users: { cookie: "sid" }, steps: [{ share: "2%" }] };

function thresholds(...shares: string[]): readonly number[] | string {
  const settings = settingsOf({ ...spec, steps: shares.map((share) => ({ share })) });
  return typeof settings === "string" ? settings : settings.steps.map(({ threshold }) => threshold);
}

test("shares are buckets of 10,000, and the last step has everybody", () => {
  assert.deepEqual(thresholds("0%", "0.01%", "2%", "2.5%", "100%"), [0, 1, 200, 250, 10_000]);
  assert.deepEqual(thresholds("2%"), [200, 10_000]);
});

test("what cannot be followed is told", () => {
  const wrong: [Partial<CanarySpec>, RegExp][] = [
    [{ steps: [{ share: "50%" }, { share: "10%" }] }, /steps\[1\].share is below the one before/],
    [{ steps: [{ share: "101%" }] }, /steps\[0\].share/],
    [{ steps: [{ share: "half" }] }, /steps\[0\].share/],
    [{ steps: [{ share: "1%", for: "soon" }] }, /steps\[0\].for/],
    [{ rollback: { usersInErrors: "100%" } }, /usersInErrors/],
    [{ rollback: { confidence: "100%" } }, /confidence/],
  ];
  for (const [change, message] of wrong) assert.match(String(settingsOf({ ...spec, ...change })), message);
});

test("durations and shares are read whole or not at all", () => {
  assert.deepEqual(["500ms", "5m", "1h30m", "1.5s"].map(millisecondsOf), [500, 300_000, 5_400_000, 1_500]);
  assert.deepEqual(
    ["", "5", "m", "5 m", "-5m", "5d"].map(millisecondsOf),
    Array.from({ length: 6 }, () => undefined),
  );
  assert.deepEqual(
    ["-1%", "1", "1.234%", "%", "100.01%"].map(partOf),
    Array.from({ length: 5 }, () => undefined),
  );
});

test("the new version has its share of the pods, at least one, and all of them at the end", () => {
  const step = (threshold: number, replicas?: number): Step => ({
    threshold,
    shareText: "",
    forMs: 0,
    minUsers: 0,
    minRequests: 0,
    approval: false,
    replicas,
  });
  assert.equal(podsAt(step(0), 10), 1);
  assert.equal(podsAt(step(2_500), 10), 3);
  assert.equal(podsAt(step(200, 5), 10), 5);
  assert.equal(podsAt(step(10_000, 2), 10), 10);
});

test("a step mirrors requests or has users, and nothing mirrors once users have the new version", () => {
  const steps = (...wanted: CanarySpec["steps"]) => settingsOf({ deployment: "w", users: {}, steps: wanted });
  const good = steps(
    { mirror: "10%", for: "5m", minRequests: 100, methods: ["GET", "POST"] },
    { share: "0%" },
    { mirror: "100%" },
  );
  assert.ok(typeof good !== "string", String(good));
  assert.deepEqual(
    good.steps.map(({ threshold, mirror }) => [threshold, mirror?.threshold, mirror?.methods]),
    [
      [0, 1_000, ["GET", "POST"]],
      [0, undefined, undefined],
      [0, 10_000, undefined],
      [10_000, undefined, undefined],
    ],
  );
  const refused: readonly CanarySpec["steps"][] = [
    [{}],
    [{ share: "2%", mirror: "2%" }],
    [{ mirror: "0%" }],
    [{ mirror: "101%" }],
    [{ mirror: "some" }],
    [{ share: "2%" }, { mirror: "10%" }],
    [{ mirror: "10%", minUsers: 5 }],
    [{ share: "2%", minRequests: 5 }],
    [{ share: "2%", methods: ["GET"] }],
  ];
  for (const wanted of refused) assert.equal(typeof steps(...wanted), "string", JSON.stringify(wanted));
});
