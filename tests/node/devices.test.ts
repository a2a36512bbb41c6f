/** Device plugins and drivers of resource claims, played by this test over their published protocols, with real containers. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Node, Pod } from "#api/generated/core-v1.ts";
import { nodes, pods, resourceclaims } from "#api/generated/resources.ts";
import { call, encode, encodeBytes, messages, PluginServer, TestDevicePlugin, texts, type Message } from "./plugins.ts";
import { busybox, cannotRun, TestNode } from "./test-node.ts";

const resource = "example.test/clock";
const sleep = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait $!"];
let node: TestNode;
let plugin: TestDevicePlugin;

before(async () => {
  if (cannotRun !== false) return;
  node = await TestNode.start();
  mkdirSync(`${node.dir}/library`);
  writeFileSync(`${node.dir}/library/driver`, "the driver");
  plugin = new TestDevicePlugin(`${node.pluginFolder}/device-plugins`, resource, ["a", "b", "c"], (ids) => ({
    1: { 1: "CLOCKS", 2: ids.join(" ") },
    2: { 1: "/library", 2: `${node.dir}/library`, 3: 1 },
    3: ids.map((id) => ({ 1: `/dev/clock-${id}`, 2: "/dev/zero", 3: "r" })),
    4: { 1: "example.test/given", 2: ids.join("-") },
  }));
});
after(async () => {
  if (cannotRun !== false) return;
  plugin.close();
  await node.stop();
});

function untilAmounts(capacity: string, allocatable: string): Promise<unknown> {
  return node.api.until(nodes, { name: "n1" }, (found) => {
    const { status } = found as Node;
    return status.capacity?.[resource] === capacity && status.allocatable?.[resource] === allocatable;
  });
}

function asking(count: number, more: object = {}): Pod["spec"]["containers"][number] {
  const resources = { limits: { [resource]: String(count) }, requests: { [resource]: String(count) } };
  return { name: "main", image: busybox, command: sleep, resources, ...more } as Pod["spec"]["containers"][number];
}

const isRunning = ({ status }: Pod): boolean =>
  status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;

test("devices of a plugin are the node's, healthy ones to be given away", { skip: cannotRun }, async () => {
  await assert.rejects(plugin.register("v1alpha", "x.sock"), /API version v1alpha is not supported/);
  await assert.rejects(plugin.register("v1beta1", "../x.sock"), /is not the name of a socket/);
  await plugin.serve();
  await untilAmounts("3", "3");
  plugin.set("a", "Unhealthy");
  await untilAmounts("3", "2");
  plugin.set("a", "Healthy");
  await untilAmounts("3", "3");
});

test("a container gets what the plugin says, and the devices it would rather give", { skip: cannotRun }, async () => {
  node.addPod("two", { containers: [asking(2)] });
  const pod = await node.until("two", isRunning);
  assert.equal((await node.exec(pod, "main", "sh", "-c", "echo $CLOCKS")).trim(), "c b", "the last ones first");
  assert.equal((await node.exec(pod, "main", "cat", "/library/driver")).trim(), "the driver");
  assert.match(await node.exec(pod, "main", "touch", "/library/driver"), /Read-only file system/);
  const read = "head -c 3 /dev/clock-b | wc -c; ls /dev | grep clock | tr '\\n' ' '";
  assert.equal(await node.exec(pod, "main", "sh", "-c", read), "3\nclock-b clock-c ");
  const [container] = await node.runtime.listContainers({ "io.kubernetes.pod.name": "two" });
  assert.equal(container?.annotations["example.test/given"], "c-b");
  assert.ok(plugin.calls.includes("PreStartContainer"));
});

/** What the node's pod resources API answers, as monitoring agents ask it. */
function report(method: string, request: Message = {}): Promise<Buffer> {
  return call(`${node.pluginFolder}/pod-resources/kubelet.sock`, `/v1.PodResourcesLister/${method}`, request);
}

/** `resource: id@memory node` of each device in the field of a message; a zero is not written. */
function devicesIn(bytes: Buffer, field: number): string[] {
  return messages(bytes, field).map((one) => {
    const near = messages(one, 3).flatMap((topology) => messages(topology, 1));
    return `${texts(one, 1)[0]}: ${texts(one, 2).join()}@${near.map((memory) => texts(memory, 1)[0] ?? "0").join()}`;
  });
}

test("monitoring agents are told who holds which device, and where it is", { skip: cannotRun }, async () => {
  const [listed] = messages(await report("List"), 1);
  assert.deepEqual([texts(listed!, 1), texts(listed!, 2), texts(listed!, 3, 1)], [["two"], ["default"], ["main"]]);
  const [container] = messages(listed!, 3);
  assert.deepEqual(devicesIn(container!, 2), [`${resource}: c@0`, `${resource}: b@1`]);
  assert.deepEqual(await report("Get", { 1: "two", 2: "default" }), encodeBytes(1, listed!));
  await assert.rejects(report("Get", { 1: "other", 2: "default" }), /pod other in namespace default not found/);
  plugin.set("c", "Unhealthy");
  await untilAmounts("3", "2");
  const healthy = [`${resource}: a@0`, `${resource}: b@1`];
  assert.deepEqual(devicesIn(await report("GetAllocatableResources"), 1), healthy, "held or not");
  plugin.set("c", "Healthy");
  await untilAmounts("3", "3");
});

test("what there is not makes a pod fail; what a pod held is free after it", { skip: cannotRun }, async () => {
  node.addPod("too-much", { containers: [asking(2)] });
  const failed = await node.until("too-much", ({ status }) => status.phase === "Failed");
  assert.equal(failed.status.reason, "UnexpectedAdmissionError");
  assert.match(failed.status.message ?? "", /unavailable for example\.test\/clock\. Requested: 2, Available: 1/);
  node.addPod("brief", { restartPolicy: "Never", containers: [asking(1, { command: ["true"] })] });
  await node.until("brief", ({ status }) => status.phase === "Succeeded");
  // It ended by itself, and nobody deleted it: its device is free all the same.
  node.addPod("after-it", { containers: [asking(1)] });
  await node.until("after-it", isRunning);
  node.api.remove(pods, { namespace: "default", name: "after-it" }, 1);
  await node.deleted("after-it");
});

test("init containers leave their devices to those after them", { skip: cannotRun }, async () => {
  const init = asking(1, { name: "init", command: ["sh", "-c", "echo $CLOCKS"] });
  node.addPod("in-turn", { initContainers: [init], containers: [asking(1)] });
  const pod = await node.until("in-turn", isRunning);
  assert.equal((await node.exec(pod, "main", "sh", "-c", "echo $CLOCKS")).trim(), "a");
  assert.equal((await node.log(pod, "init")).trim(), "a");
  node.api.remove(pods, { namespace: "default", name: "in-turn" }, 1);
  await node.deleted("in-turn");
});

test("what was given survives the agent; the plugin comes back and sees the rest", { skip: cannotRun }, async () => {
  const before = await node.until("two", isRunning);
  node.agent.stop();
  await node.startAgent();
  await untilAmounts("0", "0");
  await plugin.serve();
  await untilAmounts("3", "3");
  // It is held still: only one is left.
  node.addPod("one-more", { containers: [asking(1)] });
  const pod = await node.until("one-more", isRunning);
  assert.equal((await node.exec(pod, "main", "sh", "-c", "echo $CLOCKS")).trim(), "a");
  const after = await node.until("two", isRunning);
  assert.equal(after.status.containerStatuses?.[0]?.containerID, before.status.containerStatuses?.[0]?.containerID);
  // A container that begins again keeps its own.
  await node.end(after);
  const again = await node.until("two", ({ status }) => {
    const [container] = status.containerStatuses ?? [];
    return container?.restartCount === 1 && container.state.running !== undefined;
  });
  assert.equal((await node.exec(again, "main", "sh", "-c", "echo $CLOCKS")).trim(), "c b");
  plugin.close();
  await untilAmounts("3", "0");
  for (const name of ["two", "one-more", "brief", "too-much"]) {
    node.api.remove(pods, { namespace: "default", name }, 1);
    await node.deleted(name);
  }
  assert.deepEqual(JSON.parse(readFileSync(`${node.dir}/node/devices.json`, "utf8")).held, []);
});

test("pods meet the node's plugins where plugins look for them", { skip: cannotRun }, async () => {
  const volumes = [{ name: "plugins", hostPath: { path: "/var/lib/kubelet/device-plugins", type: "Directory" } }];
  const volumeMounts = [{ name: "plugins", mountPath: "/var/lib/kubelet/device-plugins" }];
  node.addPod("vendor", {
    volumes,
    containers: [{ name: "main", image: busybox, command: sleep, resources: {}, volumeMounts }],
  });
  const pod = await node.until("vendor", isRunning);
  const seen = await node.exec(pod, "main", "ls", "/var/lib/kubelet/device-plugins");
  assert.match(seen, /^kubelet\.sock$/m);
  node.api.remove(pods, { namespace: "default", name: "vendor" }, 1);
  await node.deleted("vendor");
});

test("a driver prepares a claim for all its pods, and undoes it after the last", { skip: cannotRun }, async (t) => {
  const driver = "gpu.example.test";
  const kind = "example.test/gpu";
  const spec = `/var/run/cdi/steersman-test-${process.pid}.json`;
  const socket = `${node.pluginFolder}/plugins/driver.sock`;
  mkdirSync("/var/run/cdi", { recursive: true });
  let refuses = true;
  const server = await PluginServer.listen(socket, (method, request) => {
    const uid = texts(request, 1, 2)[0]!;
    if (method.endsWith("NodeUnprepareResources")) {
      rmSync(spec, { force: true });
      return { 1: { 1: uid, 2: {} } };
    }
    if (refuses) return { 1: { 1: uid, 2: { 2: "the device is hot" } } };
    const edits = { env: ["GPU=one"], deviceNodes: [{ path: "/dev/gpu", hostPath: "/dev/zero" }] };
    const cdi = { cdiVersion: "0.6.0", kind: `${kind}`, devices: [{ name: "one", containerEdits: edits }] };
    writeFileSync(spec, JSON.stringify(cdi));
    return { 1: { 1: uid, 2: { 1: { 1: ["gpu"], 2: "n1", 3: "one", 4: [`${kind}=one`] } } } };
  });
  let verdict: Buffer | undefined;
  const registrar = await PluginServer.listen(
    `${node.pluginFolder}/plugins_registry/${driver}.sock`,
    (method, request) => {
      if (method.endsWith("GetInfo"))
        return { 1: "DRAPlugin", 2: driver, 3: "/var/lib/kubelet/plugins/driver.sock", 4: ["v1.DRAPlugin"] };
      verdict = request;
      return {};
    },
  );
  t.after(() => {
    registrar.close();
    server.close();
    rmSync(spec, { force: true });
  });
  const [first, second] = ["first", "second"].map((name) =>
    node.addPod(name, {
      resourceClaims: [{ name: "gpu", resourceClaimName: "shared" }],
      containers: [
        { name: "main", image: busybox, command: sleep, resources: { claims: [{ name: "gpu" }] } },
        { name: "other", image: busybox, command: sleep, resources: {} },
      ],
    }),
  ) as [Pod, Pod];
  const reservedFor = [first, second].map(({ metadata }) => ({
    resource: "pods",
    name: metadata.name!,
    uid: metadata.uid!,
  }));
  node.api.add(resourceclaims, {
    metadata: { name: "shared", namespace: "default" },
    spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } },
    status: {
      allocation: { devices: { results: [{ request: "gpu", driver, pool: "n1", device: "one" }] } },
      reservedFor,
    },
  });
  // Before it, the driver may not have been there yet.
  await node.api.untilEvent("FailedPrepareDynamicResources", "first", "the device is hot");
  refuses = false;
  for (const name of ["first", "second"]) {
    const pod = await node.until(name, isRunning);
    assert.equal((await node.exec(pod, "main", "sh", "-c", "echo $GPU; head -c 2 /dev/gpu | wc -c")).trim(), "one\n2");
    assert.equal((await node.exec(pod, "other", "sh", "-c", "echo $GPU; ls /dev/gpu")).includes("No such file"), true);
  }
  assert.deepEqual([...(verdict ?? [])], [...encode({ 1: 1 })], "the driver was told that it is registered");
  const [main, other] = messages(await report("Get", { 1: "first", 2: "default" }), 1).flatMap((pod) =>
    messages(pod, 3),
  );
  const [told] = messages(main!, 5);
  assert.deepEqual([texts(told!, 2), texts(told!, 3)], [["shared"], ["default"]]);
  assert.deepEqual(
    [texts(told!, 4, 1, 1), texts(told!, 4, 2), texts(told!, 4, 3), texts(told!, 4, 4)],
    [[`${kind}=one`], [driver], ["n1"], ["one"]],
  );
  assert.deepEqual(messages(other!, 5), [], "the other container does not use it");
  const calls = (): string[] => server.calls.map(({ method }) => method.split("/").at(-1)!);
  assert.equal(server.calls[0]?.method, "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources");
  node.api.remove(pods, { namespace: "default", name: "first" }, 1);
  await node.deleted("first");
  assert.equal(calls().includes("NodeUnprepareResources"), false, "the second pod uses it still");
  // The agent is away when the last pod goes: who it was for, and who must be asked, is written down.
  node.agent.stop();
  await node.startAgent();
  node.api.remove(pods, { namespace: "default", name: "second" }, 1);
  await node.deleted("second");
  assert.equal(calls().at(-1), "NodeUnprepareResources");
  registrar.close();
  server.close();
  rmSync(spec, { force: true });
});

test("a plugin of a kind that this node does not use is told so", { skip: cannotRun }, async (t) => {
  let told: Buffer | undefined;
  const heard = Promise.withResolvers<void>();
  const registrar = await PluginServer.listen(`${node.pluginFolder}/plugins_registry/csi.sock`, (method, request) => {
    if (method.endsWith("GetInfo")) return { 1: "CSIPlugin", 2: "csi.example.test", 3: "", 4: ["1.0.0"] };
    told = request;
    heard.resolve();
    return {};
  });
  t.after(() => registrar.close());
  await heard.promise;
  assert.equal(texts(told!, 2)[0], "plugins of type CSIPlugin are not used by this node");
  await assert.rejects(
    call(`${node.pluginFolder}/device-plugins/kubelet.sock`, "/v1beta1.Registration/Other", {}),
    /unknown method/,
  );
});
