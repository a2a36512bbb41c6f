import assert from "node:assert/strict";
import { test } from "node:test";
import { ContainerRuntimeError, type ContainerRuntime } from "#world/container-runtime.ts";
import { compareMs, compareRetryMs, comparisonsSilentMax, comparisonsUnansweredMax } from "../limits.ts";
import { RuntimeComparison } from "./comparison.ts";

/** What each comparison finds, in turn; the last one stays. Tells the waits between them and what was done. */
async function story(findings: readonly (readonly string[] | ContainerRuntimeError)[], rounds: number) {
  const waitedMs: number[] = [];
  const problems: string[] = [];
  let round = 0;
  let compared = 0;
  let restarts = 0;
  let next: (() => void) | undefined;
  const found = (): readonly string[] => {
    const finding = findings[Math.min(round, findings.length - 1)] ?? [];
    if (finding instanceof ContainerRuntimeError) throw finding;
    return finding;
  };
  const runtime: Pick<ContainerRuntime, "lostEnds" | "version"> = {
    lostEnds: () => Promise.resolve(found()),
    version: async () => {
      found();
      return { runtimeName: "", runtimeVersion: "" };
    },
  };
  const comparison = new RuntimeComparison({
    runtime: runtime as object as ContainerRuntime,
    observer: { outlines: () => Promise.resolve(found()).then(() => new Map()) },
    timers: {
      after: (delayMs, task) => {
        waitedMs.push(delayMs);
        next = task;
        return { cancel: () => (next = undefined) };
      },
      soon: (task) => task(),
      sleep: () => Promise.resolve(),
      yield: () => Promise.resolve(),
    },
    has: () => (compared += 1),
    restartRuntime: () => {
      restarts += 1;
      return Promise.resolve();
    },
    onProblem: (problem, error) => problems.push(`${problem}: ${String(error)}`),
  });
  comparison.now();
  while (round < rounds) {
    await new Promise((resolve) => setImmediate(resolve));
    // All questions of one comparison meet the same finding.
    round += 1;
    next?.();
  }
  comparison.stop();
  return { waitedMs, problems, compared, restarts };
}

const away = new ContainerRuntimeError("Unavailable", "no such socket");
const starting = new ContainerRuntimeError("Unknown", "server is not initialized yet");

test("as long as the runtime tells the truth it is compared each minute", async () => {
  const told = await story([[]], 3);
  assert.deepEqual(told, { waitedMs: [compareMs, compareMs, compareMs], problems: [], compared: 3, restarts: 0 });
});

test("what ends just now is no lost end: it is asked again, and is not there", async () => {
  const told = await story([["c1"], []], 2);
  assert.deepEqual(told, { waitedMs: [compareRetryMs, compareMs], problems: [], compared: 2, restarts: 0 });
});

test("an end that the runtime has lost is found when it is started again", async () => {
  const told = await story([["c1", "c2"], ["c2"], []], 3);
  assert.equal(told.restarts, 1);
  assert.deepEqual(told.problems, ["the runtime is started again: Error: it lost the end of c2"]);
});

test("a runtime that starts is waited for, one that is away for long is started again, once", async () => {
  assert.equal((await story([starting], 2 * comparisonsUnansweredMax)).restarts, 0);
  const told = await story([away], comparisonsUnansweredMax + 2);
  assert.equal(told.restarts, 1);
  assert.equal(told.compared, 0);
  assert.deepEqual([...new Set(told.waitedMs)], [compareRetryMs]);
});

test("a runtime that takes calls and answers none is started again after a few", async () => {
  const silent = new ContainerRuntimeError("DeadlineExceeded", "Version took longer than 10000 ms");
  assert.equal((await story([silent], comparisonsSilentMax - 1)).restarts, 0);
  assert.equal((await story([silent, silent, [], silent, silent, []], 6)).restarts, 0, "it answers in between");
  const told = await story([silent, silent, silent, []], 5);
  assert.equal(told.restarts, 1);
  assert.match(told.problems[0] ?? "", /it hangs/);
});
