/**
 * What a client writes never becomes the value of a label: methods, groups, resources, subresources, names, agents, hosts, paths
 * (CVE-2020-8551, CVE-2020-8552). The number of series stays the same, however many of them he invents.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import { seriesMax } from "#telemetry/metrics.ts";
import type { HttpResponse } from "#world/http.ts";
import { startSecured, type Question, type SecuredServer } from "./cluster.ts";
import { eventually } from "../eventually.ts";

const token = "t-admin";
const inventedPerWay = 400;
let server: SecuredServer;

const group = "wardle.example.com";
const listed = {
  kind: "APIResourceList",
  groupVersion: `${group}/v1`,
  resources: [{ name: "flunders", singularName: "flunder", namespaced: true, kind: "Flunder", verbs: ["get"] }],
};

/** An aggregated server that says yes to everything. */
const yes: NodeConnector = {
  request: () => Promise.reject(new Error("no nodes here")),
  upgrade: () => assert.fail("nothing is upgraded here"),
  dial: (_destination, { target }): Promise<HttpResponse> =>
    Promise.resolve({
      status: 200,
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify(target === `/apis/${group}/v1` ? listed : { kind: "Flunder" })),
    }),
};

before(async () => {
  server = await startSecured({ "tokens.csv": `${token},root,1,"system:masters"\n` }, { nodes: () => yes });
  await create("/api/v1/namespaces", { metadata: { name: "wardle" } });
  await create("/api/v1/namespaces/wardle/services", { metadata: { name: "s" }, spec: { ports: [{ port: 443 }] } });
  await create("/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices", {
    metadata: { name: "s", labels: { "kubernetes.io/service-name": "s" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.0.9"] }],
    ports: [{ port: 443 }],
  });
  const spec = {
    group,
    version: "v1",
    groupPriorityMinimum: 100,
    versionPriority: 10,
    service: { namespace: "wardle", name: "s" },
  };
  await create("/apis/apiregistration.k8s.io/v1/apiservices", { metadata: { name: `v1.${group}` }, spec });
  const path = `/apis/${group}/v1/flunders`;
  await eventually("the group is served", async () => (await ask({ path })).status === 200);
});
after(() => server.close());

function ask(question: Question): ReturnType<SecuredServer["ask"]> {
  return server.ask({ token, ...question });
}

async function create(path: string, body: object): Promise<void> {
  const answer = await ask({ method: "POST", path, body });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
}

async function requestSeries(): Promise<string[]> {
  const { body } = await ask({ path: "/metrics" });
  return String(body["text"])
    .split("\n")
    .filter((line) => /^(apiserver_|rest_client_|authentication_)/.test(line));
}

const maps = "/api/v1/namespaces/default/configmaps";
const ways: Readonly<Record<string, (word: string) => Question>> = {
  methods: (word) => ({ method: word.toUpperCase(), path: maps }),
  groups: (word) => ({ path: `/apis/${word}.example.com/v1/things` }),
  versions: (word) => ({ path: `/apis/apps/${word}/deployments` }),
  "resources of the core": (word) => ({ path: `/api/v1/${word}` }),
  "resources of a group": (word) => ({ path: `/apis/apps/v1/${word}/x` }),
  "resources of an aggregated server": (word) => ({ path: `/apis/${group}/v1/${word}` }),
  "subresources of an aggregated server": (word) => ({ path: `/apis/${group}/v1/namespaces/a/flunders/x/${word}` }),
  subresources: (word) => ({ path: `${maps}/x/${word}` }),
  "subresources that are written": (word) => ({
    method: "POST",
    path: `/api/v1/namespaces/default/pods/x/${word}`,
    body: {},
  }),
  names: (word) => ({ path: `${maps}/${word}` }),
  namespaces: (word) => ({ path: `/api/v1/namespaces/${word}/configmaps` }),
  paths: (word) => ({ path: `/${word}/of/nothing` }),
  queries: (word) => ({ path: `${maps}?labelSelector=a%3D${word}&${word}=1` }),
  agents: (word) => ({ path: maps, headers: { "user-agent": `${word}/1` } }),
  hosts: (word) => ({ path: maps, headers: { host: `${word}.example.com` } }),
  "content types": (word) => ({
    method: "POST",
    path: maps,
    headers: { "content-type": `application/${word}` },
    body: {},
  }),
  "accepted types": (word) => ({ path: maps, headers: { accept: `application/${word}` } }),
  users: (word) => ({ path: maps, headers: { "impersonate-user": word } }),
  tokens: (word) => ({ path: maps, token: word }),
  "paths that break": (word) => ({ path: `/api/v1/namespaces/%ff${word}/configmaps` }),
};

for (const [what, way] of Object.entries(ways)) {
  test(`invented ${what} add no series`, async () => {
    const word = (index: number): string => `invented${what.length}x${index}`;
    await ask(way(word(0)));
    // Asking for the page is a request too, and is counted from the next page on.
    await requestSeries();
    const before = (await requestSeries()).length;
    for (let index = 1; index <= inventedPerWay; index++) await ask(way(word(index)));
    const series = await requestSeries();
    assert.deepEqual(
      series.filter((line) => /invented/i.test(line)),
      [],
    );
    assert.ok(series.length <= before + 20, `${before} became ${series.length}`);
    assert.ok(series.length < seriesMax);
  });
}
