import assert from "node:assert/strict";
import { test } from "node:test";
import { runSleepSeed } from "#sim/sleep-seed.ts";
import { machine } from "./machine.ts";

/** Seeds are begun until the budget has passed. Milliseconds. */
const budgetMs = 20_000;
const seeds = 12;

test("a workload that sleeps, under all faults: no wake-up is lost, and nobody's pods are taken away", async (t) => {
  const startedMs = performance.now();
  let [played, sleeps, served] = [0, 0, 0];
  for (let seed = 1; seed <= seeds && (played < 2 || performance.now() - startedMs < budgetMs); seed++) {
    const result = await runSleepSeed(String(seed), machine);
    assert.equal(result.violation, undefined, `sleep seed ${seed}\n${result.story.join("\n")}`);
    played += 1;
    sleeps += result.sleeps;
    served += result.answers.served;
  }
  t.diagnostic(`${played} seeds, ${sleeps} sleeps, ${served} requests served`);
  assert.ok(sleeps >= 3 * played);
});
