import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceClass, ResourceClaim, ResourceSlice } from "#api/generated/resource-v1.ts";
import { createClient } from "#client/http-client.ts";
import { createModelApi } from "#client/testing/model-api.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { createInformers } from "#reconcile/informers.ts";
import { nodeView } from "../node-view.ts";
import { podView } from "../pod-view.ts";
import { makeNode, makePod } from "../testing/objects.ts";
import type { Wishes } from "./allocation.ts";
import { Devices } from "./devices.ts";
import { type Answers, Judgements } from "./judgements.ts";
import { deviceLimits } from "./limits.ts";
import { deviceClaimDeclaration, deviceClassDeclaration, sliceDeclaration, type SliceView } from "./views.ts";

const numbers = JSON.stringify(Array.from({ length: 30 }, (_, index) => index));
/** Takes every device, for a good part of what a selector may cost. */
const dearSelector = `${numbers}.all(a, ${numbers}.all(b, ${numbers}.all(c, a + b + c >= 0)))`;
const devicesCount = 64;
/** Milliseconds of the processor that nobody else gets their turn. */
const patienceMs = 50;
/** As loops give turns. */
const turnMs = 5;

async function stage(): Promise<Devices> {
  const { clock, timers, settle } = createVirtualTime();
  const api = createModelApi(clock);
  const client = createClient(api.transport, { userAgent: "devices-test", timers });
  const random = { float: () => 0.5, bytes: (length: number) => new Uint8Array(length), uuid: () => "u" };
  const informers = createInformers({ client, clock, timers, random, onProblem: assert.fail });
  const devices = new Devices(
    informers.of(deviceClaimDeclaration),
    informers.of(sliceDeclaration),
    informers.of(deviceClassDeclaration),
  );
  devices.subscribe(() => undefined);
  const selectors = [{ cel: { expression: dearSelector } }];
  const deviceClass: DeviceClass = { metadata: { name: "gpu" }, spec: { selectors } };
  const claim: ResourceClaim = {
    metadata: { name: "claim", namespace: "default" },
    spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } },
    status: {},
  };
  const slice: ResourceSlice = {
    metadata: { name: "slice" },
    spec: {
      driver: "gpu.example.com",
      nodeName: "n1",
      pool: { name: "n1", generation: 1, resourceSliceCount: 1 },
      devices: Array.from({ length: devicesCount }, (_, index) => ({ name: `gpu-${index}` })),
    },
  };
  api.put("deviceclasses", { ...deviceClass });
  api.put("resourceclaims", { ...claim });
  api.put("resourceslices", { ...slice });
  informers.start();
  await settle();
  return devices;
}

const plain = makePod("pod");
const pod = podView({
  ...plain,
  spec: { ...plain.spec, resourceClaims: [{ name: "gpu", resourceClaimName: "claim" }] },
});
const node = nodeView(makeNode("n1"));

/** Milliseconds of the processor in each turn until all is judged, and what is asked for then. */
function judgingTurns(devices: Devices): { readonly turns: number[]; readonly wishes: Wishes } {
  const turns: number[] = [];
  let untilMs = performance.now() + turnMs;
  const steps = devices.wishes(pod, () => untilMs < performance.now());
  for (;;) {
    const start = process.threadCpuUsage();
    const { done, value } = steps.next();
    turns.push(process.threadCpuUsage(start).user / 1_000);
    if (done === true) {
      assert.ok("requests" in value);
      return { turns, wishes: value };
    }
    untilMs = performance.now() + turnMs;
  }
}

test("devices are judged in short turns, whatever their selectors cost, and a search finds them judged", async () => {
  let longestMs = Infinity;
  // What is slow is so each time; a pause for the garbage of others is not.
  for (let attempt = 0; attempt < 20 && longestMs >= patienceMs; attempt += 1) {
    const devices = await stage();
    const { turns } = judgingTurns(devices);
    const wholeMs = turns.reduce((sum, one) => sum + one, 0);
    assert.ok(wholeMs > 2 * patienceMs, `in one turn it would have been too long: ${wholeMs} ms`);
    longestMs = Math.min(longestMs, Math.max(...turns));
    const again = judgingTurns(devices);
    assert.equal(again.turns.length, 1, "nothing is left to judge");
    assert.equal(devices.assume(pod, again.wishes, node), true);
  }
  assert.ok(longestMs < patienceMs, `a turn took ${longestMs} ms`);
});

test("nodes are searched in turns too, one of them at least in each", async () => {
  const devices = await stage();
  const { wishes } = judgingTurns(devices);
  const nodes = ["n0", "n1", "n2"].map((name) => nodeView(makeNode(name)));
  const steps = devices.search(pod, wishes, nodes, () => true);
  for (const _node of nodes) assert.equal(steps.next().done, false);
  const { done, value } = steps.next();
  assert.ok(done === true);
  assert.deepEqual([...value.refused.keys()], ["n0", "n2"]);
});

test("what was decided for a pod is taken for the next one until its claims say so", async () => {
  const devices = await stage();
  const { wishes } = judgingTurns(devices);
  const tries = { left: devicesCount };
  assert.equal(devices.canGive(pod, wishes, node, tries), true);
  assert.equal(tries.left, devicesCount - 1);
  for (let i = 0; i < devicesCount; i += 1)
    assert.equal(devices.assume({ ...pod, uid: `pod-${i}` }, wishes, node), true);
  assert.equal(devices.assume(pod, wishes, node), false);
  devices.forget("pod-7");
  assert.equal(devices.assume(pod, wishes, node), true);
});

test("what selectors say of devices is remembered for those that were used last, within a bound", () => {
  const perSlice = 128;
  const sliceOf = (index: number): SliceView =>
    sliceDeclaration.project({
      metadata: { name: `slice-${index}` },
      spec: {
        driver: "gpu.example.com",
        pool: { name: `n${index}`, generation: 1, resourceSliceCount: 1 },
        devices: Array.from({ length: perSlice }, (_, at) => ({ name: `gpu-${at}` })),
      },
    });
  const slices = Array.from({ length: 40 }, (_, index) => sliceOf(index));
  const listsMax = Math.floor(deviceLimits.answersMax / (slices.length * perSlice));
  const judgements = new Judgements();
  const answersTo = (selector: string): Answers => {
    const { done, value } = judgements.by([selector], slices, () => false).next();
    assert.ok(done === true);
    return value;
  };
  const first = answersTo("true");
  for (let i = 1; i < listsMax; i += 1) answersTo(`${i} > 0`);
  assert.equal(answersTo("true"), first);
  for (let i = 0; i < listsMax; i += 1) answersTo(`${i} >= 0`);
  assert.notEqual(answersTo("true"), first);
  assert.deepEqual(first.get(slices[0]!.devices[0]!), { ok: true, matches: true }, "who has the answers keeps them");
});
