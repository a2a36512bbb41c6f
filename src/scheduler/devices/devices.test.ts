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
import { Devices } from "./devices.ts";
import { deviceClaimDeclaration, deviceClassDeclaration, sliceDeclaration } from "./views.ts";

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

/** Milliseconds of the processor in each turn until all is judged. */
function judgingTurns(devices: Devices): number[] {
  const turns: number[] = [];
  let untilMs = performance.now() + turnMs;
  const steps = devices.judge(pod, () => untilMs < performance.now());
  for (let isDone = false; !isDone; untilMs = performance.now() + turnMs) {
    const start = process.threadCpuUsage();
    isDone = steps.next().done === true;
    turns.push(process.threadCpuUsage(start).user / 1_000);
  }
  return turns;
}

test("devices are judged in short turns, whatever their selectors cost, and a search finds them judged", async () => {
  let longestMs = Infinity;
  // What is slow is so each time; a pause for the garbage of others is not.
  for (let attempt = 0; attempt < 20 && longestMs >= patienceMs; attempt += 1) {
    const devices = await stage();
    assert.equal(devices.assume(pod, node), false, "nothing is given away that was not judged");
    const turns = judgingTurns(devices);
    const wholeMs = turns.reduce((sum, one) => sum + one, 0);
    assert.ok(wholeMs > 2 * patienceMs, `in one turn it would have been too long: ${wholeMs} ms`);
    longestMs = Math.min(longestMs, Math.max(...turns));
    assert.equal(judgingTurns(devices).length, 1, "nothing is left to judge");
    assert.equal(devices.assume(pod, node), true);
  }
  assert.ok(longestMs < patienceMs, `a turn took ${longestMs} ms`);
});
