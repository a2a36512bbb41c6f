/** What a pod is given with its node, and what is written down about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultPolicy } from "#apiserver/audit/policy.ts";
import { podTopologyLabels } from "#apiserver/admission/pod-and-node-defaults.ts";
import { send, startInProcess, type TestServer } from "./harness.ts";

const pods = "/api/v1/namespaces/default/pods";
const region = "topology.kubernetes.io/region";
const zone = "topology.kubernetes.io/zone";
const spec = { containers: [{ name: "c", image: "i" }] };

async function bind(server: TestServer, name: string): Promise<void> {
  const body = { metadata: { name, annotations: { by: "hand" } }, target: { name: "n1" } };
  const { status } = await send(server, "POST", `${pods}/${name}/binding`, body);
  assert.equal(status, 201);
}

test("a bound pod has its node's zone and region as labels, unless it says otherwise itself", async () => {
  const server = await startInProcess({ admission: (objects) => [podTopologyLabels(objects)] });
  await send(server, "POST", "/api/v1/nodes", { metadata: { name: "n1", labels: { [zone]: "z", [region]: "r" } } });
  const metadata = { name: "p", labels: { app: "web", [region]: "own" }, annotations: { note: "kept" } };
  const made = await send(server, "POST", pods, { metadata, spec });
  await bind(server, "p");
  const bound = JSON.parse((await send(server, "GET", `${pods}/p`)).text) as Bound;
  assert.deepEqual({ ...bound.metadata.labels }, { app: "web", [zone]: "z", [region]: "own" });
  assert.deepEqual({ ...bound.metadata.annotations }, { note: "kept", by: "hand" });
  assert.deepEqual(bound.spec, { ...(made.body.spec as object), nodeName: "n1" });
  assert.deepEqual(
    bound.status.conditions.map(({ type }) => type),
    ["PodScheduled"],
  );
  await server.close();
});

test("the entry in a binding's transaction is the one that its answer leaves", async () => {
  const lines: string[] = [];
  const note = (line: string): undefined => void lines.push(line);
  const server = await startInProcess({ audit: { policy: defaultPolicy, sinks: { note, write: note } } });
  await send(server, "POST", pods, { metadata: { name: "p" }, spec });
  const before = server.store.visible;
  await bind(server, "p");
  const records = await server.store.recordsAfter(before);
  const [promised] = records.map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as { audit: Entry });
  const told = JSON.parse(lines.at(-1) ?? "") as Entry;
  assert.equal(told.responseStatus.code, 201);
  assert.deepEqual(promised?.audit.responseStatus, told.responseStatus);
  await server.close();
});

interface Bound {
  readonly metadata: { readonly labels: object; readonly annotations: object };
  readonly spec: object;
  readonly status: { readonly conditions: readonly { readonly type: string }[] };
}

interface Entry {
  readonly responseStatus: { readonly code: number };
}
