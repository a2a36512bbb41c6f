// What definitions promise: names that do not clash, conditions that tell, values kept as they were given.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../eventually.ts";
import { send, type TestServer } from "../api/harness.ts";
import { create, define, startServer } from "./server.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const merge = { "content-type": "application/merge-patch+json" };

function definition(plural: string, kind: string, spec: object, names: object = {}): object {
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  return {
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural, kind, ...names },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}

function story(name: string, play: (server: TestServer) => Promise<void>): void {
  test(name, async () => {
    const server = await startServer();
    try {
      await play(server);
    } finally {
      await server.close();
    }
  });
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

async function conditionsOf(server: TestServer, name: string): Promise<readonly Condition[]> {
  for (;;) {
    const { body } = await send(server, "GET", `${definitions}/${name}`);
    const { conditions = [] } = body["status"] as { conditions?: Condition[] };
    if (conditions.length > 0) return conditions;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

story("a short name that is taken is told, and the kind is not served", async (server) => {
  await define(server, definition("firsts", "First", anything, { shortNames: ["f"] }));
  await create(server, definitions, definition("seconds", "Second", anything, { shortNames: ["f"] }));
  const conditions = await conditionsOf(server, "seconds.example.com");
  assert.deepEqual(
    conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [
      ["NamesAccepted", "False", "ShortNamesConflict", '"f" is already in use'],
      ["Established", "False", "NotAccepted", "not all names are accepted"],
    ],
  );
  assert.equal((await send(server, "GET", "/apis/example.com/v1/seconds")).status, 404);
});

story(
  "a conflict of names is told by its kind; what is free is accepted, and the rest once it is free",
  async (server) => {
    await define(server, definition("firsts", "First", anything, { shortNames: ["f"] }));
    const asked: readonly [plural: string, kind: string, names: object, reason: string][] = [
      ["seconds", "First", { singular: "second", listKind: "SecondList" }, "KindConflict"],
      ["thirds", "Third", { listKind: "FirstList" }, "ListKindConflict"],
      ["fourths", "Fourth", { singular: "firsts" }, "SingularConflict"],
    ];
    for (const [plural, kind, names, reason] of asked) {
      await create(server, definitions, definition(plural, kind, anything, names));
      assert.equal((await conditionsOf(server, `${plural}.example.com`))[0]?.reason, reason);
    }
    const { body } = await send(server, "GET", `${definitions}/seconds.example.com`);
    const { acceptedNames } = body["status"] as { acceptedNames: object };
    assert.deepEqual(acceptedNames, { plural: "seconds", singular: "second", kind: "", listKind: "SecondList" });
    await send(server, "DELETE", `${definitions}/firsts.example.com`);
    while ((await send(server, "GET", "/apis/example.com/v1/seconds")).status === 404)
      await new Promise((resolve) => setImmediate(resolve));
  },
);

story("an established definition keeps the names that it had when it asks for one that is taken", async (server) => {
  await define(server, definition("firsts", "First", anything, { shortNames: ["f"] }));
  await define(server, definition("seconds", "Second", anything, { shortNames: ["s"] }));
  const names = { spec: { names: { shortNames: ["s", "f"] } } };
  await send(server, "PATCH", `${definitions}/seconds.example.com`, names, merge);
  await eventually(
    "the kind is served",
    async () => (await conditionsOf(server, "seconds.example.com"))[0]?.reason === "ShortNamesConflict",
  );
  const { text } = await send(server, "GET", "/apis/example.com/v1");
  assert.match(text, /"name":"seconds"[^}]*"shortNames":\["s"\]/);
});

story("while a definition goes nothing new is made of it, and what has finalizers can be let go", async (server) => {
  await define(server, definition("things", "Thing", anything));
  const path = "/apis/example.com/v1/namespaces/default/things";
  await create(server, path, { metadata: { name: "a", finalizers: ["example.com/hold"] } });
  await send(server, "DELETE", `${definitions}/things.example.com`);
  await eventually(
    "the conflict is told",
    async () => (await conditionsOf(server, "things.example.com"))[0]?.type === "Terminating",
  );
  const refused = await send(server, "POST", path, { metadata: { name: "b" } });
  assert.equal(refused.status, 405);
  assert.match(refused.text, /create not allowed while custom resource definition is terminating/);
  const { text } = await send(server, "GET", "/apis/example.com/v1");
  assert.match(text, /"verbs":\["delete","deletecollection","get","list","watch"\]/);
  const freed = await send(server, "PATCH", `${path}/a`, { metadata: { finalizers: null } }, merge);
  assert.equal(freed.status, 200, freed.text);
  await eventually(
    "the definition is terminating",
    async () => (await send(server, "GET", `${definitions}/things.example.com`)).status === 404,
  );
  assert.equal((await send(server, "GET", path)).status, 404);
});

story(
  "defaults reach into lists and maps; nulls stay where they may be and make room for defaults elsewhere",
  async (server) => {
    const inner = { type: "object", properties: { size: { type: "integer", default: 3 } } };
    await define(
      server,
      definition("things", "Thing", {
        type: "object",
        properties: {
          list: { type: "array", items: inner },
          map: { type: "object", additionalProperties: inner },
          kept: { type: "string", nullable: true, default: "x" },
          replaced: { type: "string", default: "x" },
          port: { "x-kubernetes-int-or-string": true },
          big: { type: "integer" },
        },
      }),
    );
    const path = "/apis/example.com/v1/namespaces/default/things";
    const spec = `{"list":[{}],"map":{"k":{}},"kept":null,"replaced":null,"port":"80%","big":9007199254740993}`;
    const given = `{"metadata":{"name":"a"},"spec":${spec}}`;
    const made = await send(server, "POST", path, given, { "content-type": "application/json" });
    assert.equal(made.status, 201, made.text);
    const { list, map, kept, replaced, port } = made.body["spec"] as Record<string, unknown>;
    assert.deepEqual([list, map, kept, replaced, port], [[{ size: 3 }], { k: { size: 3 } }, null, "x", "80%"]);
    assert.match(made.text, /"big":9007199254740993/);
    const wrong = await send(server, "PATCH", `${path}/a`, { spec: { port: 1.5, list: [null] } }, merge);
    assert.equal(wrong.status, 422);
  },
);

story("what was wrong before does not hold up other changes", async (server) => {
  const open = { type: "object", properties: { code: { type: "string" }, note: { type: "string" } } };
  await define(server, definition("things", "Thing", open));
  const path = "/apis/example.com/v1/namespaces/default/things";
  await create(server, path, { metadata: { name: "a" }, spec: { code: "LOUD", note: "1" } });
  const { spec } = definition("things", "Thing", {
    type: "object",
    properties: { code: { type: "string", pattern: "^[a-z]+$", maxLength: 3 }, note: { type: "string" } },
  }) as { spec: object };
  const changed = await send(server, "PATCH", `${definitions}/things.example.com`, { spec }, merge);
  assert.equal(changed.status, 200, changed.text);
  for (let status = 201; status === 201;) {
    const probe = { metadata: { name: "b" }, spec: { code: "LOUD" } };
    status = (await send(server, "POST", `${path}?dryRun=All`, probe)).status;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const other = await send(server, "PATCH", `${path}/a`, { spec: { note: "2" } }, merge);
  assert.equal(other.status, 200, other.text);
  const worse = await send(server, "PATCH", `${path}/a`, { spec: { code: "LOUDER" } }, merge);
  assert.equal(worse.status, 422);
});

story("what is embedded keeps the metadata of an object, whatever the definition says of it", async (server) => {
  const labels = { type: "object", additionalProperties: { type: "string" } };
  const metadata = { type: "object", properties: { labels } };
  const template = {
    type: "object",
    "x-kubernetes-embedded-resource": true,
    properties: { metadata, spec: { type: "object", properties: { a: { type: "string" } } } },
  };
  await define(server, definition("things", "Thing", { type: "object", properties: { template } }));
  const embedded = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "in", labels: { x: "y" }, annotations: { b: "c" } },
    spec: { a: "b" },
  };
  const unknown = {
    metadata: { ...embedded.metadata, unknown: 1 },
    spec: { ...embedded.spec, unknown: 1 },
    unknown: 1,
  };
  const path = "/apis/example.com/v1/namespaces/default/things";
  const made = await create(server, path, {
    metadata: { name: "a" },
    spec: { template: { ...embedded, ...unknown } },
  });
  assert.deepEqual(JSON.parse(JSON.stringify(made["spec"])), { template: embedded });
});

story("a hostile object harms nobody", async (server) => {
  await define(server, definition("things", "Thing", anything));
  const path = "/apis/example.com/v1/namespaces/default/things";
  const given = `{"metadata":{"name":"a"},"spec":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}`;
  const made = await send(server, "POST", path, given, { "content-type": "application/json" });
  assert.equal(made.status, 201, made.text);
  assert.match(made.text, /"__proto__":\{"polluted":1\}/);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

story("rules that take long let others have their turn, and still all count", async (server) => {
  const rule = "self.all(a, self.all(b, a + b >= 0))";
  const numbers = { type: "array", maxItems: 100, items: { type: "integer" } };
  const lists = { type: "array", maxItems: 100, items: { ...numbers, "x-kubernetes-validations": [{ rule }] } };
  await define(server, definition("slows", "Slow", { type: "object", properties: { lists } }));
  const list = Array.from({ length: 100 }, (_, index) => index);
  const body = { apiVersion: "example.com/v1", kind: "Slow", metadata: { name: "s" } };
  let isDone = false;
  const post = send(server, "POST", "/apis/example.com/v1/namespaces/default/slows", {
    ...body,
    spec: { lists: [...Array<number[]>(99).fill(list), [-1]] },
  }).finally(() => (isDone = true));
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await send(server, "GET", "/api/v1/namespaces/default")).status, 200);
  }
  assert.equal(isDone, false);
  const refused = await post;
  assert.equal(refused.status, 422, refused.text);
  assert.match(refused.text, /spec\.lists\[99\]/);
});
