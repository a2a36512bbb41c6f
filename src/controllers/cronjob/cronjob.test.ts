import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCron } from "#api/cron-schedule.ts";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";
import { lastTime, nextTime, zoneClock } from "./schedule.ts";

/** The next `count` times after `from`, as UTC. */
function times(schedule: string, zone: string, from: string, count: number): string[] {
  const parsed = parseCron(schedule);
  assert.ok(parsed.ok);
  const clock = zoneClock(zone)!;
  const found: string[] = [];
  let atMs = Date.parse(from);
  while (found.length < count) {
    const next = nextTime(parsed.schedule, clock, atMs);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    atMs = next;
  }
  return found;
}

test("schedules in time zones, over changes of the clock", () => {
  const check = (schedule: string, zone: string, from: string, expected: string[]): void =>
    assert.deepEqual(times(schedule, zone, from, expected.length), expected, `${schedule} ${zone}`);
  check("*/20 * * * *", "UTC", "2026-01-01T00:05:00Z", ["2026-01-01T00:20", "2026-01-01T00:40", "2026-01-01T01:00"]);
  check("0 9 * * 1", "UTC", "2026-01-01T00:00:00Z", ["2026-01-05T09:00", "2026-01-12T09:00"]);
  check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00", "2032-02-29T00:00"]);
  check("30 8 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", ["2026-01-01T03:00", "2026-01-02T03:00"]);
  // Berlin: 2:30 does not exist on 29 March 2026 and exists twice on 25 October.
  check("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", ["2026-03-28T01:30", "2026-03-30T00:30"]);
  check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30", "2026-10-26T01:30"]);
  check("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", [
    "2026-10-25T00:00",
    "2026-10-25T01:00",
    "2026-10-25T02:00",
  ]);
  check("0 0 1,15 * 3", "UTC", "2026-01-01T00:00:00Z", ["2026-01-07T00:00", "2026-01-14T00:00", "2026-01-15T00:00"]);
  assert.equal(zoneClock("Mars/Olympus"), undefined);
});

test("the newest of many instants is found as walking through them all would", () => {
  const nowMs = Date.parse("2026-11-23T03:30:30Z");
  const check = (schedule: string, zone: string, first: string, expected: string): void => {
    const parsed = parseCron(schedule);
    assert.ok(parsed.ok);
    const last = lastTime(parsed.schedule, zoneClock(zone)!, Date.parse(first), nowMs);
    assert.equal(new Date(last).toISOString().slice(0, 19), expected, schedule);
  };
  check("* * * * *", "UTC", "2020-01-01T00:00:00Z", "2026-11-23T03:30:00");
  check("30 3 * * *", "UTC", "2026-01-01T03:30:00Z", "2026-11-23T03:30:00");
  check("31 3 * * *", "UTC", "2026-01-01T03:31:00Z", "2026-11-22T03:31:00");
  check("*/7 9-11 * * 1-5", "Asia/Kolkata", "2020-01-01T04:00:00Z", "2026-11-23T03:30:00");
  check("0 0 29 2 *", "UTC", "2016-02-29T00:00:00Z", "2024-02-29T00:00:00");
  check("0 12 * * *", "UTC", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00");
  check("@every 7m", "UTC", "2026-11-23T00:00:10Z", "2026-11-23T03:30:10");
});

function cronJob(spec: Record<string, unknown> = {}): Record<string, unknown> {
  const template = { metadata: { labels: { app: "tick" } }, spec: { containers: [{ name: "main", image: "tick" }] } };
  return {
    metadata: { name: "tick", namespace: "default" },
    spec: {
      schedule: "*/5 * * * *",
      concurrencyPolicy: "Allow",
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: { spec: { template } },
      ...spec,
    },
  };
}

async function start(spec: Record<string, unknown>): Promise<ModelCluster> {
  const cluster = await createModelCluster({ only: ["cronjob"] });
  cluster.api.put("cronjobs", cronJob(spec));
  await cluster.time.settle();
  return cluster;
}

const fiveMinutes = 5 * 60_000;

function finish(cluster: ModelCluster, type: "Complete" | "Failed"): void {
  const stamp = new Date(cluster.time.clock.now()).toISOString();
  for (const job of cluster.api.list("jobs")) {
    if (job.status !== undefined) continue;
    const status = { conditions: [{ type, status: "True", lastTransitionTime: stamp }], completionTime: stamp };
    cluster.api.put("jobs", { metadata: job.metadata, status });
  }
}

test("each instant has one Job, also through a restart, and the history is kept short", async () => {
  const cluster = await start({});
  for (let times = 1; times <= 6; times++) {
    await cluster.time.advance(fiveMinutes);
    await cluster.restart();
    finish(cluster, "Complete");
  }
  await cluster.quiesce();
  assert.equal(cluster.api.list("jobs").length, 3);
  const created = cluster.api.writes.filter(
    (write) => write.method === "POST" && write.path.endsWith("/jobs") && write.status === 201,
  );
  assert.equal(created.length, 6);
  for (const job of cluster.api.list("jobs")) assert.match(job.metadata.name, /^tick-[0-9]{8}$/);
  const status = cluster.api.get("cronjobs", "default/tick")!.status!;
  assert.match(String(status["lastScheduleTime"]), /:[0-5][05]:00Z$/);
  assert.deepEqual(cluster.problems, []);
});

test("Forbid starts nothing beside a running Job; Replace ends it first", async () => {
  const forbid = await start({ concurrencyPolicy: "Forbid" });
  await forbid.time.advance(3 * fiveMinutes);
  assert.equal(forbid.api.list("jobs").length, 1);
  const replace = await start({ concurrencyPolicy: "Replace" });
  let most = 0;
  replace.api.onWrite = () => void (most = Math.max(most, replace.api.list("jobs").length));
  await replace.time.advance(3 * fiveMinutes);
  assert.equal(most, 1);
});

test("a missed deadline starts nothing; suspension stops the clock; nonsense is an event", async () => {
  const suspended = await start({ suspend: true });
  await suspended.time.advance(3 * fiveMinutes);
  assert.equal(suspended.api.list("jobs").length, 0);
  const nowhere = await start({ timeZone: "Mars/Olympus" });
  await nowhere.time.advance(fiveMinutes);
  assert.deepEqual(
    nowhere.api.list("events").map((event) => event["reason"]),
    ["UnknownTimeZone"],
  );
});

function told(cluster: ModelCluster): string[] {
  return cluster.api.list("events").map(({ reason, message }) => `${String(reason)}: ${String(message)}`);
}

test("after a long suspension the newest instant alone is made up for", async () => {
  const cluster = await start({ suspend: true });
  await cluster.time.advance(12 * 60 * 60_000);
  assert.deepEqual(told(cluster), [], "nothing is missed while nothing is wanted");
  const { metadata, spec } = cluster.api.get("cronjobs", "default/tick")!;
  cluster.api.put("cronjobs", { metadata, spec: { ...spec, suspend: false } });
  await cluster.time.advance(1000);
  const newest = Math.floor(cluster.time.clock.now() / fiveMinutes) * 5;
  assert.deepEqual(
    cluster.api.list("jobs").map((job) => job.metadata.name),
    [`tick-${newest}`],
  );
  assert.equal(told(cluster).filter((one) => one.startsWith("TooManyMissedTimes: too many missed")).length, 1);
});

test("the end of a Job is told once; of one that makes room for the next nothing more than that", async () => {
  const cluster = await start({ concurrencyPolicy: "Replace" });
  await cluster.time.advance(2 * fiveMinutes);
  const [second] = cluster.api.list("jobs");
  finish(cluster, "Failed");
  await cluster.quiesce();
  const { name } = second!.metadata;
  assert.deepEqual(
    told(cluster).filter((one) => !one.startsWith("SuccessfulCreate")),
    [
      `SuccessfulDelete: Deleted job tick-${Number(name.slice(5)) - 5}`,
      `SawCompletedJob: Saw completed job: ${name}, condition: Failed`,
    ],
  );
});
