import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import type { CgroupUsage } from "#world/machine.ts";
import { UsageSampler, type NodeUsage } from "./sampler.ts";

const started = 1_780_000_000_000;

function pod(uid: string, startedAt: number): Pod {
  const state = { running: { startedAt: new Date(startedAt).toISOString() } };
  const containerStatuses = [{ name: "main", containerID: `containerd://${uid}-main`, state }];
  const made: object = {
    metadata: { name: uid, namespace: "default", uid },
    spec: { containers: [] },
    status: { containerStatuses },
  };
  return made as Pod;
}

function stage(pods: Pod[]) {
  const time = createVirtualTime(started);
  const counters = new Map<string, number>();
  let reads = 0;
  const cgroupUsage = async (path: string): Promise<CgroupUsage | undefined> => {
    reads += 1;
    const cpuNanos = counters.get(path === "" ? "" : path.slice(path.lastIndexOf("/") + 1));
    return cpuNanos === undefined ? undefined : { cpuNanos, memoryBytes: 5, workingSetBytes: 3 };
  };
  const sampler = new UsageSampler({ ...time, machine: { cgroupUsage }, cgroupRoot: "/c", pods: () => pods });
  const ask = async (maxAgeMs: number, uids?: ReadonlySet<string>): Promise<NodeUsage> => {
    let answer: NodeUsage | undefined;
    void sampler.read(maxAgeMs, uids).then((usage) => (answer = usage));
    for (let step = 0; step < 30 && answer === undefined; step++) await time.advance(100);
    assert.ok(answer !== undefined, "no answer within three seconds");
    return answer;
  };
  return { time, counters, ask, reads: () => reads };
}

const cpuOf = (usage: NodeUsage): number | undefined => usage.pods[0]?.containers[0]?.cpuNanoCores;

test("nothing is read while nobody asks; the first question takes two readings", async () => {
  const { time, counters, ask, reads } = stage([pod("a", started - 3_600_000)]);
  counters.set("", 0).set("a-main", 7e12);
  await time.advance(60_000);
  assert.equal(reads(), 0);
  assert.equal(cpuOf(await ask(5000)), 0);
  assert.equal(reads(), 4);
});

test("usage is told over the time between two readings", async () => {
  const { time, counters, ask } = stage([pod("a", started - 3_600_000)]);
  counters.set("", 0).set("a-main", 7e12);
  await ask(5000);
  await time.advance(10_000);
  counters.set("a-main", 7e12 + 5e9);
  const usage = await ask(1000);
  assert.ok(Math.abs((cpuOf(usage) ?? 0) - 5e8) < 5e7, `${cpuOf(usage)} nanocores`);
});

test("a young container is measured from its start, at once", async () => {
  const { counters, ask, reads } = stage([pod("a", started - 10_000)]);
  counters.set("a-main", 1e10);
  assert.equal(cpuOf(await ask(5000)), 1e9);
  assert.equal(reads(), 2);
});

test("a counter that began anew gives no negative and no huge usage", async () => {
  const { time, counters, ask } = stage([pod("a", started - 3_600_000)]);
  counters.set("a-main", 9e15);
  await ask(5000);
  counters.set("a-main", 1e6);
  await time.advance(5000);
  assert.equal(cpuOf(await ask(1000)), 0);
});

test("questions within the age share one reading, and only what is asked for is read", async () => {
  const { counters, ask, reads } = stage([pod("a", started - 10_000), pod("b", started - 10_000)]);
  counters.set("a-main", 1).set("b-main", 1);
  await ask(5000, new Set(["a"]));
  const before = reads();
  await ask(5000, new Set(["a"]));
  assert.equal(before, 2);
  assert.equal(reads(), 2 + 1, "only the machine, which has no counter here, is tried again");
});

test("a pod without a cgroup is left out", async () => {
  const { ask } = stage([pod("a", started - 3_600_000)]);
  assert.deepEqual(await ask(5000), { node: undefined, pods: [] });
});
