import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { createLane, type Lane } from "./lane.ts";

function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Runs so many tasks of half a millisecond; what was noted, in order, when all have run. */
async function runAll(lane: Lane, how: "add" | "enter", count: number): Promise<readonly (number | string)[]> {
  const noted: (number | string)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.on("message", (text: string) => noted.push(text));
  const done = Promise.withResolvers<void>();
  for (let task = 0; task < count; task += 1) {
    lane[how](() => {
      if (task === 0) port2.postMessage("message");
      noted.push(task);
      work(0.5);
      void Promise.resolve().then(() => noted.push(`after ${task}`));
      if (task === count - 1) setImmediate(done.resolve);
    });
  }
  await done.promise;
  port1.close();
  return noted;
}

const numbers = (noted: readonly (number | string)[]): number[] => noted.filter((each) => typeof each === "number");

for (const how of ["add", "enter"] as const) {
  test(`tasks run in order, however many wait (${how})`, async () => {
    const noted = await runAll(createLane(1), how, 100);
    assert.deepEqual(
      numbers(noted),
      Array.from({ length: 100 }, (_, task) => task),
    );
  });

  test(`what comes from outside is heard between tasks, and not behind all of them (${how})`, async () => {
    const heard = (await runAll(createLane(1), how, 100)).indexOf("message");
    assert.ok(heard > -1 && heard < 40, `heard as number ${heard} of 200`);
  });
}

test("what a task promised is kept before the next task runs", async () => {
  const noted = await runAll(createLane(5), "add", 50);
  for (let task = 0; task < 50; task += 1) assert.equal(noted[noted.indexOf(task) + 1], `after ${task}`);
});

test("tasks that come one by one run at once, for as long as the turn has time", () => {
  const ran: string[] = [];
  const long = createLane(60_000);
  for (const task of ["first", "second", "third"]) long.enter(() => ran.push(task));
  assert.deepEqual(ran, ["first", "second", "third"]);
  const short = createLane(1);
  short.enter(() => work(2));
  short.enter(() => ran.push("fourth"));
  assert.deepEqual(ran, ["first", "second", "third"]);
});
