import assert from "node:assert/strict";
import { test } from "node:test";
import { crashesOf, firstDifference, playNamed, runWithCrash } from "#sim/crash-sweep.ts";
import { machine } from "./machine.ts";

/** Runs of this test; `./steer sim --crash-each-write` plays all. Runs are begun until the budget has passed. Milliseconds. */
const runs = 8;
const budgetMs = 12_000;

/** Runs that once ended otherwise than without their crash, by what they showed. */
const remembered = [
  { run: "80370@7339", showed: "a Job that found its dependencies there when it came did not say so" },
  { run: "80460@4383", showed: "a simulated program that can only fail had succeeded when it was stopped" },
];

for (const { run, showed } of remembered) {
  test(`${run} ends as without the crash (${showed})`, async () => {
    const { violation, story } = await playNamed(run, { machine });
    assert.equal(violation, undefined, `${violation?.what}\n${story.join("\n")}`);
  });
}

test("wherever the server crashes between two writes, the same stands in the end", async (t) => {
  const startedMs = performance.now();
  const writes = await crashesOf("1", machine);
  assert.ok(writes > 50, `the scenario hardly did anything: ${writes} writes`);
  let played = 0;
  for (let run = 0; run < runs && (run < 2 || performance.now() - startedMs < budgetMs); run += 1) {
    const write = 1 + Math.floor((run * writes) / runs);
    const { violation, story } = await runWithCrash("1", write, { machine });
    assert.equal(violation, undefined, `./steer sim --seed 1@${write} -v\n${story.join("\n")}`);
    assert.ok(
      story.some((line) => line.includes("crashes after write")),
      `no crash after write ${write}`,
    );
    played += 1;
  }
  t.diagnostic(`${played} of ${writes} crashes in ${Math.round((performance.now() - startedMs) / 1000)} s`);
});

test("what a crash lost, and what it left behind, is noticed", () => {
  const calm = ["pods default/of ReplicaSet web phase=Running", "services default/web"];
  assert.equal(firstDifference(calm, calm), undefined);
  assert.match(firstDifference(calm, calm.slice(1)) ?? "", /^without the crash there is: pods .*; with it: nothing/);
  assert.match(
    firstDifference(calm, [...calm, "pods default/other"]) ?? "",
    /^only with the crash there is: pods default\/other/,
  );
  assert.match(firstDifference(calm, [...calm, calm[0]!]) ?? "", /^2 objects without, 3 with/);
});
