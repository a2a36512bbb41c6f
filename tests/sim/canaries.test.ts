import assert from "node:assert/strict";
import { test } from "node:test";
import { runCanarySeed } from "#sim/canary-seed.ts";
import { machine } from "./machine.ts";

/** Seeds are begun until the budget has passed. Milliseconds. */
const budgetMs = 25_000;
const seeds = 12;

test("releases of good and bad versions under all faults: no bad one is promoted, each comes to the end it deserves", async (t) => {
  const startedMs = performance.now();
  const outcomes: string[] = [];
  let played = 0;
  for (let seed = 1; seed <= seeds && (played < 2 || performance.now() - startedMs < budgetMs); seed++) {
    const result = await runCanarySeed(String(seed), machine);
    assert.equal(result.violation, undefined, `canary seed ${seed}\n${result.story.join("\n")}`);
    outcomes.push(...result.outcomes);
    played += 1;
  }
  const counts = Map.groupBy(outcomes, (outcome) => outcome);
  t.diagnostic([...counts].map(([outcome, { length }]) => `${length} ${outcome}`).join(", "));
  assert.ok((counts.get("RolledBack")?.length ?? 0) > 0 && (counts.get("Stable")?.length ?? 0) > 0);
});
