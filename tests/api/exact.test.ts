/** Numbers, quantities and texts come back as they were sent, byte for byte, by whatever way they went in and out. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { schemaOf } from "#api/schemas.ts";
import { decodeProtobuf } from "#codec/protobuf.ts";
import { defineWidgets, send, startOverHttps, wholeBody } from "./harness.ts";

const server = await startOverHttps();
after(() => server.close());
const pods = "/api/v1/namespaces/default/pods";
const maps = "/api/v1/namespaces/default/configmaps";
const widgets = "/apis/example.com/v1/namespaces/default/widgets";
/** 2^53 + 1, and the ends of int64: no double holds them. */
const numbers = ["9007199254740993", "9223372036854775807"];

await defineWidgets(server, {
  subresources: {
    scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
    status: {},
  },
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: {
        spec: {
          type: "object",
          "x-kubernetes-preserve-unknown-fields": true,
          properties: {
            count: { type: "integer", format: "int64" },
            ratio: { type: "number" },
            replicas: { type: "integer" },
          },
        },
      },
    },
  },
});

const patches = [
  ["merge-patch+json", (body: string) => `{"spec":${body}}`],
  ["json-patch+json", (body: string) => `[{"op":"replace","path":"/spec","value":${body}}]`],
] as const;

for (const [index, number] of numbers.entries()) {
  test(`${number} in a built-in kind: created, read in every form, patched around`, async () => {
    const name = `p-${index}`;
    const spec = `"terminationGracePeriodSeconds":${number},"containers":[{"name":"c","image":"i","securityContext":{"runAsUser":1}}]`;
    const made = await send(server, "POST", pods, `{"metadata":{"name":"${name}"},"spec":{${spec}}}`);
    assert.equal(made.status, 201, made.text);
    const exact = `"terminationGracePeriodSeconds":${number}`;
    const isExact = async (): Promise<void> => {
      assert.ok((await send(server, "GET", `${pods}/${name}`)).text.includes(exact));
    };
    await isExact();
    const label = (type: string, body: string): ReturnType<typeof send> =>
      send(server, "PATCH", `${pods}/${name}?fieldManager=m`, body, { "content-type": `application/${type}` });
    assert.equal((await label("strategic-merge-patch+json", '{"metadata":{"labels":{"a":"b"}}}')).status, 200);
    assert.equal((await label("merge-patch+json", '{"metadata":{"labels":{"c":"d"}}}')).status, 200);
    const same = `[{"op":"test","path":"/spec/terminationGracePeriodSeconds","value":${number}}]`;
    assert.equal((await label("json-patch+json", same)).status, 200);
    const near = same.replace(number, String(BigInt(number) - 1n));
    assert.equal((await label("json-patch+json", near)).status, 422, "a neighbour is another number");
    await isExact();
    const yaml = await send(server, "GET", `${pods}/${name}`, undefined, { accept: "application/yaml" });
    assert.ok(yaml.text.includes(`terminationGracePeriodSeconds: ${number}\n`));
    const accept = "application/vnd.kubernetes.protobuf";
    const read = await server.transport.send({
      method: "GET",
      target: `${pods}/${name}`,
      headers: { accept },
      body: new Uint8Array(0),
    });
    const decoded = decodeProtobuf(await wholeBody(read), () => schemaOf("core/v1.Pod"));
    assert.ok(decoded.ok);
    assert.equal(String((decoded.object.spec as Record<string, unknown>).terminationGracePeriodSeconds), number);
  });

  test(`${number} in a custom resource: created, patched, applied, typed or not`, async () => {
    const name = `w-${index}`;
    const body = `{"count":${number},"free":{"deep":[${number},-${number}]}}`;
    const object = `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"${name}"},"spec":${body}}`;
    assert.equal((await send(server, "POST", widgets, object)).status, 201);
    const exact = [`"count":${number}`, `[${number},-${number}]`];
    for (const [type, patch] of patches) {
      const headers = { "content-type": `application/${type}` };
      const patched = await send(server, "PATCH", `${widgets}/${name}`, patch(body), headers);
      assert.equal(patched.status, 200, patched.text);
      for (const part of exact) assert.ok(patched.text.includes(part), patched.text);
    }
    const applied = await send(server, "PATCH", `${widgets}/${name}?fieldManager=m&force=true`, object, {
      "content-type": "application/apply-patch+yaml",
    });
    assert.equal(applied.status, 200, applied.text);
    for (const part of exact) assert.ok((await send(server, "GET", widgets)).text.includes(part));
  });
}

/** What a number or a text of a custom resource becomes; undefined: the request is refused. */
function custom(title: string, sent: string, stored: string | undefined): void {
  test(title, async () => {
    const name = `c-${title.replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "")}`;
    const body = `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"${name}"},"spec":${sent}}`;
    const made = await send(server, "POST", widgets, Buffer.from(body, "latin1"));
    assert.equal(made.status, stored === undefined ? 400 : 201, made.text);
    if (stored !== undefined)
      assert.ok((await send(server, "GET", `${widgets}/${name}`)).text.includes(stored), made.text);
  });
}

custom("a number beyond every double is refused", '{"ratio":1e400}', undefined);
custom("a fraction keeps its digits", '{"ratio":0.1}', '"ratio":0.1');
custom("a small exponent", '{"ratio":1e-7}', '"ratio":1e-7');
custom("a quantity of a custom resource stays as given", '{"cpu":"0.5","memory":"1024Mi"}', '"cpu":"0.5"');
custom("a lone surrogate becomes the replacement character", '{"text":"a\\ud800b"}', '"text":"a\ufffdb"');
custom("bytes that are no character become the replacement character", '{"text":"a\u00ffb"}', '"text":"a\ufffdb"');
custom("an octal number is no JSON", '{"ratio":010}', undefined);
custom("a number that is none is no JSON", '{"ratio":NaN}', undefined);

test("a byte order mark is no JSON", async () => {
  const body = Buffer.from('\ufeff{"metadata":{"name":"marked"}}');
  const made = await send(server, "POST", maps, body);
  assert.equal(made.status, 400, made.text);
});

test("quantities of built-in kinds are canonical, and exact", async () => {
  for (const [index, [sent, stored]] of (
    [
      ["0.5", "500m"],
      ["1000m", "1"],
      ["1e3", "1e3"],
      ["1024Mi", "1Gi"],
      ["1.5Gi", "1536Mi"],
      ["9223372036854775807", "9223372036854775807"],
      ["9007199254740993m", "9007199254740993m"],
      ["0.1n", "1n"],
    ] as const
  ).entries()) {
    const limits = { "example.com/thing": "1", memory: sent };
    const containers = [{ name: "c", image: "i", resources: { limits } }];
    const made = await send(server, "POST", pods, { metadata: { name: `q-${index}` }, spec: { containers } });
    assert.equal(made.status, 201, made.text);
    assert.ok(made.text.includes(`"memory":"${stored}"`), `${sent}: ${made.text}`);
  }
});

test("keys that every object inherits are data, wherever they stand", async () => {
  const body =
    '{"metadata":{"name":"odd","annotations":{"constructor":"c"}},"data":{"__proto__":"p","constructor":"q","prototype":"r"}}';
  assert.equal((await send(server, "POST", maps, body)).status, 201);
  const patch =
    '[{"op":"replace","path":"/data/__proto__","value":"changed"},{"op":"add","path":"/data/constructor","value":"s"}]';
  const patched = await send(server, "PATCH", `${maps}/odd`, patch, { "content-type": "application/json-patch+json" });
  assert.equal(patched.status, 200, patched.text);
  for (const part of ['"__proto__":"changed"', '"constructor":"s"', '"prototype":"r"'])
    assert.ok(patched.text.includes(part));
  const merged = await send(server, "PATCH", `${maps}/odd`, '{"data":{"__proto__":null,"prototype":{}}}', {
    "content-type": "application/merge-patch+json",
  });
  assert.equal(merged.status, 400, "an object is no text");
  for (const path of ["/metadata/__proto__/polluted", "/constructor/prototype/polluted", "/__proto__/polluted"]) {
    const operations = JSON.stringify([{ op: "add", path, value: "x" }]);
    const headers = { "content-type": "application/json-patch+json" };
    const climbed = await send(server, "PATCH", `${maps}/odd`, operations, headers);
    assert.ok(climbed.status === 422 || climbed.status === 400, `${path}: ${climbed.text}`);
  }
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});
