import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "./limits.ts";
import { makePod } from "./testing/objects.ts";
import { nodeOf, put, putNode, stage } from "./testing/stage.ts";

test("a pending pod is bound, with an event", async () => {
  const on = await stage();
  putNode(on, "n1");
  put(on, "web");
  await on.time.settle();
  assert.equal(nodeOf(on, "web"), "n1");
  const [event] = on.api.list("events");
  assert.deepEqual([event?.["reason"], event?.["message"]], ["Scheduled", "Successfully assigned default/web to n1"]);
  assert.deepEqual(on.problems, []);
  assert.ok(on.scheduler.idle);
});

test("a pod that fits nowhere says why, and is bound when room appears", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "1" });
  put(on, "big", { requests: { cpu: "3" } });
  await on.time.settle();
  const status = on.api.get("pods", "default/big")?.status as { conditions: Record<string, string>[] };
  assert.equal(status.conditions[0]?.["reason"], "Unschedulable");
  assert.equal(
    status.conditions[0]?.["message"],
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, " +
      "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  );
  const cause = decodeURIComponent(on.api.writes.find((write) => write.method === "PATCH")!.headers["steersman-rule"]!);
  assert.match(cause, /It would fit with: 2 more cpu on n1/u);
  assert.equal(on.scheduler.explanation("default/big")?.nodes[0]?.change, "2 more cpu");
  putNode(on, "n2", { cpu: "4" });
  await on.time.advance(1_100);
  assert.equal(nodeOf(on, "big"), "n2");
  assert.equal(on.scheduler.explanation("default/big"), undefined);
});

test("a pod takes the room of one that is gone", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "2" });
  put(on, "first", { requests: { cpu: "2" } });
  await on.time.settle();
  put(on, "second", { requests: { cpu: "2" } });
  await on.time.advance(60_000);
  assert.equal(nodeOf(on, "second"), undefined);
  const writes = on.api.writes.length;
  await on.time.advance(200_000);
  assert.equal(on.api.writes.length, writes, "nothing is written while nothing changes");
  on.api.remove("pods", "default/first");
  await on.time.advance(100);
  assert.equal(nodeOf(on, "second"), "n1");
});

test("why a pod waits is said again soon when the request was lost", async () => {
  const on = await stage();
  on.losesRequest = /^PATCH .*\/status/;
  putNode(on, "n1", { cpu: "1" });
  put(on, "big", { requests: { cpu: "3" } });
  put(on, "homeless", { spec: { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "none" } }] } });
  await on.time.settle();
  const reasons = (): unknown[] =>
    ["big", "homeless"].map((name) => {
      const status = on.api.get("pods", `default/${name}`)?.status as { conditions?: { reason: string }[] } | undefined;
      return status?.conditions?.[0]?.reason;
    });
  assert.deepEqual(reasons(), [undefined, undefined]);
  assert.equal(on.problems.length, 2);
  on.losesRequest = undefined;
  await on.time.advance(limits.backoffMaxMs);
  assert.deepEqual(reasons(), ["Unschedulable", "Unschedulable"]);
  const writes = on.api.writes.length;
  await on.time.advance(limits.unschedulableMaxMs);
  assert.equal(on.api.writes.length, writes, "it is said once");
});

test("room is made for a more important pod although the request to make it was lost", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "2" });
  put(on, "low", { node: "n1", requests: { cpu: "2" } });
  on.losesRequest = /^DELETE .*\/pods\/low/;
  put(on, "high", { requests: { cpu: "2" }, priority: 100 });
  await on.time.settle();
  const isDeleting = (): boolean => on.api.get("pods", "default/low")?.metadata.deletionTimestamp !== undefined;
  assert.equal(isDeleting(), false);
  on.losesRequest = undefined;
  await on.time.advance(limits.backoffMaxMs);
  assert.equal(isDeleting(), true);
});

test("higher priority goes first; gates and foreign schedulers are left alone", async () => {
  const on = await stage();
  put(on, "low", { requests: { cpu: "3" } });
  put(on, "high", { requests: { cpu: "3" }, priority: 10 });
  put(on, "gated", { spec: { schedulingGates: [{ name: "wait" }] } });
  put(on, "foreign", { spec: { schedulerName: "other" } });
  await on.time.advance(10_000);
  putNode(on, "n1");
  await on.time.advance(10_000);
  assert.deepEqual(
    ["low", "high", "gated", "foreign"].map((name) => nodeOf(on, name)),
    [undefined, "n1", undefined, undefined],
  );
  put(on, "gated", { spec: { schedulingGates: [] } });
  await on.time.settle();
  assert.equal(nodeOf(on, "gated"), "n1");
});

test("a refused bind gives the room back and is tried again", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "1" });
  let refusals = 0;
  on.refuseBind = () => ((refusals += 1) <= 2 ? { code: 500, reason: "InternalError" } : undefined);
  put(on, "web", { requests: { cpu: "1" } });
  await on.time.advance(900);
  assert.equal(nodeOf(on, "web"), undefined);
  await on.time.advance(10_000);
  assert.equal(nodeOf(on, "web"), "n1");
});

test("a bind without an answer keeps its room until the truth is known", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "1" });
  on.refuseBind = (pod) => (pod === "lost" ? "lost answer" : undefined);
  put(on, "lost", { requests: { cpu: "1" } });
  await on.time.settle();
  put(on, "next", { requests: { cpu: "1" } });
  await on.time.advance(5_000);
  assert.deepEqual([nodeOf(on, "lost"), nodeOf(on, "next")], ["n1", undefined]);
  const other = await stage();
  putNode(other, "n1", { cpu: "1" });
  let tries = 0;
  other.refuseBind = () => ((tries += 1) === 1 ? "no answer" : undefined);
  put(other, "web", { requests: { cpu: "1" } });
  await other.time.advance(10_000);
  assert.equal(nodeOf(other, "web"), "n1");
});

test("a burst of pods never overfills a node although binds are still under way", async () => {
  const on = await stage();
  for (let i = 0; i < 5; i += 1) putNode(on, `n${i}`, { cpu: "4" });
  for (let i = 0; i < 30; i += 1) put(on, `p${i}`, { requests: { cpu: "1" }, owner: "rs" });
  await on.time.advance(1_000);
  const perNode = new Map<unknown, number>();
  for (let i = 0; i < 30; i += 1) perNode.set(nodeOf(on, `p${i}`), (perNode.get(nodeOf(on, `p${i}`)) ?? 0) + 1);
  assert.equal(perNode.get(undefined), 10);
  for (let i = 0; i < 5; i += 1) assert.equal(perNode.get(`n${i}`), 4);
});

test("a more important pod takes the room of the least important ones, and budgets are respected", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "2" });
  putNode(on, "n2", { cpu: "2" });
  const guarded = { app: "guarded" };
  on.api.put("poddisruptionbudgets", {
    metadata: { name: "guard", namespace: "default" },
    spec: { selector: { matchLabels: guarded } },
    status: { disruptionsAllowed: 0 },
  });
  put(on, "low-1", { node: "n1", requests: { cpu: "1" }, priority: 1, labels: guarded });
  put(on, "low-2", { node: "n1", requests: { cpu: "1" }, priority: 5 });
  put(on, "low-3", { node: "n2", requests: { cpu: "2" }, priority: 3, labels: guarded });
  await on.time.settle();
  put(on, "high", { requests: { cpu: "1" }, priority: 100 });
  await on.time.settle();
  const deleting = (name: string): boolean =>
    on.api.get("pods", `default/${name}`)?.metadata.deletionTimestamp !== undefined;
  assert.deepEqual(["low-1", "low-2", "low-3"].map(deleting), [false, true, false]);
  const high = on.api.get("pods", "default/high")?.status as { nominatedNodeName?: string };
  assert.equal(high.nominatedNodeName, "n1");
  // Another pod of lower priority must not take the room, once it is there.
  put(on, "sneaky", { requests: { cpu: "1" }, priority: 50 });
  await on.time.settle();
  assert.match(on.scheduler.explanation("default/sneaky")!.message, /^0\/2 nodes are available: 2 Insufficient cpu\./u);
  on.api.remove("pods", "default/low-2");
  await on.time.advance(2_000);
  assert.deepEqual([nodeOf(on, "high"), nodeOf(on, "sneaky")], ["n1", undefined]);
});

test("of equal pods that one goes which began last, also when all were placed here", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "2" });
  for (const name of ["late", "old"]) put(on, name, { requests: { cpu: "1" }, priority: 1 });
  await on.time.settle();
  const startTime = { late: "2026-01-01T00:00:09Z", old: "2026-01-01T00:00:01Z" };
  for (const name of ["late", "old"] as const) {
    const status = { phase: "Running", startTime: startTime[name] };
    on.api.put("pods", { ...on.api.get("pods", `default/${name}`)!, status });
  }
  await on.time.settle();
  put(on, "high", { requests: { cpu: "1" }, priority: 100 });
  await on.time.settle();
  const leaves = (name: string): boolean =>
    on.api.get("pods", `default/${name}`)?.metadata.deletionTimestamp !== undefined;
  assert.deepEqual([leaves("late"), leaves("old")], [true, false]);
});

test("room is not kept for a pod that could not stand there any more", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "2" });
  put(on, "leaving", { node: "n1", requests: { cpu: "2" }, priority: 1 });
  for (const name of ["first", "second"])
    put(on, name, { requests: { cpu: "2" }, priority: name === "first" ? 100 : 50 });
  await on.time.settle();
  const nominated = (name: string): unknown => on.api.get("pods", `default/${name}`)?.status?.["nominatedNodeName"];
  assert.equal(nominated("first"), "n1");
  put(on, "small", { requests: { cpu: "1" } });
  on.api.remove("pods", "default/leaving");
  putNode(on, "n1", { cpu: "1" });
  await on.time.advance(20_000);
  assert.deepEqual([nominated("first"), nominated("second")], [undefined, undefined]);
  assert.deepEqual([nodeOf(on, "first"), nodeOf(on, "second"), nodeOf(on, "small")], [undefined, undefined, "n1"]);
});

test("room that was kept for a pod that is deleted goes to those that wait for it", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "3" });
  put(on, "leaving", { node: "n1", requests: { cpu: "2" }, priority: 1 });
  put(on, "high", { requests: { cpu: "3" }, priority: 100 });
  await on.time.settle();
  put(on, "low", { requests: { cpu: "1" } });
  await on.time.advance(2_000);
  assert.equal(nodeOf(on, "low"), undefined);
  on.api.remove("pods", "default/high");
  await on.time.advance(2_000);
  assert.equal(nodeOf(on, "low"), "n1");
});

test("a pod that may not preempt says so", async () => {
  const on = await stage();
  putNode(on, "n1", { cpu: "1" });
  put(on, "low", { node: "n1", requests: { cpu: "1" } });
  put(on, "high", { requests: { cpu: "1" }, priority: 100, spec: { preemptionPolicy: "Never" } });
  await on.time.settle();
  assert.match(
    on.scheduler.explanation("default/high")!.message,
    /preemption: not eligible due to preemptionPolicy=Never\.$/u,
  );
});

test("while devices are judged for one pod, others get their nodes", async () => {
  const bound: string[] = [];
  // Every turn is over as soon as somebody asks.
  const on = await stage(({ timers }) => ({ breathe: () => timers.yield() }));
  on.refuseBind = (pod) => void bound.push(pod);
  putNode(on, "n1");
  const selectors = [{ cel: { expression: `device.driver == "gpu.example.com"` } }];
  on.api.put("deviceclasses", { metadata: { name: "gpu" }, spec: { selectors } });
  const request = { name: "gpu", exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count: 1 } };
  on.api.put("resourceclaims", {
    metadata: { name: "claim", namespace: "default" },
    spec: { devices: { requests: [request] } },
  });
  on.api.put("resourceslices", {
    metadata: { name: "slice" },
    spec: {
      driver: "gpu.example.com",
      nodeName: "n1",
      pool: { name: "n1", generation: 1, resourceSliceCount: 1 },
      devices: Array.from({ length: 100 }, (_, index) => ({ name: `gpu-${index}` })),
    },
  });
  await on.time.settle();
  const claiming = makePod("claiming");
  on.api.put("pods", {
    ...claiming,
    spec: { ...claiming.spec, resourceClaims: [{ name: "gpu", resourceClaimName: "claim" }] },
  });
  put(on, "plain");
  await on.time.settle();
  assert.deepEqual(bound, ["plain", "claiming"]);
  assert.equal(nodeOf(on, "claiming"), "n1");
  assert.deepEqual(on.problems, []);
  assert.ok(on.scheduler.idle);
});
