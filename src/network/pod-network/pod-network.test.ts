import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "#client/http-client.ts";
import { createModelApi } from "#client/testing/model-api.ts";
import { createTestRandom, createVirtualTime } from "#client/testing/virtual-time.ts";
import { createInformers } from "#reconcile/informers.ts";
import { createPace } from "#reconcile/pace.ts";
import type { NodeView } from "../observed.ts";
import { allocate } from "./allocate.ts";
import { createNodeRangeController, planNodeRanges } from "./controller.ts";
import { planPodNetwork, planRoutes } from "./wanted.ts";

const facts = {
  clusterId: "abcd",
  nodeName: "n1",
  bridge: "steer-abcd",
  clusterPods: "10.244.0.0/16",
  addressFolder: "/data/addresses",
};

function node(name: string, podRange: string | undefined, address: string): NodeView {
  return { name, podRange, zone: undefined, addresses: [address], uid: `uid-${name}`, ready: true };
}

test("other nodes' pods are routed by their addresses, and only what is the cluster's", () => {
  const nodes = [
    node("n1", "10.244.0.0/24", "192.168.0.1"),
    node("n2", "10.244.1.0/24", "192.168.0.2"),
    node("taker", "0.0.0.0/0", "192.168.0.3"),
    node("outside", "172.16.0.0/24", "192.168.0.4"),
    node("again", "10.244.1.0/25", "192.168.0.5"),
    node("loop", "10.244.7.0/24", "127.0.0.1"),
    node("new", undefined, "192.168.0.6"),
  ];
  const plan = planPodNetwork(nodes, ["10.96.0.0/16", "10.97.3.0/24"], facts);
  assert.equal(plan.gateway, "10.244.0.1/24");
  assert.deepEqual(plan.routes, [
    { destination: "10.96.0.0/16", device: "steer-abcd", source: "192.168.0.1" },
    { destination: "10.97.3.0/24", device: "steer-abcd", source: "192.168.0.1" },
    { destination: "10.244.1.0/24", via: "192.168.0.2" },
  ]);
  const written = JSON.parse(plan.configuration ?? "{}") as { plugins: { ipam: unknown }[] };
  assert.deepEqual(written.plugins[0]?.ipam, {
    type: "host-local",
    dataDir: "/data/addresses",
    ranges: [[{ subnet: "10.244.0.0/24" }]],
  });
});

test("a node without a range waits for it", () => {
  const { gateway, configuration, routes } = planPodNetwork(
    [node("n1", undefined, "192.168.0.1")],
    ["10.96.0.0/16"],
    facts,
  );
  assert.deepEqual([gateway, configuration, routes.length], [undefined, undefined, 1]);
});

test("routes change only where they differ", () => {
  const present = [
    { destination: "10.244.1.0/24", via: "192.168.0.2", device: "eth0" },
    { destination: "10.244.2.0/24", via: "192.168.0.3", device: "eth0" },
    { destination: "10.244.9.0/24", via: "192.168.0.9", device: "eth0" },
  ];
  const wanted = [
    { destination: "10.244.1.0/24", via: "192.168.0.2" },
    { destination: "10.244.2.0/24", via: "192.168.0.4" },
  ];
  assert.deepEqual(planRoutes(present, wanted), { remove: [present[2]], replace: [wanted[1]] });
});

test("nodes get the first free ranges in the order of their names, never one that is in use", () => {
  const nodes = [
    { name: "b", podRange: undefined },
    { name: "a", podRange: undefined },
    { name: "c", podRange: "10.244.0.0/24" },
    { name: "d", podRange: "10.244.2.0/23" },
  ];
  const { ranges, exhausted } = allocate(nodes, "10.244.0.0/22", 24);
  assert.deepEqual([...ranges], [["a", "10.244.1.0/24"]]);
  assert.deepEqual([...exhausted], ["b"]);
});

test("a Node for which no range is left is told in one Event that counts, after pauses, whatever changes meanwhile", async () => {
  const time = createVirtualTime();
  const { clock, timers } = time;
  const api = createModelApi(clock);
  const random = createTestRandom(1);
  const client = createClient(api.transport, { userAgent: "test" });
  const informers = createInformers({ client, clock, timers, random });
  const shared = { client, clock, timers, random, informers, pace: createPace(clock, timers) };
  const loop = createNodeRangeController(shared, "10.244.0.0/24", 24);
  const come = async (name: string): Promise<void> => {
    api.put("nodes", { metadata: { name } });
    await time.advance(1_000);
  };
  const told = (): unknown[] =>
    api.list("events").map(({ involvedObject, count }) => [(involvedObject as { name: string }).name, count]);
  informers.start();
  loop.start();

  await come("a");
  await come("b");
  for (let at = 0; at < 20; at++) await come(`c${at}`);
  assert.deepEqual(api.get("nodes", "a")?.spec?.["podCIDR"], "10.244.0.0/24");
  const once = ["b", ...Array.from({ length: 20 }, (_, at) => `c${at}`)].map((name) => [name, 1]);
  assert.deepEqual(told(), once);

  await time.advance(120_000);
  await come("d");
  assert.deepEqual(told()[0], ["b", 2]);

  api.remove("nodes", "a");
  await time.advance(1_000);
  assert.deepEqual(api.get("nodes", "b")?.spec?.["podCIDR"], "10.244.0.0/24");
  await loop.stop();
  informers.stop();
});

test("the write of a range fails when the Node has changed since", () => {
  const entry = {
    key: "n1",
    namespace: "",
    name: "n1",
    uid: "u",
    revision: 42,
    deleting: false,
    view: node("n1", undefined, "1.2.3.4"),
  };
  const [action] = planNodeRanges([entry], "10.244.0.0/16", 24, () => true);
  const range = "10.244.0.0/24";
  assert.equal(action?.verb, "patch");
  assert.deepEqual("patch" in action ? action.patch : undefined, {
    metadata: { uid: "u", resourceVersion: "42" },
    spec: { podCIDR: range, podCIDRs: [range] },
  });
});
