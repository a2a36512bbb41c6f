import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, Probe } from "#api/generated/core-v1.ts";
import type { ObservedContainer } from "../pods/observed.ts";
import { Prober } from "./prober.ts";

/** Time that passes only here: tells when each probe came and what was said about it. */
async function probed(options: { readonly probe: Probe; readonly listensAtMs: number; readonly untilMs: number }) {
  let nowMs = 0;
  const timers: { readonly atMs: number; readonly task: () => void }[] = [];
  const asked: number[] = [];
  const told: number[] = [];
  const readyAt: number[] = [];
  const prober = new Prober({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    timers: {
      after: (delayMs, task) => {
        const timer = { atMs: nowMs + delayMs, task };
        timers.push(timer);
        return { cancel: () => timers.splice(timers.indexOf(timer), 1) };
      },
      soon: (task) => task(),
      sleep: () => Promise.resolve(),
      yield: () => Promise.resolve(),
    },
    handlers: {
      probe: () => {
        asked.push(nowMs);
        return Promise.resolve(
          nowMs >= options.listensAtMs ? { passed: true } : { passed: false, failure: "connection refused" },
        );
      },
    },
    turned: () => readyAt.push(nowMs),
    failed: () => told.push(nowMs),
  });
  const pod: Pod = {
    metadata: { name: "web" },
    spec: { containers: [{ name: "main", resources: {}, readinessProbe: options.probe }] },
    status: {},
  };
  const container: ObservedContainer = {
    id: "c1",
    sandboxId: "s1",
    metadata: { name: "main", attempt: 0 },
    state: "Running",
    createdAt: 0,
    startedAt: 0,
    finishedAt: 0,
    exitCode: 0,
    imageRef: "",
    reason: "",
    message: "",
    labels: {},
    annotations: {},
    logPath: "",
  };
  prober.update(pod, { sandboxes: [], containers: [container] }, "10.0.0.1", false);
  for (;;) {
    const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (next === undefined || next.atMs > options.untilMs) break;
    timers.splice(timers.indexOf(next), 1);
    nowMs = next.atMs;
    next.task();
    await new Promise((resolve) => setImmediate(resolve));
  }
  prober.stop();
  return { asked, told, readyAt };
}

test("a new container is asked for readiness at once, then again and again at longer and longer times", async () => {
  const seen = await probed({ probe: { periodSeconds: 1 }, listensAtMs: 300, untilMs: 2_500 });
  assert.deepEqual(seen.asked, [0, 50, 150, 350, 1_350, 2_350]);
  assert.deepEqual(seen.readyAt, [350]);
  assert.deepEqual(seen.told, [0]);
});

test("one that does not get ready is soon asked no more often than its period says, and told of once a period", async () => {
  const seen = await probed({ probe: { periodSeconds: 1 }, listensAtMs: Infinity, untilMs: 4_000 });
  assert.deepEqual(seen.asked, [0, 50, 150, 350, 750, 1_550, 2_550, 3_550]);
  assert.deepEqual(seen.told, [0, 2_550, 3_550]);
  assert.deepEqual(seen.readyAt, []);
});

test("successes in a row are counted a period apart", async () => {
  const seen = await probed({ probe: { periodSeconds: 2, successThreshold: 2 }, listensAtMs: 100, untilMs: 5_000 });
  assert.deepEqual(seen.asked, [0, 50, 150, 2_150, 4_150]);
  assert.deepEqual(seen.readyAt, [2_150]);
});

test("the first waits for the initial delay", async () => {
  const seen = await probed({ probe: { initialDelaySeconds: 3, periodSeconds: 1 }, listensAtMs: 0, untilMs: 4_500 });
  assert.deepEqual(seen.asked, [3_000, 4_000]);
});
