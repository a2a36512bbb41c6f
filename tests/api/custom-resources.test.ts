import assert from "node:assert/strict";
import { test } from "node:test";
import { send, startOverHttps, watch, type TestServer } from "./harness.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const widgets = "/apis/example.com/v1/namespaces/default/widgets";
const merge = { "content-type": "application/merge-patch+json" };

const schema = {
  openAPIV3Schema: {
    type: "object",
    properties: {
      spec: {
        type: "object",
        required: ["size"],
        properties: {
          size: { type: "string", enum: ["S", "M"] },
          replicas: { type: "integer", default: 1, minimum: 0 },
          code: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
          free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
      status: { type: "object", properties: { replicas: { type: "integer" } } },
    },
  },
};

function version(name: string, storage: boolean): Record<string, unknown> {
  return {
    name,
    served: true,
    storage,
    schema,
    subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
    additionalPrinterColumns: [{ name: "Size", type: "string", jsonPath: ".spec.size" }],
  };
}

const definition = {
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", shortNames: ["wd"] },
    versions: [version("v1", true), version("v1beta1", false)],
  },
};

/** Plays a story on a server where the definition is established. */
function story(name: string, play: (server: TestServer) => Promise<void>): void {
  test(name, async () => {
    const server = await startOverHttps();
    try {
      await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
      const seen = await watch(server, `${definitions}?watch=1`);
      assert.equal((await send(server, "POST", definitions, definition)).status, 201);
      for (let isEstablished = false; !isEstablished;) {
        const event = await seen.next();
        const status = event?.object.status as { conditions?: { type: string; status: string }[] } | undefined;
        isEstablished =
          status?.conditions?.some(({ type, status: holds }) => type === "Established" && holds === "True") === true;
      }
      seen.close();
      while ((await send(server, "GET", widgets)).status === 404);
      await play(server);
    } finally {
      await server.close();
    }
  });
}

story("objects are pruned, defaulted and validated by the definition's schema", async (server) => {
  const spec = { size: "M", unknown: 1, free: { any: { thing: [1] } } };
  const made = await send(server, "POST", widgets, {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name: "w" },
    spec,
  });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.spec, { size: "M", free: { any: { thing: [1] } }, replicas: 1 });
  const bad = await send(server, "PATCH", `${widgets}/w`, { spec: { size: "X", replicas: -1, code: "A" } }, merge);
  assert.equal(bad.status, 422);
  assert.deepEqual(
    (bad.body.details as { causes: { field: string }[] }).causes.map(({ field }) => field),
    ["spec.size", "spec.replicas", "spec.code"],
  );
  const strict = await send(server, "POST", `${widgets}?fieldValidation=Strict`, { metadata: { name: "s" }, spec });
  assert.equal(strict.status, 400);
});

story("status and scale are subresources; generation counts the spec", async (server) => {
  await send(server, "POST", widgets, { metadata: { name: "w" }, spec: { size: "S" }, status: { replicas: 9 } });
  const first = await send(server, "GET", `${widgets}/w`);
  assert.equal(first.body.status, undefined);
  const status = await send(
    server,
    "PATCH",
    `${widgets}/w/status`,
    { status: { replicas: 1 }, spec: { size: "M" } },
    merge,
  );
  assert.deepEqual([status.body.status, status.body.spec], [{ replicas: 1 }, { size: "S", replicas: 1 }]);
  const scaled = await send(server, "PATCH", `${widgets}/w/scale`, { spec: { replicas: 4 } }, merge);
  assert.deepEqual([scaled.body.spec, scaled.body.status], [{ replicas: 4 }, { replicas: 1 }]);
  const last = await send(server, "GET", `${widgets}/w`);
  assert.equal((last.body.metadata as { generation: number }).generation, 2);
});

story("another served version shows the same object; its columns come from the definition", async (server) => {
  await send(server, "POST", widgets, { metadata: { name: "w" }, spec: { size: "S" } });
  const other = await send(server, "GET", "/apis/example.com/v1beta1/namespaces/default/widgets/w");
  assert.deepEqual([other.body.apiVersion, other.body.spec], ["example.com/v1beta1", { size: "S", replicas: 1 }]);
  const written = await send(
    server,
    "PATCH",
    "/apis/example.com/v1beta1/namespaces/default/widgets/w",
    { spec: { size: "M" } },
    merge,
  );
  assert.equal(written.body.apiVersion, "example.com/v1beta1");
  assert.equal((await send(server, "GET", `${widgets}/w`)).body.apiVersion, "example.com/v1");
  const table = await send(server, "GET", widgets, undefined, {
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
  });
  assert.deepEqual((table.body.rows as { cells: unknown[] }[])[0]?.cells, ["w", "M"]);
  const patched = await send(
    server,
    "PATCH",
    `${widgets}/w`,
    {},
    { "content-type": "application/strategic-merge-patch+json" },
  );
  assert.equal(patched.status, 415);
});

story("a deleted definition takes its objects along, and its paths are gone", async (server) => {
  await send(server, "POST", widgets, { metadata: { name: "w" }, spec: { size: "S" } });
  const seen = await watch(server, `${definitions}?watch=1`);
  await seen.next();
  await send(server, "DELETE", `${definitions}/widgets.example.com`);
  for (let event = await seen.next(); event?.type !== "DELETED"; event = await seen.next());
  seen.close();
  while ((await send(server, "GET", widgets)).status !== 404);
  const discovery = await send(server, "GET", "/apis");
  assert.doesNotMatch(discovery.text, /example\.com/);
});

story("discovery and OpenAPI know the kind", async (server) => {
  const list = await send(server, "GET", "/apis/example.com/v1");
  const names = (list.body.resources as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ["widgets", "widgets/scale", "widgets/status"]);
  assert.match((await send(server, "GET", "/openapi/v3/apis/example.com/v1")).text, /com\.example\.v1\.Widget/);
});
