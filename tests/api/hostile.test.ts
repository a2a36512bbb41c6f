import assert from "node:assert/strict";
import { test } from "node:test";
import { answered } from "./arbitrary.ts";
import { send, startInProcess } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const json = { "content-type": "application/json-patch+json" };
const yaml = { "content-type": "application/yaml" };

function hostile(
  name: string,
  method: string,
  target: string,
  body: string,
  headers: Record<string, string>,
  statuses: number[],
): void {
  test(`${name} is refused at once`, async () => {
    const server = await startInProcess();
    await send(server, "POST", maps, { metadata: { name: "a" }, data: { k: "v" } });
    const before = server.store.visible;
    const answer = await answered(server, method, target, body, headers);
    assert.ok(statuses.includes(answer.status), `${answer.status}: ${answer.text.slice(0, 300)}`);
    assert.equal(server.store.visible, before);
    await server.close();
  });
}

const doubling = Array.from({ length: 40 }, () => ({ op: "copy", from: "/data", path: "/data/x" }));
hostile(
  "a JSON patch that doubles by copying (CVE-2019-1002100)",
  "PATCH",
  `${maps}/a`,
  JSON.stringify(doubling),
  json,
  [400, 413, 422],
);
const many = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/k", value: "v" }));
hostile("a JSON patch of too many operations", "PATCH", `${maps}/a`, JSON.stringify(many), json, [400, 413]);
const bomb = `a: &a ["x","x"]\n${"bcdefghij"
  .split("")
  .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${"abcdefghij"[index]}`).join(",")}]`)
  .join("\n")}`;
hostile("a YAML bomb (CVE-2019-11253)", "POST", maps, bomb, yaml, [400]);
hostile("deep nesting", "POST", maps, `{"metadata":{"name":"b"},"data":${"[".repeat(100_000)}`, {}, [400]);
hostile("a body beyond the limit", "POST", maps, `{"metadata":{"name":"${"x".repeat(3 * 1024 * 1024)}"}}`, {}, [413]);
hostile("a list instead of an object", "POST", maps, "[]", {}, [400]);
hostile("null", "POST", maps, "null", {}, [400]);
hostile(
  "a patch that leaves no object",
  "PATCH",
  `${maps}/a`,
  '[{"op":"replace","path":"","value":5}]',
  json,
  [400, 422],
);
hostile(
  "a patch that renames",
  "PATCH",
  `${maps}/a`,
  '[{"op":"replace","path":"/metadata/name","value":"b"}]',
  json,
  [400, 422],
);
hostile(
  "an object too large to store",
  "POST",
  maps,
  JSON.stringify({ metadata: { name: "b" }, data: { k: "x".repeat(1_600_000) } }),
  {},
  [413, 422],
);

/** What is wrong a thousand times over is told of as often as it takes to understand it. */
const answerLengthMax = 2 * 1024 * 1024;
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const owner = (index: number): object => ({
  apiVersion: "v1",
  kind: "A",
  name: `a${index}`,
  uid: `u${index}`,
  controller: true,
});

const wrongOverAndOver: readonly (readonly [name: string, target: string, object: object])[] = [
  ["owners that all control it", maps, { metadata: { name: "b", ownerReferences: times(2_000, owner) } }],
  [
    "scopes that are none, of resources that are none",
    "/api/v1/namespaces/default/resourcequotas",
    {
      metadata: { name: "b" },
      spec: {
        hard: Object.fromEntries(times(5_000, (index) => [`none${index}`, "1"])),
        scopes: times(5_000, () => "None"),
      },
    },
  ],
  ["finalizers that are none", maps, { metadata: { name: "b", finalizers: times(5_000, (index) => `x${index}`) } }],
];

for (const [name, target, object] of wrongOverAndOver) {
  test(`an object with thousands of ${name} is refused at once, in few words`, async () => {
    const server = await startInProcess();
    const answer = await answered(server, "POST", target, JSON.stringify(object), {});
    assert.equal(answer.status, 422);
    assert.ok(answer.text.length < answerLengthMax, `${answer.text.length} characters`);
    await server.close();
  });
}

test("a pod of thousands of tolerations is changed at once", async () => {
  const server = await startInProcess();
  const pods = "/api/v1/namespaces/default/pods";
  const tolerations = times(3_000, (index) => ({
    key: `k${index}`,
    operator: "Exists",
    tolerationSeconds: 1,
    effect: "NoExecute",
  }));
  const spec = { containers: [{ name: "c", image: "i" }], tolerations };
  assert.equal((await send(server, "POST", pods, { metadata: { name: "p" }, spec })).status, 201);
  const patch = (op: object): Promise<{ status: number }> =>
    answered(server, "PATCH", `${pods}/p`, JSON.stringify([op]), json);
  const at = "/spec/tolerations/2999";
  assert.equal((await patch({ op: "replace", path: `${at}/tolerationSeconds`, value: 2 })).status, 200);
  assert.equal((await patch({ op: "add", path: "/spec/tolerations/-", value: { operator: "Exists" } })).status, 200);
  assert.equal((await patch({ op: "remove", path: at })).status, 422);
  await server.close();
});

test("keys of Object's prototype are ordinary keys, wherever they stand", async () => {
  const server = await startInProcess();
  const body = '{"metadata":{"name":"a","labels":{"constructor":"x"}},"data":{"__proto__":"p","toString":"t"}}';
  const made = await send(server, "POST", maps, body);
  assert.equal(made.status, 201, made.text);
  const read = await send(server, "GET", `${maps}/a`);
  assert.match(read.text, /"__proto__":"p"/);
  assert.match(read.text, /"toString":"t"/);
  const found = await send(server, "GET", `${maps}?labelSelector=constructor%3Dx`);
  assert.equal((found.body.items as unknown[]).length, 1);
  const none = await send(server, "GET", `${maps}?labelSelector=toString`);
  assert.equal((none.body.items as unknown[]).length, 0);
  assert.equal(Object.prototype.hasOwnProperty.call(Object.prototype, "p"), false);
  await server.close();
});

test("text beyond ASCII keeps every offset in the stored bytes right", async () => {
  const server = await startInProcess();
  const annotations = { note: "größer \u{1f600}" };
  await send(server, "POST", `${maps}?fieldManager=m`, { metadata: { name: "a", annotations }, data: { k: "日本" } });
  const metadataOnly = await send(server, "GET", `${maps}/a`, undefined, {
    accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  });
  assert.deepEqual((metadataOnly.body.metadata as { annotations: unknown }).annotations, annotations);
  assert.equal(metadataOnly.body.data, undefined);
  const whole = await send(server, "GET", `${maps}/a`);
  assert.deepEqual(whole.body.data, { k: "日本" });
  assert.equal((whole.body.metadata as { resourceVersion: string }).resourceVersion, String(server.store.visible));
  await server.close();
});
