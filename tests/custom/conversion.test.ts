// Versions of a custom kind that a webhook converts: whatever is asked in one version, the other holds it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { WebhookCaller } from "#apiserver/webhook-caller.ts";
import { send, startInProcess, watch, type TestServer } from "../api/harness.ts";
import { define } from "./server.ts";

interface Thing {
  apiVersion: string;
  metadata: Record<string, unknown>;
  spec?: { size?: string; width?: string; height?: string };
}

/** v1 says `width` and `height`, v1beta1 `size: WIDTHxHEIGHT`. */
function convert(object: Thing, to: string): Thing {
  const { spec = {} } = object;
  if (to === object.apiVersion) return object;
  if (to.endsWith("/v1")) {
    const [width = "", height = ""] = (spec.size ?? "").split("x");
    return { ...object, apiVersion: to, spec: { width, height } };
  }
  return { ...object, apiVersion: to, spec: { size: `${spec.width}x${spec.height}` } };
}

/** A webhook inside the test; `isBroken` makes it refuse. */
class Webhook implements WebhookCaller {
  isBroken = false;
  calls = 0;

  call(_: unknown, document: Record<string, unknown>): ReturnType<WebhookCaller["call"]> {
    this.calls += 1;
    const { uid, desiredAPIVersion, objects } = JSON.parse(JSON.stringify(document["request"])) as {
      uid: string;
      desiredAPIVersion: string;
      objects: Thing[];
    };
    const result = this.isBroken ? { status: "Failure", message: "out of order" } : { status: "Success" };
    const convertedObjects = this.isBroken ? [] : objects.map((object) => convert(object, desiredAPIVersion));
    const response = { uid, result, convertedObjects };
    return Promise.resolve({
      ok: true,
      body: Buffer.from(JSON.stringify({ ...document, request: undefined, response })),
    });
  }
}

const text = { type: "string" };

function version(name: string, storage: boolean, properties: object, column: string): object {
  return {
    name,
    served: true,
    storage,
    subresources: { status: {} },
    additionalPrinterColumns: [{ name: "Measure", type: "string", jsonPath: column }],
    schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties } } } },
  };
}

const definition = {
  metadata: { name: "things.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "things", kind: "Thing" },
    versions: [
      version("v1", true, { width: text, height: text }, ".spec.width"),
      version("v1beta1", false, { size: text }, ".spec.size"),
    ],
    conversion: {
      strategy: "Webhook",
      webhook: { clientConfig: { url: "https://webhook.example.com/convert" }, conversionReviewVersions: ["v1"] },
    },
  },
};

const v1 = "/apis/example.com/v1/namespaces/default/things";
const v1beta1 = "/apis/example.com/v1beta1/namespaces/default/things";
const merge = { "content-type": "application/merge-patch+json" };

function story(name: string, play: (server: TestServer, webhook: Webhook) => Promise<void>): void {
  test(name, async () => {
    const webhook = new Webhook();
    const server = await startInProcess({ webhooks: webhook });
    try {
      await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
      await define(server, definition);
      await play(server, webhook);
    } finally {
      await server.close();
    }
  });
}

story("what one version writes the other reads", async (server) => {
  const made = await send(server, "POST", v1beta1, { metadata: { name: "a" }, spec: { size: "2x3" } });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual([made.body.apiVersion, made.body.spec], ["example.com/v1beta1", { size: "2x3" }]);
  assert.deepEqual((await send(server, "GET", `${v1}/a`)).body.spec, { width: "2", height: "3" });
  const patched = await send(server, "PATCH", `${v1}/a`, { spec: { width: "7" } }, merge);
  assert.deepEqual(patched.body.spec, { width: "7", height: "3" });
  assert.deepEqual((await send(server, "GET", `${v1beta1}/a`)).body.spec, { size: "7x3" });
  const old = await send(server, "PATCH", `${v1beta1}/a`, { spec: { size: "8x8" } }, merge);
  assert.deepEqual(old.body.spec, { size: "8x8" });
  const { resourceVersion } = old.body.metadata as { resourceVersion: string };
  const metadata = { name: "a", resourceVersion };
  const put = await send(server, "PUT", `${v1beta1}/a`, { metadata, spec: { size: "9x9" } });
  assert.deepEqual([put.status, put.body.spec], [200, { size: "9x9" }]);
  const { uid } = put.body.metadata as { uid?: string };
  assert.equal(uid, (made.body.metadata as { uid?: string }).uid);
  assert.ok(uid !== undefined);
  assert.deepEqual((await send(server, "GET", `${v1beta1}/a`)).body, put.body);
  assert.deepEqual((await send(server, "GET", `${v1}/a`)).body.spec, { width: "9", height: "9" });
});

story("server-side apply works in a version that is not stored; dry runs too", async (server) => {
  const applied = { apiVersion: "example.com/v1beta1", kind: "Thing", metadata: { name: "a" }, spec: { size: "1x1" } };
  const apply = { "content-type": "application/apply-patch+yaml" };
  const made = await send(server, "PATCH", `${v1beta1}/a?fieldManager=me`, applied, apply);
  assert.equal(made.status, 201, made.text);
  const again = await send(
    server,
    "PATCH",
    `${v1beta1}/a?fieldManager=me&dryRun=All`,
    { ...applied, spec: { size: "4x4" } },
    apply,
  );
  assert.deepEqual([again.status, again.body.spec], [200, { size: "4x4" }]);
  assert.deepEqual((await send(server, "GET", `${v1}/a`)).body.spec, { width: "1", height: "1" });
});

story("lists, tables and watches show the asked version", async (server, webhook) => {
  for (let i = 0; i < 30; i++)
    await send(server, "POST", v1, { metadata: { name: `t${i}` }, spec: { width: `${i}`, height: "0" } });
  const before = webhook.calls;
  const list = await send(server, "GET", v1beta1);
  const sizes = (list.body.items as Thing[]).map(({ spec }) => spec?.size);
  assert.equal(sizes.length, 30);
  assert.ok(sizes.includes("7x0"));
  assert.equal(webhook.calls, before + 1, "one call for all of them");
  const page = await send(server, "GET", `${v1beta1}?limit=2`);
  assert.equal((page.body.items as Thing[])[0]?.spec?.size, "0x0");
  const table = await send(server, "GET", `${v1beta1}?limit=1`, undefined, {
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
  });
  assert.deepEqual((table.body.rows as { cells: unknown[] }[])[0]?.cells, ["t0", "0x0"]);
  const version = (list.body.metadata as { resourceVersion: string }).resourceVersion;
  const seen = await watch(server, `${v1beta1}?watch=1&resourceVersion=${version}`);
  await send(server, "PATCH", `${v1}/t1`, { spec: { height: "5" } }, merge);
  await send(server, "DELETE", `${v1}/t1`);
  const events = [await seen.next(), await seen.next()].map((event) => [
    event?.type,
    (event?.object["spec"] as Thing["spec"])?.size,
  ]);
  seen.close();
  assert.deepEqual(events, [
    ["MODIFIED", "1x5"],
    ["DELETED", "1x5"],
  ]);
});

story("a webhook that fails is told, and nothing is stored", async (server, webhook) => {
  await send(server, "POST", v1, { metadata: { name: "a" }, spec: { width: "1", height: "2" } });
  webhook.isBroken = true;
  const message = /conversion webhook for example.com\/v1(beta1)?, Kind=Thing failed: out of order/;
  for (const answer of [
    await send(server, "GET", `${v1beta1}/a`),
    await send(server, "GET", v1beta1),
    await send(server, "POST", v1beta1, { metadata: { name: "b" }, spec: { size: "1x1" } }),
    await send(server, "PATCH", `${v1beta1}/a`, { spec: { size: "1x1" } }, merge),
  ]) {
    assert.equal(answer.status, 500);
    assert.match(String(answer.body.message), message);
  }
  assert.equal((await send(server, "GET", `${v1}/b`)).status, 404);
  assert.equal((await send(server, "GET", `${v1}/a`)).status, 200);
});

story("objects of an older stored version are converted when the stored version moves", async (server) => {
  await send(server, "POST", v1, { metadata: { name: "a" }, spec: { width: "1", height: "2" } });
  const versions = definition.spec.versions.map((each) => ({
    ...each,
    storage: (each as { name: string }).name === "v1beta1",
  }));
  const moved = await send(
    server,
    "PATCH",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com",
    { spec: { versions } },
    merge,
  );
  assert.equal(moved.status, 200, moved.text);
  for (let isMoved = false; !isMoved;) {
    const made = await send(server, "POST", `${v1}?dryRun=All`, {
      metadata: { name: "b" },
      spec: { width: "3", height: "4" },
    });
    const managed = (made.body.metadata as { managedFields: { apiVersion: string }[] }).managedFields;
    isMoved = managed[0]?.apiVersion === "example.com/v1beta1";
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual((await send(server, "GET", `${v1beta1}/a`)).body.spec, { size: "1x2" });
  assert.deepEqual((await send(server, "GET", `${v1}/a`)).body.spec, { width: "1", height: "2" });
  const definitionNow = await send(
    server,
    "GET",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com",
  );
  assert.deepEqual((definitionNow.body.status as { storedVersions: string[] }).storedVersions, ["v1", "v1beta1"]);
});
