/** Every verb of a scheduler's extender over HTTPS, against a running cluster: binding and preemption, silence, other resources. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startSimulatedCluster, type TestCluster } from "../cluster/harness.ts";
import { condition } from "../conformance/apps-objects.ts";
import { type Api, arrayAt, nameOf, pick, type Json } from "../conformance/cluster.ts";
import { pod } from "../conformance/workloads.ts";
import { startWithScheduler } from "./configured-scheduler.ts";
import { eventually } from "../eventually.ts";

const licence = "example.com/licence";
const seat = "example.com/seat";
const pods = "/api/v1/namespaces/default/pods";
let cluster: TestCluster;
let api: Api;
let server: https.Server;
/** Requests by verb. */
const asked = new Map<string, Json[]>();
let preemptVerdict: (victims: Json) => Json = (victims) => victims;
let bindError = "";

async function answer(verb: string, body: Json): Promise<unknown> {
  if (verb === "bind") {
    if (bindError !== "") return { Error: bindError };
    const { PodName, PodNamespace, PodUID, Node } = body as Record<string, string>;
    await api.create(`/api/v1/namespaces/${PodNamespace}/pods/${PodName}/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: PodName, namespace: PodNamespace, uid: PodUID },
      target: { apiVersion: "v1", kind: "Node", name: Node },
    });
    return {};
  }
  if (verb === "preempt") {
    const given = body["NodeNameToVictims"] as Record<string, { Pods: Json[] }>;
    const named = Object.entries(given).map(([node, { Pods }]) => [
      node,
      { Pods: Pods.map((one) => ({ UID: pick(one, "metadata.uid") })), NumPDBViolations: 0 },
    ]);
    return { NodeNameToMetaVictims: preemptVerdict(Object.fromEntries(named) as Json) };
  }
  // Whoever does not know the cluster is given whole nodes, and answers with whole nodes.
  return { Nodes: body["Nodes"], FailedNodes: {} };
}

before(async () => {
  cluster = startSimulatedCluster(2);
  assert.equal(cluster.steer("down").code, 0);
  const base = join(cluster.dataDir, "extender");
  const made = cluster.run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-keyout", `${base}.key`, "-out", `${base}.crt`, "-subj", "/CN=extender"],
    ...["-addext", "subjectAltName=IP:127.0.0.1"],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const certificate = readFileSync(`${base}.crt`);
  server = https.createServer({ cert: certificate, key: readFileSync(`${base}.key`) }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const verb = request.url?.split("/").at(-1) ?? "";
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Json;
      asked.set(verb, [...(asked.get(verb) ?? []), body]);
      // "silent" is never answered.
      if (verb === "silent") return;
      void answer(verb, body).then((value) =>
        response.setHeader("content-type", "application/json").end(JSON.stringify(value)),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const configuration = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
extenders:
- urlPrefix: https://127.0.0.1:${port}/one/
  filterVerb: filter
  preemptVerb: preempt
  bindVerb: bind
  enableHTTPS: true
  tlsConfig: {caData: ${certificate.toString("base64")}}
  managedResources: [{name: ${licence}, ignoredByScheduler: true}]
- urlPrefix: https://127.0.0.1:${port}/two
  filterVerb: silent
  prioritizeVerb: silent
  httpTimeout: 300ms
  ignorable: true
  tlsConfig: {caData: ${certificate.toString("base64")}}
  managedResources: [{name: ${seat}, ignoredByScheduler: true}]
`;
  api = startWithScheduler(cluster, configuration);
});

after(() => {
  api.close();
  server.closeAllConnections();
  server.close();
  cluster.remove();
});

const asking = (name: string, requests: Json, more: Json = {}): Json =>
  pod(name, {
    containers: [{ name: "main", image: "example/web:1", resources: { requests, limits: requests } }],
    ...more,
  });

function placed(name: string): Promise<string> {
  return eventually(`${name} has a node`, async () => {
    const node = pick(await api.get(`${pods}/${name}`), "spec.nodeName");
    return node !== undefined && String(node);
  });
}

test("an extender binds the pods that it manages, and no others; what it refuses is tried again", async () => {
  await api.create(pods, asking("plain", { cpu: "100m" }));
  await placed("plain");
  assert.equal(asked.get("bind"), undefined, "it manages another resource");
  bindError = "no licence left";
  await api.create(pods, asking("licensed", { [licence]: "1" }));
  await eventually("the refusal is told", async () => {
    const events = arrayAt(await api.get("/api/v1/namespaces/default/events"));
    return events.some((event) => String(event["message"]).includes("binding rejected: no licence left"));
  });
  bindError = "";
  const node = await placed("licensed");
  const last = asked.get("bind")?.at(-1);
  const { PodName, PodNamespace, PodUID, Node } = last as Record<string, string>;
  const uid = pick(await api.get(`${pods}/licensed`), "metadata.uid");
  assert.deepEqual([PodName, PodNamespace, PodUID, Node], ["licensed", "default", uid, node]);
  const nodes = asked.get("filter")?.[0]?.["Nodes"];
  assert.equal(arrayAt(nodes).length, 2, "it is given whole nodes");
  assert.notEqual(pick(arrayAt(nodes)[0], "status.allocatable.cpu"), undefined);
});

test("one that is silent and may be ignored holds nobody up", async () => {
  await api.create(pods, asking("seated", { [seat]: "1" }));
  await placed("seated");
  assert.ok((asked.get("silent") ?? []).length > 0, "it was asked");
});

test("an extender has the last word on who must go", async () => {
  const node = nameOf(arrayAt(await api.get("/api/v1/nodes"))[0]);
  for (const [name, value] of [
    ["low", 1],
    ["high", 1000],
  ] as const)
    await api.create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
  const path = `/api/v1/nodes/${node}/status`;
  const offered = ["capacity", "allocatable"].map((list) => ({
    op: "add",
    path: `/status/${list}/example.com~1room`,
    value: "2",
  }));
  await api.patch(path, offered, "json");
  const room = (name: string, amount: number, priorityClassName: string, more: Json = {}): Json =>
    asking(
      name,
      { "example.com/room": String(amount), ...more },
      { priorityClassName, terminationGracePeriodSeconds: 0 },
    );
  for (const name of ["first", "second"]) {
    await api.create(pods, room(name, 1, "low"));
    await placed(name);
  }
  // It says that nobody's end would help: nobody goes, however much the pod matters.
  preemptVerdict = () => ({});
  await api.create(pods, room("important", 2, "high", { [licence]: "1" }));
  await eventually("it was asked", async () => (asked.get("preempt") ?? []).length > 0);
  const given = asked.get("preempt")![0]!["NodeNameToVictims"] as Record<string, { Pods: Json[] }>;
  assert.deepEqual(given[node]!.Pods.map(nameOf).sort(), ["first", "second"], "whole pods, not names");
  const waiting = await eventually("it is told why it waits", async () => {
    const found = await api.get(`${pods}/important`);
    return condition(found, "PodScheduled")?.status === "False" && found;
  });
  assert.equal(pick(waiting, "status.nominatedNodeName"), undefined);
  for (const name of ["first", "second"])
    assert.equal(pick(await api.get(`${pods}/${name}`), "metadata.deletionTimestamp"), undefined);
  preemptVerdict = (victims) => victims;
  // Something changes, so that it is looked at again.
  await api.patch(`/api/v1/nodes/${node}`, { metadata: { labels: { changed: "yes" } } });
  await placed("important");
  for (const name of ["first", "second"]) assert.equal((await api.request("GET", `${pods}/${name}`)).status, 404);
});
