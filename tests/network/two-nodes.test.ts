import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { compile } from "#network/service-proxy/compile.ts";
import { planPodNetwork, planRoutes } from "#network/pod-network/wanted.ts";
import type { NodeView } from "#network/observed.ts";
import { nftablesRules } from "#world/node/kernel-rules.ts";
import { ipCommandLinks } from "#world/node/network.ts";
import { realProcesses } from "#world/node/processes.ts";
import { cable, Namespace } from "./namespaces.ts";
import { facts, service, slice } from "./objects.ts";

const nodes: NodeView[] = [1, 2].map((number) => ({
  name: `n${number}`,
  podRange: `10.244.${number}.0/24`,
  zone: undefined,
  addresses: [`192.168.8.${number}`],
  uid: `u${number}`,
  ready: true,
}));

/** One node with one pod, set up as the loops do. */
async function setUp(number: number, slices: EndpointSlice[]): Promise<{ node: Namespace; pod: Namespace }> {
  const [node, pod] = [new Namespace("node"), new Namespace("pod")];
  const links = ipCommandLinks({ processes: realProcesses, networkNamespace: node.path });
  const range = `10.244.${number}.0/24`;
  cable({ in: pod, name: "eth0", address: `10.244.${number}.2/24` }, { in: node, name: "veth0" });
  const web = service("web", { clusterIP: "10.96.0.20", type: "NodePort" }, [{ nodePort: 30080 }]);
  const rules = nftablesRules({ processes: realProcesses, networkNamespace: node.path });
  await links.ensureBridge("pods");
  await links.ensureAddress("pods", `10.244.${number}.1/24`);
  await links.setKernelSetting("net.ipv4.ip_forward", "1");
  node.ip("link set veth0 master pods");
  pod.ip(`route add default via 10.244.${number}.1`);
  const own = { ...facts, nodeName: `n${number}`, nodePods: range };
  await rules.replaceTable(
    compile(
      [web],
      slices,
      own,
      [],
      nodes.flatMap(({ addresses }) => addresses),
    ),
  );
  await pod.serve(8080, `pod${number}`);
  return { node, pod };
}

test("two nodes", { skip: process.getuid?.() !== 0 && "needs root", timeout: 900_000 }, async (t) => {
  const slices = [slice("web", 8080, ["10.244.2.2@n2"])];
  const [one, two] = [await setUp(1, slices), await setUp(2, slices)];
  t.after(() => {
    for (const namespace of [one.node, one.pod, two.node, two.pod]) namespace[Symbol.dispose]();
  });
  cable(
    { in: one.node, name: "eth0", address: "192.168.8.1/24" },
    { in: two.node, name: "eth0", address: "192.168.8.2/24" },
  );
  for (const [number, { node }] of [one, two].entries()) {
    const links = ipCommandLinks({ processes: realProcesses, networkNamespace: node.path });
    const names = { clusterId: "test", bridge: "pods", addressFolder: "/nowhere", nodeName: `n${number + 1}` };
    const { routes } = planPodNetwork(nodes, facts.serviceRanges, { ...facts, ...names });
    await links.changeRoutes(planRoutes(await links.routes(), routes));
    assert.deepEqual(
      planRoutes(await links.routes(), routes),
      { remove: [], replace: [] },
      "a second look changes nothing",
    );
  }
  const get = (from: Namespace, url: string): string => from.run("curl", ["-sS", "-m", "20", url]);

  await t.test("pods of different nodes reach each other with their own addresses", () => {
    assert.equal(get(one.pod, "http://10.244.2.2:8080/"), "pod2 10.244.1.2");
    assert.equal(get(two.pod, "http://10.244.1.2:8080/"), "pod1 10.244.2.2");
  });

  await t.test("a Service leads to a pod of the other node", () => {
    assert.equal(get(one.pod, "http://10.96.0.20/"), "pod2 10.244.1.2");
    assert.equal(get(one.node, "http://10.96.0.20/"), "pod2 192.168.8.1");
  });

  await t.test("every node's port leads there, from wherever", () => {
    assert.equal(get(two.node, "http://192.168.8.1:30080/"), "pod2 192.168.8.1");
    assert.equal(get(two.pod, "http://192.168.8.1:30080/"), "pod2 192.168.8.1");
    assert.equal(get(one.pod, "http://192.168.8.2:30080/"), "pod2 10.244.2.1");
  });
});
