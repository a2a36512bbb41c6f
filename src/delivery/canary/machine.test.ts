import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { CanaryPhase, CanaryStatus } from "#api/delivery/canary.ts";
import type { ChecksJudgement } from "./checks.ts";
import { advance, approvalOf, timeOf, type Facts } from "./machine.ts";
import type { Settings, Step } from "./settings.ts";
import type { Judgement, Verdict } from "./verdict.ts";

const now = 1_800_000_000_000;

function step(threshold: number, more: Partial<Step> = {}): Step {
  return {
    threshold,
    shareText: `${threshold / 100}%`,
    forMs: 10_000,
    minUsers: 0,
    minRequests: 0,
    approval: false,
    replicas: undefined,
    ...more,
  };
}

/** The first step is one for testers, or one that mirrors. */
function settings(then: Settings["then"] = "wait", isMirrored = false): Settings {
  const first = isMirrored ? step(0, { mirror: { threshold: 1_000, text: "10%" } }) : step(0);
  const steps = [first, step(200), step(2500, { approval: true }), step(10_000, { forMs: 0 })];
  return { steps, limit: 0.1, requestsLimit: 0.1, confidence: 0.95, checks: [], then, afterMs: 60_000 };
}

function judgement(verdict: Verdict): Judgement {
  const side = { users: 100, inErrors: 1, low: 0, high: 0.05 };
  return { verdict, message: `they say ${verdict}`, users: side, control: side };
}

function checked(verdict: ChecksJudgement["verdict"]): ChecksJudgement {
  return { verdict, message: `check gate: says ${verdict}`, results: [] };
}

function facts(more: Partial<Facts> = {}): Facts {
  return {
    now,
    settings: settings(),
    current: "web-b",
    rolledOut: false,
    stableExists: true,
    ready: 1,
    wanted: 1,
    candidateAlone: false,
    judgement: judgement("NotEnoughData"),
    checks: checked("Pass"),
    acknowledged: false,
    approved: undefined,
    paused: false,
    startDeadlineMs: 600_000,
    firstErrorMs: undefined,
    samples: [],
    ...more,
  };
}

function status(phase: CanaryPhase, more: Partial<CanaryStatus> = {}): CanaryStatus {
  return { phase, stable: "web-a", candidate: "web-b", step: 1, run: 3, phaseSince: timeOf(now - 5_000), ...more };
}

/** Every combination of what is decisive. */
function* combinations(): Generator<{ before: CanaryStatus; given: Facts }> {
  const phases: readonly (CanaryPhase | undefined)[] = [
    undefined,
    "Stable",
    "Starting",
    "Step",
    "Paused",
    "Promoting",
    "RollingBack",
    "RolledBack",
  ];
  for (const phase of phases)
    for (const [stepIndex, isMirrored] of stepsAndMirrors)
      for (const current of [undefined, "web-a", "web-b", "web-c"])
        for (const verdict of ["Pass", "Fail", "NotEnoughData", "BothSidesFail"] as const)
          for (const ageMs of [1_000, 3_600_000])
            for (const flags of bits(6)) {
              const [ready, alone, acknowledged, stableExists, approved, paused] = flags;
              for (const [then, checks] of thenAndChecks) {
                const since = timeOf(now - ageMs);
                const lastRollback = {
                  replicaSet: "web-b",
                  reason: "r",
                  at: since,
                  step: 1,
                  users: judgement(verdict).users,
                  control: judgement(verdict).control,
                };
                const before: CanaryStatus =
                  phase === undefined
                    ? {}
                    : status(phase, {
                        step: stepIndex,
                        phaseSince: since,
                        ...(verdict === "Fail" ? { lastRollback } : {}),
                        ...(ready || ageMs < 5_000 ? {} : { unreadySince: since }),
                        ...(acknowledged ? { aloneSince: since } : {}),
                      });
                const given = facts({
                  current: current as string | undefined as never,
                  settings: settings(then, isMirrored),
                  judgement: judgement(verdict),
                  checks: checked(checks),
                  ready: ready ? 1 : 0,
                  rolledOut: alone === true,
                  candidateAlone: alone === true,
                  acknowledged: acknowledged === true,
                  stableExists: stableExists === true,
                  approved: approved ? approvalOf(before) : "web-old.1",
                  paused: paused === true,
                });
                yield { before, given };
              }
            }
}

const stepsAndMirrors = [
  [0, false],
  [0, true],
  [1, false],
  [2, false],
  [3, false],
] as const;

const thenAndChecks = [
  ["wait", "Pass"],
  ["extend", "Pass"],
  ["fail", "Pass"],
  ["wait", "NotEnoughData"],
  ["fail", "NotEnoughData"],
  ["wait", "Fail"],
] as const;

function* bits(count: number): Generator<boolean[]> {
  for (let value = 0; value < 2 ** count; value++)
    yield Array.from({ length: count }, (_, bit) => (value & (1 << bit)) !== 0);
}

/** Buckets that get the candidate, as effects.ts says. */
function isServing({ phase, step: at = 0 }: CanaryStatus): boolean {
  return phase === "Promoting" || phase === "Step" || phase === "Paused" || (phase === "Starting" && at > 0);
}

test("the transitions are those drawn in docs/canary.md, all of them and no other", () => {
  const seen = new Set<string>();
  for (const { before, given } of combinations()) {
    const { status: after } = advance(before, given);
    if (before.phase !== after.phase) seen.add(`${before.phase ?? "New"} --> ${after.phase ?? "New"}`);
  }
  const text = readFileSync(`${import.meta.dirname}/../../../docs/canary.md`, "utf8");
  const drawn = [...text.matchAll(/^ {4}(\w+|\[\*\]) --> (\w+|\[\*\])/gm)].map(([, from, to]) =>
    `${from} --> ${to}`.replaceAll("[*]", "New"),
  );
  assert.deepEqual([...seen].sort(), [...new Set(drawn)].sort());
});

test("nothing is promoted without a passed verdict of its step, or where none is asked for", () => {
  for (const { before, given } of combinations()) {
    const { status: after } = advance(before, given);
    if (after.phase !== "Promoting" || before.phase === "Promoting") continue;
    assert.equal(given.current, "web-b");
    assert.ok(given.stableExists);
    // The last step of these settings asks for nothing; each before it is left only by passing.
    assert.equal(before.step, 3, JSON.stringify({ before, given }));
    assert.notEqual(given.judgement.verdict, "Fail");
  }
});

test("a step with users or copies is left forwards only by a pass, and no verdict but a pass brings more users", () => {
  for (const { before, given } of combinations()) {
    const { status: after } = advance(before, given);
    const isForward = after.phase === "Starting" && after.step === (before.step ?? 0) + 1 && before.phase === "Step";
    const isJudged = (before.step ?? 0) > 0 || given.settings.steps[0]?.mirror !== undefined;
    if (isForward && isJudged) assert.equal(given.judgement.verdict, "Pass");
    // Also where nobody but testers has the new version yet.
    if (isForward) assert.equal(given.checks.verdict, "Pass");
    if (before.phase === "Paused" && after.phase === "Starting") {
      assert.equal(given.approved, approvalOf(before));
      assert.equal(given.paused, false);
    }
  }
});

test("a failed verdict takes every user back at once, whatever else is the case", () => {
  for (const { before, given } of combinations()) {
    if (!isServing(before) || before.phase === "Promoting" || given.judgement.verdict !== "Fail" || !given.stableExists)
      continue;
    const { status: after } = advance(before, given);
    assert.equal(after.phase, "RollingBack");
    assert.equal(isServing(after), false);
  }
});

test("a check that fails takes every user back too", () => {
  for (const { before, given } of combinations()) {
    const isJudged = before.phase === "Step" || before.phase === "Paused";
    if (!isJudged || given.checks.verdict !== "Fail" || !given.stableExists) continue;
    assert.equal(advance(before, given).status.phase, "RollingBack");
  }
});

test("what was rejected stays rejected until the template changes", () => {
  for (const { before, given } of combinations()) {
    if (before.phase !== "RolledBack" || given.current !== "web-b" || !given.stableExists) continue;
    assert.equal(advance(before, given).status, before);
  }
});

test("while the Deployment is paused nothing goes forward, but going back does", () => {
  for (const { before, given } of combinations()) {
    if (!given.paused || before.phase === undefined) continue;
    const { status: after } = advance(before, given);
    const order = ["Starting", "Step", "Paused", "Promoting"];
    if (before.phase === "Starting" || before.phase === "Paused")
      assert.ok(order.indexOf(after.phase ?? "") <= order.indexOf(before.phase), `${before.phase} to ${after.phase}`);
  }
});

test("an approval of another release or step does nothing", () => {
  const paused = status("Paused", { step: 2, verdict: "Pass" });
  for (const approved of [undefined, "", "web-old.3", "web-b.2", "web-b.30"])
    assert.equal(
      advance(paused, facts({ approved, judgement: judgement("Pass") })).status.phase,
      "Paused",
      String(approved),
    );
  assert.equal(advance(paused, facts({ approved: "web-b.3", judgement: judgement("Pass") })).status.step, 3);
});

test("once promoting, a version is never taken back half", () => {
  for (const { before, given } of combinations()) {
    if (before.phase !== "Promoting") continue;
    const { status: after } = advance(before, given);
    // Only when nodes have had the time to hear that the old pods are gone.
    const isSettled = before.aloneSince !== undefined && given.now - Date.parse(before.aloneSince) >= 3_000;
    assert.equal(after.phase, given.candidateAlone && isSettled ? "Stable" : "Promoting");
    assert.equal(after.phase === "Promoting" && after.aloneSince !== undefined, given.candidateAlone && !isSettled);
    if (after.phase === "Stable") assert.equal(after.stable, "web-b");
  }
});
