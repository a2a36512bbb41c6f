/** Profiles and extenders from `config/scheduler.yaml`, against a running cluster. The extender is played by this test. */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { startSimulatedCluster, type TestCluster } from "../cluster/harness.ts";
import { condition } from "../conformance/apps-objects.ts";
import { type Api, arrayAt, nameOf, pick, type Json } from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { startWithScheduler } from "./configured-scheduler.ts";
import { eventually } from "../eventually.ts";

/** What the extender says; requests are kept by verb. */
let allowed: (node: string) => boolean = () => true;
let answers = true;
const asked = new Map<string, Json[]>();
let extender: http.Server;
let cluster: TestCluster;
let api: Api;
const pods = "/api/v1/namespaces/default/pods";

function answer(verb: string, body: Json): unknown {
  const names = (body["NodeNames"] ?? []) as string[];
  if (verb === "filter") {
    const refused = names.filter((name) => !allowed(name));
    return { NodeNames: names.filter(allowed), FailedNodes: Object.fromEntries(refused.map((name) => [name, "no"])) };
  }
  return names.map((host) => ({ Host: host, Score: host === names.at(-1) ? 10 : 0 }));
}

before(async () => {
  extender = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const verb = request.url?.split("/").at(-1) ?? "";
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Json;
      asked.set(verb, [...(asked.get(verb) ?? []), body]);
      // Without an answer the scheduler's patience ends it.
      if (answers) response.setHeader("content-type", "application/json").end(JSON.stringify(answer(verb, body)));
    });
  });
  await new Promise<void>((resolve) => extender.listen(0, "127.0.0.1", resolve));
  const { port } = extender.address() as AddressInfo;
  cluster = startSimulatedCluster(3);
  assert.equal(cluster.steer("down").code, 0);
  const configuration = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  plugins:
    score:
      disabled: [{name: "*"}]
      enabled: [{name: NodeResourcesFit, weight: 10}]
    filter:
      disabled: [{name: TaintToleration}]
  pluginConfig:
  - {name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}
- schedulerName: even
  pluginConfig:
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}]
extenders:
- urlPrefix: http://127.0.0.1:${port}/scheduler
  filterVerb: filter
  prioritizeVerb: prioritize
  nodeCacheCapable: true
  httpTimeout: 3s
  managedResources: [{name: example.com/licence, ignoredByScheduler: true}]
`;
  api = startWithScheduler(cluster, configuration);
});

after(() => {
  api.close();
  extender.closeAllConnections();
  extender.close();
  cluster.remove();
});

async function placed(name: string): Promise<string> {
  return eventually(`${name} has a node`, async () => {
    const node = pick(await api.get(`${pods}/${name}`), "spec.nodeName");
    return node !== undefined && String(node);
  });
}

const asking = (name: string, requests: Json, more: Json = {}): Json =>
  pod(name, {
    containers: [{ name: "main", image: "example/web:1", resources: { requests, limits: requests } }],
    ...more,
  });

test("pods of a profile that fills nodes come together, those of the default one are spread", async () => {
  for (let i = 0; i < 3; i += 1) {
    await api.create(pods, asking(`packed-${i}`, { cpu: "1", memory: "1Gi" }, { schedulerName: "packing" }));
    await placed(`packed-${i}`);
  }
  const packed = new Set(await Promise.all([0, 1, 2].map((i) => placed(`packed-${i}`))));
  assert.equal(packed.size, 1, [...packed].join());
  for (let i = 0; i < 2; i += 1) {
    await api.create(pods, asking(`spread-${i}`, { cpu: "1", memory: "1Gi" }));
    await placed(`spread-${i}`);
  }
  const spread = new Set(await Promise.all([0, 1].map((i) => placed(`spread-${i}`))));
  assert.equal(spread.size, 2);
});

test("a profile spreads the pods of a controller as its arguments say", async () => {
  const nodes = arrayAt(await api.get("/api/v1/nodes")).length;
  await api.create("/apis/apps/v1/namespaces/default/replicasets", {
    metadata: { name: "even" },
    spec: {
      replicas: nodes * 2,
      selector: { matchLabels: { app: "even" } },
      template: {
        metadata: { labels: { app: "even" } },
        spec: pick(asking("even", {}, { schedulerName: "even" }), "spec"),
      },
    },
  });
  const perNode = await eventually("all have nodes", async () => {
    const names = arrayAt(await api.get(`${pods}?labelSelector=app%3Deven`)).map((one) => pick(one, "spec.nodeName"));
    if (names.length < nodes * 2 || names.includes(undefined)) return undefined;
    return names.reduce(
      (counts: Map<unknown, number>, name) => counts.set(name, (counts.get(name) ?? 0) + 1),
      new Map(),
    );
  });
  assert.deepEqual(
    [...perNode.values()],
    Array.from({ length: nodes }, () => 2),
  );
});

test("a filter that a profile leaves out holds for the others", async () => {
  const nodes = arrayAt(await api.get("/api/v1/nodes")).map(nameOf);
  const taint = { key: "dedicated", value: "x", effect: "NoSchedule" };
  for (const node of nodes) await api.patch(`/api/v1/nodes/${node}`, { spec: { taints: [taint] } });
  await api.create(pods, asking("kept-out", { cpu: "100m" }));
  await eventually("it is kept out", async () => {
    const found = await api.get(`${pods}/kept-out`);
    return String(condition(found, "PodScheduled")?.message).includes("untolerated taint");
  });
  await api.create(pods, asking("let-in", { cpu: "100m" }, { schedulerName: "packing" }));
  await placed("let-in");
  for (const node of nodes) await api.patch(`/api/v1/nodes/${node}`, { spec: { taints: null } });
  await placed("kept-out");
});

test("pods of a scheduler that nobody plays wait for it", async () => {
  await api.create(pods, asking("foreign", { cpu: "100m" }, { schedulerName: "somebody-else" }));
  await api.create(pods, asking("own", { cpu: "100m" }));
  await placed("own");
  assert.equal(pick(await api.get(`${pods}/foreign`), "spec.nodeName"), undefined);
});

test("an extender is asked about pods that want its resource alone, and its word counts", async () => {
  const nodes = arrayAt(await api.get("/api/v1/nodes"))
    .map(nameOf)
    .sort();
  await api.create(pods, asking("usual", { cpu: "100m" }));
  await placed("usual");
  assert.equal(asked.size, 0, "it was asked about a pod that does not concern it");
  allowed = (node) => node !== nodes[0];
  await api.create(pods, asking("licensed", { "example.com/licence": "1" }));
  const node = await placed("licensed");
  const [filtered] = asked.get("filter") ?? [];
  assert.equal(pick(filtered, "Pod.metadata.name"), "licensed");
  assert.deepEqual([...((filtered?.["NodeNames"] ?? []) as string[])].sort(), nodes);
  const left = asked.get("prioritize")?.[0]?.["NodeNames"] as string[];
  assert.equal(left.includes(nodes[0]!), false);
  assert.equal(node, left.at(-1), "the most points win");
});

test("what an extender refuses everywhere waits and says so; one that does not answer is met with patience", async () => {
  allowed = () => false;
  await api.create(pods, asking("refused", { "example.com/licence": "1" }));
  await eventually("it is refused", async () => {
    const found = await api.get(`${pods}/refused`);
    return String(condition(found, "PodScheduled")?.message).includes("3 node(s) were refused by an extender");
  });
  allowed = () => true;
  answers = false;
  await api.create(pods, asking("patient", { "example.com/licence": "1" }));
  await eventually("the silence is told", async () => {
    const events = arrayAt(await api.get("/api/v1/namespaces/default/events"));
    return events.some((event) => String(event["message"]).includes("no answer within 3000 ms"));
  });
  await api.create(pods, asking("unconcerned", { cpu: "100m" }));
  await placed("unconcerned");
  answers = true;
  await placed("patient");
});
