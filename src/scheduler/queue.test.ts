import assert from "node:assert/strict";
import { test } from "node:test";
import { hints, SchedulingQueue } from "./queue.ts";
import { verdict } from "./verdict.ts";

const noRoom = 1 << verdict.resources;
const noVolume = 1 << verdict.volumeBinding;

function takeAll(queue: SchedulingQueue, nowMs: number): string[] {
  const taken: string[] = [];
  for (let key = queue.take(nowMs); key !== undefined; key = queue.take(nowMs)) taken.push(key);
  return taken;
}

test("priority first, then arrival", () => {
  const queue = new SchedulingQueue();
  for (const [key, priority] of [
    ["a", 0],
    ["b", 5],
    ["c", 0],
    ["d", 5],
  ] as const)
    queue.add(key, priority);
  queue.add("a", 0);
  queue.remove("d");
  assert.equal(queue.activeLength, 3);
  assert.deepEqual(takeAll(queue, 0), ["b", "a", "c"]);
});

test("a pod that fits nowhere comes back when something happens that may help it, not before its back-off is over", () => {
  const queue = new SchedulingQueue();
  queue.add("big", 0);
  queue.add("homeless", 0);
  takeAll(queue, 0);
  queue.unschedulable("big", noRoom, 0);
  queue.unschedulable("homeless", noVolume, 0);
  queue.happened(hints.podGone, 500);
  assert.deepEqual(takeAll(queue, 999), []);
  assert.equal(queue.nextDueMs, 1_000);
  assert.deepEqual(takeAll(queue, 1_000), ["big"]);
  queue.unschedulable("big", noRoom, 1_000);
  queue.happened(hints.volumes, 5_000);
  assert.deepEqual(takeAll(queue, 5_000), ["homeless"]);
  queue.happened(hints.podGone, 5_000);
  assert.deepEqual(takeAll(queue, 5_000), ["big"]);
});

test("what happens during an attempt is not lost", () => {
  const queue = new SchedulingQueue();
  queue.add("big", 0);
  takeAll(queue, 0);
  queue.happened(hints.podGone, 1);
  queue.unschedulable("big", noRoom, 2);
  assert.deepEqual(takeAll(queue, 1_000), ["big"]);
});

test("the back-off doubles up to its bound, and an unschedulable pod is looked at again after five minutes", () => {
  const queue = new SchedulingQueue();
  queue.add("a", 0);
  let nowMs = 0;
  const delays: number[] = [];
  for (let i = 0; i < 6; i += 1) {
    assert.deepEqual(takeAll(queue, nowMs), ["a"]);
    queue.retry("a");
    delays.push(queue.nextDueMs! - nowMs);
    nowMs = queue.nextDueMs!;
  }
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  takeAll(queue, nowMs);
  queue.unschedulable("a", noRoom, nowMs);
  assert.equal(queue.nextDueMs, nowMs + 300_000);
  queue.remove("a");
  assert.equal(queue.nextDueMs, undefined);
  assert.equal(queue.length, 0);
});
