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
