import assert from "node:assert/strict";
import { test } from "node:test";
import { namespaces, resourceclaims, resourceclaimtemplates } from "#api/generated/resources.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { deviceAdminAccess } from "./device-admin-access.ts";
import { requestFor } from "./request-in-tests.ts";

const objects = new StoredInTests();
objects.put(namespaces, { metadata: { name: "plain" } });
objects.put(namespaces, {
  metadata: { name: "trusted", labels: { "resource.kubernetes.io/admin-access": "true" } },
});

function mayAsk(namespace: string, adminAccess: boolean, isTemplate = false): boolean {
  const exactly = { deviceClassName: "gpu", adminAccess };
  const spec = { devices: { requests: [{ name: "gpu", exactly }] } };
  const object = { metadata: { namespace, name: "look" }, spec: isTemplate ? { spec } : spec };
  const resource = isTemplate ? resourceclaimtemplates : resourceclaims;
  const verdict = deviceAdminAccess(objects).validate!(requestFor(resource, { object }));
  return (verdict as { allowed: boolean }).allowed;
}

test("claims and templates ask for devices of others only where an administrator allows it", () => {
  assert.equal(mayAsk("plain", false), true);
  assert.equal(mayAsk("plain", true), false);
  assert.equal(mayAsk("plain", true, true), false);
  assert.equal(mayAsk("trusted", true), true);
  assert.equal(mayAsk("trusted", true, true), true);
  assert.equal(mayAsk("nowhere", true), false);
});
