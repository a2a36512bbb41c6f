import assert from "node:assert/strict";
import { test } from "node:test";
import { configmaps, localsubjectaccessreviews, namespaces, nodes } from "#api/generated/resources.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { admit, requestFor } from "./request-in-tests.ts";

const objects = new StoredInTests();
objects.put(namespaces, { metadata: { name: "live" } });
objects.put(namespaces, { metadata: { name: "ending", deletionTimestamp: "2026-01-01T00:00:00Z" } });
const plugin = namespaceLifecycle(objects);
const configMap = (namespace: string): object => ({ metadata: { name: "c", namespace } });

const cases = [
  {
    name: "create in a live namespace",
    request: requestFor(configmaps, { object: configMap("live") }),
    refused: undefined,
  },
  {
    name: "create in a missing namespace",
    request: requestFor(configmaps, { object: configMap("none") }),
    refused: /^namespaces "none" not found$/,
  },
  {
    name: "create in an ending namespace",
    request: requestFor(configmaps, { object: configMap("ending") }),
    refused: /^unable to create new content in namespace ending because it is being terminated$/,
  },
  {
    name: "update in an ending namespace",
    request: requestFor(configmaps, { object: configMap("ending"), oldObject: configMap("ending") }),
    refused: undefined,
  },
  {
    name: "delete in a missing namespace",
    request: requestFor(configmaps, { operation: "DELETE", oldObject: configMap("none") }),
    refused: undefined,
  },
  {
    name: "an object without namespace",
    request: requestFor(nodes, { object: { metadata: { name: "n" } } }),
    refused: undefined,
  },
  {
    name: "a review of a missing namespace",
    request: requestFor(localsubjectaccessreviews, { namespace: "none", object: { metadata: {} } }),
    refused: undefined,
  },
  {
    name: "delete default",
    request: requestFor(namespaces, { operation: "DELETE", name: "default" }),
    refused: /may not be deleted/,
  },
  {
    name: "delete kube-system",
    request: requestFor(namespaces, { operation: "DELETE", name: "kube-system" }),
    refused: /may not be deleted/,
  },
  {
    name: "delete another",
    request: requestFor(namespaces, { operation: "DELETE", name: "live" }),
    refused: undefined,
  },
] as const;
for (const { name, request, refused } of cases) {
  test(`${name}: ${refused === undefined ? "passes" : "is refused"}`, async () => {
    const message = await admit(plugin, request);
    if (refused === undefined) assert.equal(message, undefined);
    else assert.match(message ?? "", refused);
  });
}

test("clients learn from the cause that the namespace ends", () => {
  const verdict = plugin.validate?.(requestFor(configmaps, { object: configMap("ending") }));
  assert.ok(verdict !== undefined && !(verdict instanceof Promise) && !verdict.allowed);
  assert.deepEqual(
    verdict.causes?.map(({ reason, field }) => ({ reason, field })),
    [{ reason: "NamespaceTerminating", field: "metadata.namespace" }],
  );
});
