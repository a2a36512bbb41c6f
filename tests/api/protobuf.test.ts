import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaOf } from "#api/schemas.ts";
import { decodeProtobuf, decodeWatchFrames, encodeProtobuf } from "#codec/protobuf.ts";
import { eventually } from "../eventually.ts";
import { send, startOverHttps, wholeBody, type TestServer } from "./harness.ts";

// What client-go's typed clients send and ask for.

const maps = "/api/v1/namespaces/default/configmaps";
const protobuf = "application/vnd.kubernetes.protobuf";
const accept = `${protobuf},application/json`;
const resolve = (_apiVersion: string, kind: string) =>
  schemaOf(kind === "Status" ? "meta/v1.Status" : `core/v1.${kind}`);

function ok<T extends { readonly ok: boolean }>(result: T): T & { readonly ok: true } {
  assert.ok(result.ok);
  return result as T & { readonly ok: true };
}

async function serving(play: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await startOverHttps();
  try {
    const namespace = { kind: "Namespace", apiVersion: "v1", metadata: { name: "default" } };
    const body = encodeProtobuf(namespace, schemaOf("core/v1.Namespace"));
    assert.equal((await send(server, "POST", "/api/v1/namespaces", body, { "content-type": protobuf })).status, 201);
    await play(server);
  } finally {
    await server.close();
  }
}

test("objects are written and read in protobuf", () =>
  serving(async (server) => {
    const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: "a" }, data: { k: "v" } };
    const made = await server.transport.send({
      method: "POST",
      target: maps,
      headers: { "content-type": protobuf, accept },
      body: encodeProtobuf(object, schemaOf("core/v1.ConfigMap")),
    });
    assert.equal(made.status, 201);
    assert.equal(made.headers["content-type"], protobuf);
    const read = decodeProtobuf(await wholeBody(made), resolve);
    assert.ok(read.ok);
    assert.deepEqual({ ...(read.object.data as Record<string, unknown>) }, { k: "v" });
    assert.match(String((read.object.metadata as { resourceVersion: string }).resourceVersion), /^\d{13}$/);
  }));

test("lists are read in protobuf", () =>
  serving(async (server) => {
    for (const name of ["a", "b"]) await send(server, "POST", maps, { metadata: { name } });
    const response = await server.transport.send({
      method: "GET",
      target: maps,
      headers: { accept },
      body: new Uint8Array(0),
    });
    const list = decodeProtobuf(await wholeBody(response), resolve);
    assert.ok(list.ok);
    assert.equal(list.kind, "ConfigMapList");
    const names = (list.object.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
    assert.deepEqual(names, ["a", "b"]);
  }));

test("watches are streams of protobuf frames", () =>
  serving(async (server) => {
    const target = `${maps}?watch=1&timeoutSeconds=1`;
    await send(server, "POST", maps, { metadata: { name: "a" } });
    const response = await server.transport.send({
      method: "GET",
      target,
      headers: { accept },
      body: new Uint8Array(0),
    });
    assert.equal(response.headers["content-type"], `${protobuf};stream=watch`);
    const { events } = decodeWatchFrames(await wholeBody(response));
    const object = decodeProtobuf(events[0]!.body, resolve);
    assert.ok(object.ok);
    assert.deepEqual([events[0]?.type, object.kind], ["ADDED", "ConfigMap"]);
  }));

test("initial events end with a bookmark in protobuf too, as client-go's informers ask", () =>
  serving(async (server) => {
    await send(server, "POST", maps, { metadata: { name: "a" } });
    const query =
      "watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    const target = `${maps}?${query}`;
    const response = await server.transport.send({
      method: "GET",
      target,
      headers: { accept },
      body: new Uint8Array(0),
    });
    const { events } = decodeWatchFrames(await wholeBody(response));
    assert.deepEqual(
      events.map(({ type }) => type),
      ["ADDED", "BOOKMARK"],
    );
    const mark = decodeProtobuf(events[1]!.body, resolve);
    assert.ok(mark.ok);
    const metadata = mark.object.metadata as { resourceVersion: string; annotations: Record<string, string> };
    assert.equal(metadata.resourceVersion, String(server.store.visible));
    assert.equal(metadata.annotations["k8s.io/initial-events-end"], "true");
  }));

test("metadata alone is read in protobuf: one, lists, watches, of custom resources too", () =>
  serving(async (server) => {
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    const names = { plural: "things", kind: "Thing" };
    const versions = [{ name: "v1", served: true, storage: true, schema }];
    const spec = { group: "example.com", scope: "Namespaced", names, versions };
    const definition = { metadata: { name: "things.example.com" }, spec };
    await send(server, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    const things = "/apis/example.com/v1/namespaces/default/things";
    await eventually("things are served", async () => (await send(server, "GET", things)).status === 200);
    const query =
      "watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    for (const path of [maps, things]) {
      await send(server, "POST", path, { metadata: { name: "a", labels: { x: "y" } }, data: { k: "v" } });
      const read = async (target: string, as: string): Promise<Uint8Array> => {
        const headers = { accept: `${protobuf};as=${as};g=meta.k8s.io;v=v1` };
        const answer = await server.transport.send({ method: "GET", target, headers, body: new Uint8Array(0) });
        assert.match(answer.headers["content-type"] ?? "", /^application\/vnd\.kubernetes\.protobuf/);
        return wholeBody(answer);
      };
      const partial = (bytes: Uint8Array): unknown[] => {
        const { object } = ok(decodeProtobuf(bytes, (_, kind) => schemaOf(`meta/v1.${kind}`)));
        const { name, labels } = object.metadata as { name?: string; labels?: object };
        return [object.kind, object.apiVersion, name, { ...labels }];
      };
      const a = ["PartialObjectMetadata", "meta.k8s.io/v1", "a", { x: "y" }];
      assert.deepEqual(partial(await read(`${path}/a`, "PartialObjectMetadata")), a);
      const bytes = await read(path, "PartialObjectMetadataList");
      const { kind, object } = ok(decodeProtobuf(bytes, (_, each) => schemaOf(`meta/v1.${each}`)));
      assert.equal(kind, "PartialObjectMetadataList");
      assert.deepEqual(
        (object.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name),
        ["a"],
      );
      const { events } = decodeWatchFrames(await read(`${path}?${query}`, "PartialObjectMetadata"));
      assert.deepEqual(
        events.map(({ type }) => type),
        ["ADDED", "BOOKMARK"],
      );
      assert.deepEqual(partial(events[0]!.body), a);
      assert.deepEqual(partial(events[1]!.body).slice(0, 2), a.slice(0, 2));
    }
    const whole = { accept: protobuf };
    assert.equal((await send(server, "GET", things, undefined, whole)).status, 406);
    const table = { accept: `${protobuf};as=Table;g=meta.k8s.io;v=v1` };
    assert.equal((await send(server, "GET", maps, undefined, table)).status, 406);
  }));

test("a watch that cannot go on says so in protobuf", () =>
  serving(async (server) => {
    const from = server.store.visible;
    await send(server, "POST", maps, { metadata: { name: "a" } });
    await server.store.compact(server.store.visible);
    const target = `${maps}?watch=1&resourceVersion=${from}`;
    const response = await server.transport.send({
      method: "GET",
      target,
      headers: { accept },
      body: new Uint8Array(0),
    });
    const { events } = decodeWatchFrames(await wholeBody(response));
    const status = decodeProtobuf(events[0]!.body, resolve);
    assert.ok(status.ok);
    assert.deepEqual([events[0]?.type, status.kind, status.object.code], ["ERROR", "Status", 410]);
  }));
