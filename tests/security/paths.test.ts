/**
 * No path, name or selector leaves its place: nothing outside of a resource's own keys is read or written (CVE-2015-5305,
 * CVE-2022-3162).
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { send, startInProcess, type TestServer } from "../api/harness.ts";

let server: TestServer;
const secret = "canary-2b1c";

before(async () => {
  server = await startInProcess();
  await send(server, "POST", "/api/v1/namespaces/kube-system/secrets", {
    metadata: { name: "s" },
    stringData: { a: secret },
  });
  await send(server, "POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "m" }, data: { a: "b" } });
});
after(() => server.close());

/** Ways to write `..`, `/` and NUL that some decoder believes. */
const up = [
  "..",
  "%2e%2e",
  "%2E%2e",
  ".%2e",
  "%252e%252e",
  "%c0%ae%c0%ae",
  "%e0%80%ae.",
  "..%00",
  "..;",
  "%uff0e%uff0e",
];
const slash = ["/", "%2f", "%2F", "%5c", "%252f", "%c0%af", "//"];

const targets = up.flatMap((dots) =>
  slash.flatMap((bar) => [
    `/api/v1/namespaces/default/configmaps/${dots}${bar}${dots}${bar}secrets${bar}kube-system${bar}s`,
    `/api/v1/namespaces/default${bar}${dots}${bar}kube-system/configmaps/${dots}${bar}s`,
    `/api/v1/namespaces/${dots}/configmaps/m`,
    `/api/v1/configmaps${bar}${dots}${bar}secrets`,
    `/apis/${dots}${bar}core/v1/secrets`,
  ]),
);

test("whatever is written for a segment, no other key is reached", async () => {
  const before = server.store.visible;
  for (const target of targets) {
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
      const body = method === "PUT" || method === "PATCH" ? { metadata: {}, data: { a: "changed" } } : undefined;
      const answer = await send(server, method, target, body, headers);
      // A body without a name is refused where the name is an odd but harmless one.
      assert.ok(400 <= answer.status && answer.status < 500, `${method} ${target}: ${answer.status}`);
      assert.ok(!answer.text.includes(secret) && !answer.text.includes(btoa(secret).slice(0, 12)), target);
    }
  }
  assert.equal(server.store.visible, before, "nothing was written");
});

test("names in bodies are judged like names in paths", async () => {
  for (const name of ["../x", "a/b", "..", "a%2fb", "a\u0000b", "é", "a".repeat(254)]) {
    const answer = await send(server, "POST", "/api/v1/namespaces/default/configmaps", { metadata: { name } });
    assert.equal(answer.status, 422, `${JSON.stringify(name)}: ${answer.text}`);
  }
});

test("a list or watch of one type never brings another's, whatever it selects", async () => {
  const selectors = [
    "metadata.name=../secrets/s",
    "metadata.name=..",
    "metadata.namespace=../secrets",
    "metadata.name=%2e%2e%2fs",
  ];
  for (const selector of selectors) {
    for (const root of ["/api/v1/namespaces/default/configmaps", "/api/v1/configmaps"]) {
      const query = `fieldSelector=${encodeURIComponent(selector)}&name=${encodeURIComponent("../secrets/")}`;
      const { status, body } = await send(server, "GET", `${root}?${query}`);
      if (status === 200) assert.deepEqual(body["items"], []);
      else assert.ok(400 <= status && status < 500);
    }
  }
  const token = Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: 1, start: "../secrets/" })).toString("base64url");
  const { text } = await send(server, "GET", `/api/v1/configmaps?limit=1&continue=${token}`);
  assert.ok(!text.includes('"kind":"Secret"') && !text.includes(btoa(secret).slice(0, 12)));
});

test("a path within one namespace leads to no other namespace, and to nothing that is in none", async () => {
  for (const name of ["default", "other"]) await send(server, "POST", "/api/v1/namespaces", { metadata: { name } });
  const merge = { "content-type": "application/merge-patch+json" };
  const astray = [
    "/api/v1/namespaces/default/namespaces",
    "/api/v1/namespaces/default/namespaces/other",
    "/api/v1/namespaces/default/namespaces/other/finalize",
    "/api/v1/namespaces/default/namespaces?fieldSelector=metadata.name%3Dother",
    "/api/v1/namespaces/default/nodes",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterrolebindings/x",
  ];
  const before = server.store.visible;
  for (const target of astray) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const body =
        method === "GET" || method === "DELETE" ? undefined : { metadata: { name: "other", labels: { a: "b" } } };
      const answer = await send(server, method, target, body, method === "PATCH" ? merge : {});
      assert.equal(answer.status, 404, `${method} ${target}: ${answer.text}`);
    }
  }
  assert.equal(server.store.visible, before, "nothing was written");
  assert.equal((await send(server, "GET", "/api/v1/namespaces/default")).status, 200);
  const labelled = await send(
    server,
    "PATCH",
    "/api/v1/namespaces/default",
    { metadata: { labels: { a: "b" } } },
    merge,
  );
  assert.equal(labelled.status, 200);
});

const collection = "/api/v1/namespaces/default/configmaps";
const wrongMethods: readonly (readonly [method: string, target: string])[] = [
  ["PUT", collection],
  ["PATCH", collection],
  // A selector chooses what is read, never what is written.
  ["PUT", `${collection}?fieldSelector=metadata.name%3Dm`],
  ["PATCH", `${collection}?fieldSelector=metadata.name%3Dm`],
  ["POST", `${collection}/m`],
  ["POST", "/api/v1/configmaps"],
  ["DELETE", "/api/v1/configmaps"],
  ["DELETE", "/api/v1/namespaces"],
  ["PUT", "/api/v1/namespaces"],
];

test("what no path offers is 405 and changes nothing", async () => {
  const before = server.store.visible;
  for (const [method, target] of wrongMethods) {
    const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
    const answer = await send(server, method, target, { metadata: { name: "m" }, data: { a: "changed" } }, headers);
    assert.equal(answer.status, 405, `${method} ${target}: ${answer.text}`);
    assert.equal(answer.body["reason"], "MethodNotAllowed");
  }
  assert.equal(server.store.visible, before);
});
