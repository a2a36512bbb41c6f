import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeView } from "../observed.ts";
import { allocate } from "./allocate.ts";
import { planNodeRanges } from "./controller.ts";
import { planPodNetwork, planRoutes } from "./wanted.ts";

const facts = {
  clusterId: "abcd",
  nodeName: "n1",
  bridge: "steer-abcd",
  clusterPods: "10.244.0.0/16",
  serviceRange: "10.96.0.0/16",
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
  const plan = planPodNetwork(nodes, facts);
  assert.equal(plan.gateway, "10.244.0.1/24");
  assert.deepEqual(plan.routes, [
    { destination: "10.96.0.0/16", device: "steer-abcd", source: "192.168.0.1" },
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
  const { gateway, configuration, routes } = planPodNetwork([node("n1", undefined, "192.168.0.1")], facts);
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
  assert.deepEqual(exhausted, ["b"]);
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
  const [action] = planNodeRanges([entry], "10.244.0.0/16", 24);
  const range = "10.244.0.0/24";
  assert.equal(action?.verb, "patch");
  assert.deepEqual("patch" in action ? action.patch : undefined, {
    metadata: { uid: "u", resourceVersion: "42" },
    spec: { podCIDR: range, podCIDRs: [range] },
  });
});
