import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, PodStatus } from "#api/generated/core-v1.ts";
import type { Client } from "#client/client.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { firstStatusMs, shortRunMs } from "../limits.ts";
import { StatusWriter } from "./status-writer.ts";

interface Seen {
  readonly atMs: number;
  readonly phase: string;
}

function pod(spec: Partial<Pod["spec"]>): Pod {
  const containers = [{ name: "main", image: "job:1", resources: {} }];
  return { metadata: { name: "a", namespace: "default", uid: "u" }, spec: { containers, ...spec }, status: {} };
}

function status(phase: string, state: Record<string, object>, restartCount = 0): PodStatus {
  const main = { name: "main", image: "job:1", imageID: "", ready: false, restartCount, state, lastState: {} };
  return { phase, containerStatuses: [main] };
}

const creating = status("Pending", { waiting: { reason: "ContainerCreating" } });
const unpullable = status("Pending", { waiting: { reason: "ErrImagePull", message: "not found" } });
const running = status("Running", { running: {} });
const again = status("Running", { running: {} }, 1);
const succeeded = status("Succeeded", { terminated: { exitCode: 0 } });

/** Which statuses of a pod were written, and when, as its status changed at these milliseconds; `rules` gets why. */
async function written(
  of: Pod,
  changes: readonly (readonly [atMs: number, status: PodStatus])[],
  rules: unknown[] = [],
): Promise<Seen[]> {
  const time = createVirtualTime();
  const seen: Seen[] = [];
  const patch: Client["patch"] = (_resource, _at, change, options) => {
    const { phase = "" } = (change as { status: PodStatus }).status;
    rules.push(options.cause?.rule);
    seen.push({ atMs: time.clock.monotonic(), phase });
    return Promise.resolve(of) as never;
  };
  const onProblem = (problem: string): never => assert.fail(problem);
  const context = { nodeName: "n1", timers: time.timers, onProblem, client: { patch } };
  const writer = new StatusWriter(
    context,
    () => undefined,
    () => undefined,
  );
  for (const [atMs, wanted] of changes) {
    await time.advance(atMs - time.clock.monotonic());
    writer.set(of, wanted);
  }
  await time.advance(10_000);
  assert.ok(writer.synced, "something was left unwritten");
  return seen;
}

test("a pod that is made and runs within a moment needs one write", async () => {
  const changes = [
    [0, creating],
    [110, running],
  ] as const;
  assert.deepEqual(await written(pod({}), changes), [{ atMs: 110, phase: "Running" }]);
});

test("a container that something keeps from running is named where people ask why", async () => {
  const rules: unknown[] = [];
  const changes = [
    [0, unpullable],
    [3_000, running],
  ] as const;
  await written(pod({}), changes, rules);
  assert.deepEqual(rules, [
    "the pod's containers make it Pending (main: ErrImagePull)",
    "the pod's containers make it Running",
  ]);
});

test("making that takes long is told, then the start at once", async () => {
  const changes = [
    [0, creating],
    [3_000, running],
  ] as const;
  assert.deepEqual(await written(pod({ restartPolicy: "Never" }), changes), [
    { atMs: firstStatusMs, phase: "Pending" },
    { atMs: 3_000, phase: "Running" },
  ]);
});

test("a pod that may end by itself and does so at once is only said to have ended", async () => {
  for (const restartPolicy of ["Never", "OnFailure"]) {
    const changes = [
      [0, creating],
      [110, running],
      [130, succeeded],
    ] as const;
    assert.deepEqual(await written(pod({ restartPolicy }), changes), [{ atMs: 130, phase: "Succeeded" }]);
  }
});

test("one that goes on is said to run a moment later, however often it is looked at", async () => {
  const changes = [
    [0, creating],
    [110, running],
    [150, running],
    [200, running],
    [5_000, succeeded],
  ] as const;
  assert.deepEqual(await written(pod({ restartPolicy: "Never" }), changes), [
    { atMs: 110 + shortRunMs, phase: "Running" },
    { atMs: 5_000, phase: "Succeeded" },
  ]);
});

test("nobody waits for news that somebody waits for: pods kept alive, attached to, deleted, or in trouble", async () => {
  const attached = pod({
    restartPolicy: "Never",
    containers: [{ name: "main", image: "job:1", resources: {}, stdin: true }],
  });
  const deleted = pod({ restartPolicy: "Never" });
  deleted.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
  for (const one of [pod({}), pod({ restartPolicy: "Always" }), attached, deleted])
    assert.deepEqual(await written(one, [[110, running]]), [{ atMs: 110, phase: "Running" }]);
  assert.deepEqual(await written(pod({ restartPolicy: "OnFailure" }), [[110, again]]), [
    { atMs: 110, phase: "Running" },
  ]);
});
