import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { RuleApplier } from "#network/service-proxy/apply.ts";
import { compileService, serviceKey, serviceOfSlice } from "#network/service-proxy/compile.ts";
import { RuleState } from "#network/service-proxy/rule-state.ts";
import { emptyTable } from "#network/service-proxy/table.ts";
import { nftablesRules } from "#world/node/kernel-rules.ts";
import { ipCommandLinks } from "#world/node/network.ts";
import { realProcesses } from "#world/node/processes.ts";
import { cable, Namespace } from "./namespaces.ts";
import { facts, service, slice } from "./objects.ts";

const root = process.getuid?.() === 0;
const podAddresses = ["10.244.1.2", "10.244.1.3", "10.244.1.4"] as const;

/** A node with a bridge, pods on it (each a namespace with a web server), and a client outside. */
class Stage implements AsyncDisposable {
  readonly node = new Namespace("node");
  readonly outside = new Namespace("out");
  readonly pods = podAddresses.map(() => new Namespace("pod"));
  readonly rules = nftablesRules({ processes: realProcesses, networkNamespace: this.node.path });
  readonly state = new RuleState(emptyTable(facts));
  applier = new RuleApplier(this.rules, facts.table, this.state);

  async setUp(): Promise<this> {
    const links = ipCommandLinks({ processes: realProcesses, networkNamespace: this.node.path });
    await links.ensureBridge("pods");
    await links.ensureAddress("pods", "10.244.1.1/24");
    await links.setKernelSetting("net.ipv4.ip_forward", "1");
    for (const [index, pod] of this.pods.entries()) {
      cable({ in: pod, name: "eth0", address: `${podAddresses[index]}/24` }, { in: this.node, name: `veth${index}` });
      this.node.ip(`link set veth${index} master pods`);
      this.node.ip(`link set veth${index} type bridge_slave hairpin on`);
      pod.ip("route add default via 10.244.1.1");
      await pod.serve(8080, `pod${index}`);
    }
    cable(
      { in: this.outside, name: "eth0", address: "192.168.7.2/24" },
      { in: this.node, name: "eth0", address: "192.168.7.1/24" },
    );
    this.outside.ip("route add 10.96.0.0/16 via 192.168.7.1");
    this.node.ip("route add 10.96.0.0/16 dev pods");
    return this;
  }

  async apply(services: Service[], slices: EndpointSlice[]): Promise<void> {
    await this.applier.apply(
      services.map((one) => {
        const owner = serviceKey(one);
        const own = slices.filter((candidate) => serviceOfSlice(candidate) === owner);
        return { owner, rank: owner, elements: compileService(one, own, facts) };
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of [this.node, this.outside, ...this.pods]) namespace[Symbol.dispose]();
  }
}

/** Fetches `count` times, one connection each; answers each text with how often it came; failures by their code. */
async function fetchFrom(client: Namespace, url: string, count: number): Promise<Record<string, number>> {
  const { hostname, port, pathname } = new URL(url);
  const source = `
    import { get } from "node:http";
    const seen = {};
    const once = () => new Promise((resolve) => {
      const to = { host: "${hostname}", port: ${port === "" ? 80 : port}, path: "${pathname}", agent: false, timeout: 5000 };
      const request = get(to, (response) => {
        let text = ""; response.on("data", (chunk) => (text += chunk)); response.on("end", () => resolve(text));
      });
      request.on("timeout", () => request.destroy(Object.assign(new Error("late"), { code: "TIMEOUT" })));
      request.on("error", (error) => resolve(error.code));
    });
    for (let index = 0; index < ${count}; index++) { const text = await once(); seen[text] = (seen[text] ?? 0) + 1; }
    console.log(JSON.stringify(seen));`;
  return JSON.parse(await client.script(source)) as Record<string, number>;
}

test("Services in a real kernel", { skip: !root && "needs root", timeout: 900_000 }, async (t) => {
  await using stage = await new Stage().setUp();
  const web = service("web", { clusterIP: "10.96.0.20", type: "NodePort" }, [{ nodePort: 30080 }]);
  const [first, second, third] = podAddresses;
  const client = stage.pods[2] ?? assert.fail("no third pod");
  await stage.apply([web], [slice("web", 8080, [first, second])]);

  await t.test("a pod reaches both endpoints behind the service address, with its own address", async () => {
    const seen = await fetchFrom(client, "http://10.96.0.20/", 60);
    assert.deepEqual(Object.keys(seen).toSorted(), [`pod0 ${third}`, `pod1 ${third}`]);
    for (const count of Object.values(seen)) assert.ok(10 < count, `balanced: ${JSON.stringify(seen)}`);
  });

  await t.test("a pod reaches itself through the service address", async () => {
    await stage.apply([web], [slice("web", 8080, [third])]);
    const seen = await fetchFrom(client, "http://10.96.0.20/", 3);
    assert.deepEqual(seen, { "pod2 10.244.1.1": 3 });
  });

  await t.test("the node itself reaches the service address", async () => {
    const seen = await fetchFrom(stage.node, "http://10.96.0.20/", 2);
    assert.deepEqual(Object.values(seen), [2]);
  });

  await t.test("a client outside reaches the node port, and the pod sees the node", async () => {
    const seen = await fetchFrom(stage.outside, "http://192.168.7.1:30080/", 3);
    assert.deepEqual(seen, { "pod2 10.244.1.1": 3 });
  });

  await t.test("with externalTrafficPolicy Local the pod sees the client", async () => {
    const local = { ...web, spec: { ...web.spec, externalTrafficPolicy: "Local" } };
    await stage.apply([local], [slice("web", 8080, [first, "10.244.2.9@n2"])]);
    assert.deepEqual(await fetchFrom(stage.outside, "http://192.168.7.1:30080/", 6), { "pod0 192.168.7.2": 6 });
  });

  await t.test("a Service without endpoints refuses at once, by every way in", async () => {
    await stage.apply([web], [slice("web", 8080, [])]);
    for (const [from, url] of [
      [client, "http://10.96.0.20/"],
      [stage.node, "http://10.96.0.20/"],
      [stage.outside, "http://192.168.7.1:30080/"],
      [client, "http://10.96.77.77/"],
    ] as const) {
      assert.deepEqual(await fetchFrom(from, url, 1), { ECONNREFUSED: 1 }, url);
    }
  });

  await t.test("session affinity keeps a client, and lets go of an endpoint that went", async () => {
    const spec = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
    const sticky = { ...web, spec: { ...web.spec, ...spec } };
    await stage.apply([sticky], [slice("web", 8080, [first, second])]);
    const before = await fetchFrom(client, "http://10.96.0.20/", 12);
    assert.equal(Object.keys(before).length, 1, JSON.stringify(before));
    stage.applier = new RuleApplier(stage.rules, facts.table, new RuleState(emptyTable(facts)));
    await stage.apply([sticky], [slice("web", 8080, [first, second])]);
    assert.deepEqual(await fetchFrom(client, "http://10.96.0.20/", 12), before, "a restart of ours forgets nobody");
    const kept = Object.keys(before)[0]?.startsWith("pod0") ? second : first;
    await stage.apply([sticky], [slice("web", 8080, [kept])]);
    const after = await fetchFrom(client, "http://10.96.0.20/", 3);
    assert.equal(Object.keys(after).length, 1);
    assert.notDeepEqual(Object.keys(after), Object.keys(before));
  });

  await t.test("no connection fails while endpoints come and go", async () => {
    await stage.apply([web], [slice("web", 8080, [first, second])]);
    const seen = new Set<string>();
    // On a machine where a change takes long the load has ended after few of them: then another one follows.
    for (let changes = 0; changes <= 10;) {
      const load = fetchFrom(client, "http://10.96.0.20/", 400);
      let finished = false;
      void load.finally(() => (finished = true));
      for (; !finished && changes < 200; changes++)
        await stage.apply([web], [slice("web", 8080, changes % 2 === 0 ? [first, second] : [second])]);
      for (const answer of Object.keys(await load)) seen.add(answer);
    }
    assert.deepEqual([...seen].toSorted(), [`pod0 ${third}`, `pod1 ${third}`]);
  });

  await t.test("a UDP client goes on with another endpoint when its own goes", async () => {
    const udp = service("udp", { clusterIP: "10.96.0.21" }, [{ port: 53, protocol: "UDP" }]);
    for (const [index, pod] of stage.pods.slice(0, 2).entries()) {
      await pod.start(process.execPath, ["--input-type=module", "-e", echoScript(`udp${index}`)]);
    }
    await stage.apply([udp], [slice("udp", 5353, [first], "UDP")]);
    const { child, line } = await client.start(process.execPath, [
      "--input-type=module",
      "-e",
      askScript("10.96.0.21"),
    ]);
    assert.equal(line, "udp0");
    await stage.apply([udp], [slice("udp", 5353, [second], "UDP")]);
    let latest = "udp0";
    child.stdout?.on("data", (chunk: Buffer) => (latest = chunk.toString().trim().split("\n").at(-1) ?? ""));
    while (latest !== "udp1") await new Promise((resolve) => setTimeout(resolve, 10));
  });

  await t.test("packets to loopback addresses from outside are dropped", async () => {
    await stage.node.serve(9999, "private");
    stage.outside.ip("addr del 127.0.0.1/8 dev lo");
    stage.outside.ip("route add 127.0.0.2/32 via 192.168.7.1 src 192.168.7.2");
    stage.node.run("tee", ["/proc/sys/net/ipv4/conf/all/route_localnet"], "1");
    stage.outside.run("tee", ["/proc/sys/net/ipv4/conf/all/route_localnet"], "1");
    assert.deepEqual(await fetchFrom(stage.outside, "http://127.0.0.2:9999/", 1), { TIMEOUT: 1 });
    await stage.rules.removeTable(facts.table);
    const open = await fetchFrom(stage.outside, "http://127.0.0.2:9999/", 1);
    assert.deepEqual(open, { "private 192.168.7.2": 1 }, "without our rules this machine would have answered");
  });
});

function echoScript(text: string): string {
  return `
    import { createSocket } from "node:dgram";
    const socket = createSocket("udp4");
    socket.on("message", (_, from) => socket.send("${text}", from.port, from.address));
    socket.bind(5353, () => console.log("up"));`;
}

/** Asks on and on from one socket, which is one connection to the kernel. */
function askScript(address: string): string {
  return `
    import { createSocket } from "node:dgram";
    const socket = createSocket("udp4");
    socket.on("message", (message) => console.log(message.toString()));
    setInterval(() => socket.send("x", 53, "${address}"), 20);`;
}
