/** Large lists are sent in slices whose memory is used again, large events in pieces: every byte must still arrive. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "node:http2";
import { parse } from "yaml";
import { send, startOverHttps, watch, type TestServer } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const count = 300;

/** 40 KB that no other object has. */
function textOf(index: number): string {
  return `${index}:`.repeat(40_000 / `${index}:`.length);
}

interface ConfigMaps {
  readonly items: readonly { readonly metadata: { readonly name: string }; readonly data: { readonly text: string } }[];
}

async function filled(): Promise<TestServer> {
  const server = await startOverHttps();
  await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
  for (let i = 0; i < count; i += 1) {
    const name = `map-${String(i).padStart(4, "0")}`;
    assert.equal((await send(server, "POST", maps, { metadata: { name }, data: { text: textOf(i) } })).status, 201);
  }
  return server;
}

function checkAll({ items }: ConfigMaps): void {
  assert.equal(items.length, count);
  for (const [index, { metadata, data }] of items.entries()) {
    assert.equal(metadata.name, `map-${String(index).padStart(4, "0")}`);
    assert.ok(data.text === textOf(index), `the text of ${metadata.name} is its own`);
  }
}

function listOverHttp2(server: TestServer): Promise<string> {
  const session = connect(server.baseUrl, { rejectUnauthorized: false });
  return new Promise<string>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({ ":path": maps });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => resolve(Buffer.concat(chunks).toString()));
  }).finally(() => session.close());
}

test("a list of 12 MB arrives whole over HTTP/1.1, over HTTP/2, and to several at once", async () => {
  const server = await filled();
  try {
    checkAll(JSON.parse((await send(server, "GET", maps)).text) as ConfigMaps);
    checkAll(JSON.parse(await listOverHttp2(server)) as ConfigMaps);
    const several = await Promise.all(Array.from({ length: 4 }, () => send(server, "GET", maps)));
    for (const { text } of several) checkAll(JSON.parse(text) as ConfigMaps);
  } finally {
    await server.close();
  }
});

test("a list as YAML says what it says as JSON, also when it is empty, a table, or metadata only", async () => {
  const server = await startOverHttps();
  try {
    await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
    const check = async (as: string): Promise<void> => {
      const [yaml, json] = await Promise.all(
        ["yaml", "json"].map((media) => send(server, "GET", maps, undefined, { accept: `application/${media}${as}` })),
      );
      assert.deepEqual(parse(yaml!.text), JSON.parse(json!.text));
    };
    await check("");
    for (const name of ["a", "b"]) {
      const data = { text: `two\nlines: "yes"\n- ${name}`, empty: "", number: "0123" };
      await send(server, "POST", maps, { metadata: { name, labels: { on: "yes" } }, data });
    }
    await check("");
    await check(";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    await check(";as=Table;g=meta.k8s.io;v=v1");
  } finally {
    await server.close();
  }
});

test("an event of 400 KB arrives whole among the initial ones", async () => {
  const server = await startOverHttps();
  try {
    await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
    for (let i = 0; i < 5; i += 1)
      await send(server, "POST", maps, { metadata: { name: `large-${i}` }, data: { text: textOf(i).repeat(10) } });
    const seen = await watch(server, `${maps}?watch=1`);
    for (let index = 0; index < 5; index += 1) {
      const event = await seen.next();
      assert.equal(event?.type, "ADDED");
      const object = event.object as object as ConfigMaps["items"][number];
      assert.ok(object.data.text === textOf(index).repeat(10), `the text of ${object.metadata.name} is its own`);
    }
    seen.close();
  } finally {
    await server.close();
  }
});
