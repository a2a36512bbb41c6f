/** In which form requests and answers may come: 415 and 406, what is compressed, what is never unpacked. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { gunzipSync, gzip, gzipSync } from "node:zlib";
import { defineWidgets, send, startOverHttps, wholeBody, type Answer } from "./harness.ts";

let packed = 0;
const pack = promisify(gzip);
const server = await startOverHttps({
  gzip: (bytes) => {
    packed += 1;
    return pack(bytes);
  },
});
after(() => server.close());

const widgets = "/apis/example.com/v1/namespaces/default/widgets";
const maps = "/api/v1/namespaces/default/configmaps";
const protobuf = "application/vnd.kubernetes.protobuf";

await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
await defineWidgets(server, {
  schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
  subresources: { status: {} },
});

const widget = (name: string): object => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name },
});
await send(server, "POST", widgets, widget("a"));

for (let i = 0; i < 40; i++)
  await send(server, "POST", maps, { metadata: { name: `large-${i}` }, data: { k: "x".repeat(5_000) } });

/** One request, the status it must have, and what its Status says; nothing may be stored. */
function refused(
  name: string,
  [method = "", target = ""]: readonly string[],
  body: unknown,
  headers: Record<string, string>,
  [status, reason, message]: readonly [number, string, RegExp],
): void {
  test(name, async () => {
    const before = server.store.visible;
    const answer = await send(server, method, target, body, headers);
    assert.equal(answer.status, status, answer.text.slice(0, 300));
    assert.equal(answer.body.reason, reason);
    assert.match(String(answer.body.message), message);
    assert.equal(server.store.visible, before);
  });
}

const notJsonOrYaml = [
  406,
  "NotAcceptable",
  /media types are accepted: application\/json, application\/yaml$/,
] as const;
const onlyProtobuf = { accept: protobuf };
const notKnown = [
  415,
  "UnsupportedMediaType",
  /accepted media types include: application\/json, application\/yaml$/,
] as const;
const patchTypes =
  /include: application\/json-patch\+json, application\/merge-patch\+json, application\/apply-patch\+yaml$/;

refused("a custom resource is not read in protobuf", ["GET", `${widgets}/a`], undefined, onlyProtobuf, notJsonOrYaml);
refused("nor listed", ["GET", widgets], undefined, onlyProtobuf, notJsonOrYaml);
refused("nor watched", ["GET", `${widgets}?watch=1`], undefined, onlyProtobuf, notJsonOrYaml);
refused(
  "nor shown as a table",
  ["GET", widgets],
  undefined,
  { accept: `${protobuf};as=Table;v=v1;g=meta.k8s.io` },
  notJsonOrYaml,
);
refused("nor written, which leaves nothing behind", ["POST", widgets], widget("b"), onlyProtobuf, notJsonOrYaml);
refused("nor deleted", ["DELETE", `${widgets}/a`], undefined, onlyProtobuf, notJsonOrYaml);
refused("nor its status", ["PUT", `${widgets}/a/status`], widget("a"), onlyProtobuf, notJsonOrYaml);
refused(
  "nor taken in protobuf",
  ["POST", widgets],
  new Uint8Array([0x6b, 0x38, 0x73, 0]),
  { "content-type": protobuf },
  notKnown,
);
refused("nor as text", ["PUT", `${widgets}/a`], "x", { "content-type": "text/plain" }, notKnown);
refused(
  "nor patched strategically",
  ["PATCH", `${widgets}/a`],
  {},
  { "content-type": "application/strategic-merge-patch+json" },
  [415, "UnsupportedMediaType", patchTypes],
);
refused(
  "a built-in kind in a form that nobody knows",
  ["POST", maps],
  { metadata: { name: "b" } },
  { accept: "image/png" },
  [406, "NotAcceptable", /application\/vnd\.kubernetes\.protobuf$/],
);
refused("a form that the client itself rules out", ["GET", maps], undefined, { accept: "application/json;q=0" }, [
  406,
  "NotAcceptable",
  /accepted/,
]);
refused(
  "a Table of another group",
  ["GET", maps],
  undefined,
  { accept: "application/json;as=Table;v=v1;g=example.com" },
  [406, "NotAcceptable", /accepted/],
);

test("who names protobuf first and JSON too gets a custom resource in JSON", async () => {
  const answer = await send(server, "GET", `${widgets}/a`, undefined, { accept: `${protobuf}, application/json` });
  assert.deepEqual(
    [answer.status, answer.headers["content-type"], answer.body.kind],
    [200, "application/json", "Widget"],
  );
});

const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, " "));
for (const [encoding, body] of [
  ["gzip", bomb],
  ["deflate", bomb],
  ["br", "x"],
  ["gzip, gzip", bomb],
] as const) {
  const notUnpacked = [415, "UnsupportedMediaType", /send it as it is/] as const;
  refused(
    `a body packed with ${encoding} is never unpacked`,
    ["POST", maps],
    body,
    { "content-encoding": encoding },
    notUnpacked,
  );
}
refused(
  "a packed patch neither",
  ["PATCH", `${widgets}/a`],
  bomb,
  { "content-encoding": "gzip", "content-type": "application/merge-patch+json" },
  [415, "UnsupportedMediaType", /send it as it is/],
);
refused("a packed body that hides it is no object", ["POST", maps], bomb, {}, [400, "BadRequest", /unrecognized/]);
refused(
  "a packed body that says YAML is none",
  ["POST", maps],
  bomb.subarray(0, 10_000),
  { "content-type": "application/yaml" },
  [400, "BadRequest", /unrecognized/],
);

test("a gzip bomb costs no memory", async () => {
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 20; i++) await send(server, "POST", maps, bomb, { "content-encoding": "gzip" });
  assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
});

/** The same list, whatever the client says that it can unpack; packed only where it said gzip. */
for (const [encoding, isPacked] of [
  ["gzip", true],
  ["deflate, gzip;q=0.5", true],
  ["GZIP", true],
  [" br ,gzip ", true],
  ["", false],
  ["identity", false],
  ["gzip;q=0", false],
  ["gzip;q=0.000, br", false],
  ["gzip;q=x", false],
  ["x-gzip", false],
  ["not-gzip", false],
  ["deflate", false],
] as const) {
  test(`a large list for who accepts "${encoding}" is ${isPacked ? "packed" : "not packed"}`, async () => {
    const response = await server.transport.send({
      method: "GET",
      target: maps,
      headers: encoding === "" ? {} : { "accept-encoding": encoding },
      body: new Uint8Array(0),
    });
    const body = await wholeBody(response);
    assert.equal(response.headers["content-encoding"], isPacked ? "gzip" : undefined);
    const list = JSON.parse((isPacked ? gunzipSync(body) : Buffer.from(body)).toString()) as { items: unknown[] };
    assert.equal(list.items.length, 40);
    if (isPacked) assert.equal(response.headers["vary"]?.toLowerCase(), "accept-encoding");
  });
}

const acceptsGzip = { "accept-encoding": "gzip" };

for (const target of ["/openapi/v2", "/openapi/v3/api/v1", "/openapi/v3/apis/apps/v1"]) {
  test(`${target} is packed once for all who ask, with the same ETag`, async () => {
    const ask = (headers: Record<string, string>): ReturnType<typeof server.transport.send> =>
      server.transport.send({ method: "GET", target, headers, body: new Uint8Array(0) });
    const plain = await ask({});
    assert.equal(plain.headers["content-encoding"], undefined);
    const before = packed;
    const [one, other] = await Promise.all([ask(acceptsGzip), ask(acceptsGzip)]);
    assert.equal(packed, before + 1);
    assert.equal(one.headers["content-encoding"], "gzip");
    assert.equal(one.headers["vary"], "Accept, accept-encoding");
    assert.equal(one.headers["etag"], plain.headers["etag"]);
    assert.deepEqual(gunzipSync(await wholeBody(one)), Buffer.from(await wholeBody(plain)));
    assert.deepEqual(await wholeBody(other), await wholeBody(one));
    const unchanged = await ask({ ...acceptsGzip, "if-none-match": plain.headers["etag"] ?? "" });
    assert.equal(unchanged.status, 304);
  });
}

for (const [what, ask] of [
  ["an object", (): Promise<Answer> => send(server, "GET", `${maps}/large-1`, undefined, acceptsGzip)],
  ["a short document", (): Promise<Answer> => send(server, "GET", "/apis", undefined, acceptsGzip)],
  ["a short list", (): Promise<Answer> => send(server, "GET", `${maps}?limit=5`, undefined, acceptsGzip)],
  [
    "a watch",
    (): Promise<Answer> =>
      send(server, "GET", `${maps}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name=none`, undefined, acceptsGzip),
  ],
  ["a failure", (): Promise<Answer> => send(server, "GET", `${maps}/none`, undefined, acceptsGzip)],
] as const) {
  test(`${what} is not packed`, async () => {
    assert.equal((await ask()).headers["content-encoding"], undefined);
  });
}
