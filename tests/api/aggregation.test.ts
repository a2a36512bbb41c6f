/** APIServices: another server answers a group version, knows who asks, and is part of discovery while it is there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Destination, NodeConnector } from "#apiserver/node-connector.ts";
import { AddressNotAllowedError, type HttpRequest, type HttpResponse } from "#world/http.ts";
import { send, startInProcess, type TestServer } from "./harness.ts";
import { eventually } from "../eventually.ts";

interface Seen {
  readonly destination: Destination;
  readonly request: HttpRequest;
}

const list = {
  kind: "APIResourceList",
  groupVersion: "wardle.example.com/v1alpha1",
  resources: [
    {
      name: "flunders",
      singularName: "flunder",
      namespaced: true,
      kind: "Flunder",
      verbs: ["get", "list", "create", "watch"],
    },
    { name: "flunders/status", namespaced: true, kind: "Flunder", verbs: ["get"] },
  ],
};

/** A server that answers its discovery and echoes everything else. */
function aggregated(answers: { up: boolean; v2?: unknown }): NodeConnector & { readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const json = (status: number, value: unknown): HttpResponse => ({
    status,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(value)),
  });
  return {
    seen,
    request: () => Promise.reject(new Error("no nodes here")),
    upgrade: () => assert.fail("nothing is upgraded here"),
    dial: (destination, request) => {
      seen.push({ destination, request });
      if (!answers.up) return Promise.reject(new Error("refused"));
      if (destination.host === "169.254.169.254")
        return Promise.reject(new AddressNotAllowedError("address not allowed"));
      if (request.target.includes("away"))
        return Promise.resolve({ ...json(302, {}), headers: { location: "http://evil/" } });
      if (request.target.startsWith("/openapi/v3/")) return Promise.resolve(openApiAnswer(request));
      if (request.target === "/openapi/v2") return Promise.resolve(json(200, answers.v2));
      return Promise.resolve(
        json(200, request.target === "/apis/wardle.example.com/v1alpha1" ? list : { kind: "Flunder" }),
      );
    },
  };
}

const published = { openapi: "3.0.0", paths: { "/apis/wardle.example.com/v1alpha1/flunders": {} } };

function openApiAnswer({ headers }: HttpRequest): HttpResponse {
  const etag = '"one"';
  if (headers["if-none-match"] === etag) return { status: 304, headers: { etag }, body: new Uint8Array(0) };
  return { status: 200, headers: { etag }, body: new TextEncoder().encode(JSON.stringify(published)) };
}

const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const services = "/apis/apiregistration.k8s.io/v1/apiservices";
const name = "v1alpha1.wardle.example.com";

async function register(server: TestServer): Promise<void> {
  await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "wardle" } });
  await send(server, "POST", services, {
    metadata: { name },
    spec: {
      group: "wardle.example.com",
      version: "v1alpha1",
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      service: { namespace: "wardle", name: "sample", port: 7443 },
      caBundle: btoa("-----BEGIN CERTIFICATE-----\n"),
    },
  });
}

async function addEndpoints(server: TestServer): Promise<void> {
  const spec = { ports: [{ port: 7443, targetPort: 443, name: "https" }], selector: { app: "sample" } };
  await send(server, "POST", "/api/v1/namespaces/wardle/services", { metadata: { name: "sample" }, spec });
  await send(server, "POST", "/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices", {
    metadata: { name: "sample", labels: { "kubernetes.io/service-name": "sample" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.0.9"], conditions: { ready: true } }],
    ports: [{ name: "https", port: 443 }],
  });
}

interface Condition {
  readonly status: string;
  readonly reason: string;
}

async function conditionBecomes(server: TestServer, status: string, reason: string): Promise<void> {
  let condition: Condition | undefined;
  await eventually(
    () => `the condition is ${status} ${reason}, not ${JSON.stringify(condition)}`,
    async () => {
      const { body } = await send(server, "GET", `${services}/${name}`);
      condition = (body.status as { conditions?: Condition[] } | undefined)?.conditions?.[0];
      return condition?.status === status && condition.reason === reason;
    },
  );
}

test("a server is reached when its endpoints are there, with the caller's identity and never with his credentials", async () => {
  const answers = { up: true };
  const nodes = aggregated(answers);
  const server = await startInProcess({ nodes });
  await register(server);
  await conditionBecomes(server, "False", "ServiceNotFound");
  assert.equal((await send(server, "GET", "/apis/wardle.example.com/v1alpha1/flunders")).status, 503);
  // Clients must not take its resources for gone: they see that there is something that they know nothing of.
  assert.equal(await freshness(server), "Stale");
  const group = await send(server, "GET", "/apis/wardle.example.com");
  assert.deepEqual(group.body.versions, [{ groupVersion: "wardle.example.com/v1alpha1", version: "v1alpha1" }]);
  assert.equal((await send(server, "GET", "/apis/wardle.example.com/v1alpha1")).status, 503);

  await addEndpoints(server);
  await conditionBecomes(server, "True", "Passed");
  const headers = {
    authorization: "Bearer secret",
    "sec-websocket-protocol": "base64url.bearer.authorization.k8s.io.c2VjcmV0, v5.channel.k8s.io",
    "x-remote-user": "root",
    "x-remote-group": "system:masters",
  };
  const answer = await send(
    server,
    "GET",
    "/apis/wardle.example.com/v1alpha1/namespaces/a/flunders/x?pretty=1",
    undefined,
    headers,
  );
  assert.deepEqual(answer.body, { kind: "Flunder" });
  const { destination, request } = nodes.seen.at(-1)!;
  const { ca: _ca, ...where } = destination;
  assert.deepEqual(where, {
    scheme: "https",
    host: "10.244.0.9",
    port: 443,
    serverName: "sample.wardle.svc",
    asFrontProxy: true,
  });
  assert.equal(request.target, "/apis/wardle.example.com/v1alpha1/namespaces/a/flunders/x?pretty=1");
  assert.equal(request.headers["x-remote-user"], "admin");
  assert.equal(request.headers["x-remote-group"], "system:masters\nsystem:authenticated");
  assert.equal(request.headers.authorization, undefined);
  assert.equal(request.headers["sec-websocket-protocol"], "v5.channel.k8s.io");
  await server.close();
});

test("its resources are discovered, and go with its APIService", async () => {
  const server = await startInProcess({ nodes: aggregated({ up: true }) });
  await register(server);
  await addEndpoints(server);
  await conditionBecomes(server, "True", "Passed");
  const groups = async (): Promise<string[]> =>
    ((await send(server, "GET", "/apis")).body.groups as { name: string }[]).map((group) => group.name);
  assert.ok((await groups()).includes("wardle.example.com"));
  assert.match((await send(server, "GET", "/apis", undefined, { accept })).text, /"resource":"flunders"/);
  await send(server, "DELETE", `${services}/${name}`);
  await eventually("the group leaves discovery", async () => !(await groups()).includes("wardle.example.com"));
  assert.equal((await send(server, "GET", "/apis/wardle.example.com/v1alpha1/flunders")).status, 404);
  await server.close();
});

async function freshness(server: TestServer): Promise<unknown> {
  const { body } = await send(server, "GET", "/apis", undefined, { accept });
  const groups = body.items as { metadata: { name: string }; versions: { freshness: string }[] }[];
  return groups.find(({ metadata }) => metadata.name === "wardle.example.com")?.versions[0]?.freshness;
}

test("redirections are neither followed nor passed on; a server that is gone makes its APIService unavailable", async () => {
  const answers = { up: true };
  const server = await startInProcess({ nodes: aggregated(answers) });
  await register(server);
  await addEndpoints(server);
  await conditionBecomes(server, "True", "Passed");
  const redirected = await send(server, "GET", "/apis/wardle.example.com/v1alpha1/flunders/away");
  assert.equal(redirected.status, 502);
  assert.equal(redirected.headers.location, undefined);
  assert.equal(await freshness(server), "Current");
  answers.up = false;
  await send(
    server,
    "PATCH",
    "/api/v1/namespaces/wardle/services/sample",
    { metadata: { labels: { a: "b" } } },
    {
      "content-type": "application/merge-patch+json",
    },
  );
  await conditionBecomes(server, "False", "FailedDiscoveryCheck");
  assert.equal((await send(server, "GET", "/apis/wardle.example.com/v1alpha1/flunders")).status, 503);
  assert.equal(await freshness(server), "Stale");
  await server.close();
});

test("its OpenAPI document is in the index while it is there, as it published it, with an ETag", async () => {
  const answers = { up: true };
  const nodes = aggregated(answers);
  const server = await startInProcess({ nodes });
  await register(server);
  await addEndpoints(server);
  await conditionBecomes(server, "True", "Passed");
  const path = "apis/wardle.example.com/v1alpha1";
  const index = (await send(server, "GET", "/openapi/v3")).body.paths as Record<string, { serverRelativeURL: string }>;
  const { serverRelativeURL = "" } = index[path] ?? {};
  assert.match(serverRelativeURL, /^\/openapi\/v3\/apis\/wardle\.example\.com\/v1alpha1\?hash=[0-9A-F]{16}$/);
  const first = await send(server, "GET", serverRelativeURL);
  assert.deepEqual(first.body, published);
  const etag = String(first.headers.etag);
  assert.equal(serverRelativeURL.endsWith(`hash=${etag.replaceAll('"', "")}`), true);
  const again = await send(server, "GET", `/openapi/v3/${path}`, undefined, { "if-none-match": etag });
  assert.deepEqual([again.status, again.text], [304, ""]);
  const labels = { metadata: { labels: { look: "again" } } };
  const merge = { "content-type": "application/merge-patch+json" };
  await send(server, "PATCH", `${services}/${name}`, labels, merge);
  await eventually("the server is asked whether its document is still the same", () =>
    nodes.seen.some(({ request }) => request.headers["if-none-match"] === '"one"'),
  );
  assert.deepEqual((await send(server, "GET", `/openapi/v3/${path}`)).body, published);
  await server.close();
});

interface Definition {
  readonly type?: string;
  readonly properties?: Record<string, { $ref?: string }>;
  readonly "x-kubernetes-group-version-kind"?: { kind: string; group: string }[];
}

const refer = (definition: string): { $ref: string } => ({ $ref: `#/definitions/${definition}` });
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
const ownKind = { group: "wardle.example.com", version: "v1alpha1", kind: "Flunder" };
const patchOf = (body: string): unknown => ({
  patch: {
    operationId: "patchFlunder",
    parameters: [{ in: "body", name: "body", schema: refer(body) }],
    responses: { 200: { description: "OK", schema: refer("Flunder") } },
    "x-kubernetes-group-version-kind": ownKind,
  },
});
/** As a server publishes it that was built with other versions of the shared types, and that claims paths of others. */
const publishedV2 = {
  swagger: "2.0",
  paths: {
    "/apis/wardle.example.com/v1alpha1/flunders": patchOf(`${meta}.Patch`),
    "/api/v1/namespaces/{namespace}/secrets": patchOf("Evil"),
    "/apis/wardle.example.com/v1alpha10/others": patchOf("Evil"),
  },
  definitions: {
    Flunder: {
      type: "object",
      properties: {
        metadata: refer(`${meta}.ListMeta`),
        status: refer(`${meta}.Time`),
        __proto__x: refer("__proto__"),
      },
      "x-kubernetes-group-version-kind": [ownKind],
    },
    [`${meta}.Patch`]: {
      type: "object",
      description: "told in other words",
      "x-kubernetes-group-version-kind": [{ ...ownKind, kind: "Patch" }],
    },
    [`${meta}.ListMeta`]: { type: "object", properties: { continue: { type: "integer" } } },
    [`${meta}.Time`]: { type: "string", format: "date-time" },
    ["__proto__"]: { type: "boolean" },
    Evil: { type: "string" },
    Unused: { type: "string" },
  },
};

async function v2Of(
  server: TestServer,
): Promise<{ paths: Record<string, unknown>; definitions: Record<string, Definition> }> {
  const { status, body } = await send(server, "GET", "/openapi/v2");
  assert.equal(status, 200);
  return body as Awaited<ReturnType<typeof v2Of>>;
}

test("its part of OpenAPI 2 is merged: its own paths only, definitions that clash under another name", async () => {
  const answers = { up: true, v2: publishedV2 };
  const server = await startInProcess({ nodes: aggregated(answers) });
  const before = await v2Of(server);
  await register(server);
  await addEndpoints(server);
  await conditionBecomes(server, "True", "Passed");
  const { paths, definitions } = await v2Of(server);
  const added = Object.keys(paths).filter((path) => !(path in before.paths));
  assert.deepEqual(
    added.filter((path) => path.includes("/flunders") && !path.includes("{")),
    ["/apis/wardle.example.com/v1alpha1/flunders"],
  );
  assert.deepEqual(
    paths["/api/v1/namespaces/{namespace}/secrets"],
    before.paths["/api/v1/namespaces/{namespace}/secrets"],
  );
  assert.equal(definitions["Flunder"]?.properties?.["metadata"]?.$ref, `#/definitions/${meta}.ListMeta_v2`);
  assert.deepEqual(definitions[`${meta}.ListMeta`], before.definitions[`${meta}.ListMeta`]);
  assert.equal(definitions["Flunder"]?.properties?.["status"]?.$ref, `#/definitions/${meta}.Time`);
  assert.deepEqual(Object.getOwnPropertyDescriptor(definitions, "__proto__")?.value, { type: "boolean" });
  assert.equal(definitions["Evil"] ?? definitions["Unused"], undefined);
  const kindsOf = (name: string): string[] =>
    (definitions[name]?.["x-kubernetes-group-version-kind"] ?? []).map(({ group, kind }) => `${group}/${kind}`);
  assert.ok(kindsOf(`${meta}.Patch`).includes("wardle.example.com/Patch"));
  const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
  const protobuf = await send(server, "GET", "/openapi/v2", undefined, { accept });
  assert.ok(protobuf.text.includes("patchFlunder") && protobuf.text.includes("ListMeta_v2"));
  await server.close();
});

for (const [name, v2] of [
  ["no OpenAPI 2", "not found"],
  ["OpenAPI 2 that is nested without end", Array(5_000).reduce((inner: unknown) => [inner], [])],
  ["OpenAPI 2 with parts of the wrong type", { paths: { "/apis/wardle.example.com/v1alpha1/x": 5 }, definitions: [] }],
] as const) {
  test(`a server with ${name} leaves the document as it was`, async () => {
    const server = await startInProcess({ nodes: aggregated({ up: true, v2 }) });
    await register(server);
    await addEndpoints(server);
    await conditionBecomes(server, "True", "Passed");
    const { definitions } = await v2Of(server);
    assert.ok("io.k8s.api.core.v1.Pod" in definitions);
    await server.close();
  });
}

test("a server that died is no longer in OpenAPI 2, and everything else is", async () => {
  const answers = { up: true, v2: publishedV2 };
  const server = await startInProcess({ nodes: aggregated(answers) });
  await register(server);
  await addEndpoints(server);
  await conditionBecomes(server, "True", "Passed");
  assert.ok("Flunder" in (await v2Of(server)).definitions);
  answers.up = false;
  const merge = { "content-type": "application/merge-patch+json" };
  const labels = { metadata: { labels: { look: "again" } } };
  await send(server, "PATCH", "/api/v1/namespaces/wardle/services/sample", labels, merge);
  await conditionBecomes(server, "False", "FailedDiscoveryCheck");
  const { definitions } = await v2Of(server);
  assert.ok("io.k8s.api.core.v1.Pod" in definitions);
  assert.equal("Flunder" in definitions, false);
  await server.close();
});
