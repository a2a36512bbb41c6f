import assert from "node:assert/strict";
import { test } from "node:test";
import type { Canary, CanaryStatus } from "#api/delivery/canary.ts";
import { isOnTrial, renderCanary } from "./canary.ts";

function canary(status: CanaryStatus): Canary {
  return {
    apiVersion: "delivery.steersman.dev/v1",
    kind: "Canary",
    metadata: { name: "web", namespace: "shop" },
    spec: { deployment: "web", ingress: "web", users: { cookie: "sid" }, steps: [{ share: "2%" }, { share: "100%" }] },
    status,
  };
}

const side = { users: 100, inErrors: 20, low: 0.1, high: 0.35 };

test("a step shows its share, both sides with their intervals and the verdict", () => {
  const text = renderCanary(
    canary({
      phase: "Step",
      step: 0,
      share: "2%",
      stable: "web-a",
      candidate: "web-b",
      users: side,
      control: side,
      verdict: "NotEnoughData",
    }),
  );
  assert.match(text, /^shop\/web  Step  web-b beside web-a\n/);
  assert.match(text, /\[2%\] {2}100% {3}2% of the users get the new version \(step 1\)/);
  assert.match(text, /new +20 of 100 users in errors +10\.0 % to +35\.0 % +\| {4}=+ +\|/);
  assert.match(text, /verdict {2}not enough data yet/);
});

test("a step that mirrors shows copies and the same requests in the stable version, and what was dropped", () => {
  const shown = canary({
    phase: "Step",
    step: 0,
    share: "0%",
    verdict: "NotEnoughData",
    control: side,
    users: { users: 0, inErrors: 0, low: 0, high: 1 },
    mirrored: {
      copies: { requests: 812, inErrors: 3, low: 0.001, high: 0.02 },
      originals: { requests: 812, inErrors: 1, low: 0, high: 0.01 },
      dropped: 7,
    },
  });
  const text = renderCanary({ ...shown, spec: { ...shown.spec, steps: [{ mirror: "10%" }, { share: "2%" }] } });
  assert.match(text, /steps {4}\[mirror 10%\] {2}2% {3}0% of the users get the new version \(step 1\)/);
  assert.match(text, /copies {3}3 of 812 copies in errors +0\.1 % to +2\.0 % {2}\|=/);
  assert.match(text, /stable {3}1 of 812 originals in errors/);
  assert.match(text, /dropped {2}7 copies/);
  assert.match(text, /verdict {2}not enough data yet/);
  assert.doesNotMatch(text, /users in errors/);
});

test("on a terminal no line is longer than its columns, and before anybody has come no bars are shown", () => {
  const message =
    "web-b was taken back: 4 of 5 users of the new version see errors (21.46% to 99.83% of all); limit 10%";
  const shown = canary({
    phase: "RolledBack",
    candidate: "web-b",
    stable: "web-a",
    users: side,
    control: side,
    message,
  });
  for (const columns of [40, 79, 80, 100, 200]) {
    const lines = renderCanary(shown, columns).split("\n");
    for (const line of lines) assert.ok(line.length <= columns, `${line.length} of ${columns}: ${line}`);
    assert.match(lines.join(" ").replaceAll(/ +/g, " "), /4 of 5 users of the new version see errors \(21\.46% to/);
  }
  const nobody = { users: 0, inErrors: 0, low: 0, high: 1 };
  assert.doesNotMatch(renderCanary(canary({ phase: "Starting", users: nobody, control: nobody })), /====/);
});

test("a rollback shows how long it took and what failed, without control characters of users", () => {
  const lastRollback = {
    replicaSet: "web-b",
    reason: "r",
    at: "",
    step: 0,
    users: side,
    control: side,
    fromFirstErrorMs: 1_147,
    samples: ["500 GET /\x1b[2J 1"],
  };
  const text = renderCanary(canary({ phase: "RolledBack", candidate: "web-b", stable: "web-a", lastRollback }));
  assert.match(text, /1\.1 s from the first error until nobody had it/);
  assert.match(text, /error {4}500 GET \/\?\[2J 1/);
});

test("a Canary that cannot act says why; only a release under way is on trial", () => {
  const conditions = [
    { type: "Ready", status: "False", reason: "NoUserKey", message: "say who", lastTransitionTime: "" },
  ] as const;
  assert.match(renderCanary(canary({ conditions })), /not acting[^]*NoUserKey: say who/);
  const phases = ["Stable", "RolledBack", "Starting", "Step", "Paused", "Promoting", "RollingBack"] as const;
  assert.deepEqual(
    phases.map((phase) => isOnTrial(canary({ phase }))),
    [false, false, true, true, true, true, true],
  );
});
