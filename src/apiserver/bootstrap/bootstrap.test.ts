import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterrolebindings, clusterroles, endpointslices, namespaces, services } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { bootstrapObjects } from "./objects.ts";
import { bootstrap, type BootstrapWriter } from "./reconcile.ts";
import { apiServiceAddress, dnsServiceAddress } from "./system-objects.ts";

const facts = {
  serviceRange: "10.96.0.0/16",
  apiAddress: "192.0.2.7",
  apiPort: 6443,
  dnsEndpoints: ["192.0.2.7"],
  clientCa: "PEM",
};

/** A cluster that records what is written to it. */
function cluster(): { objects: StoredInTests; writer: BootstrapWriter; writes: string[] } {
  const objects = new StoredInTests();
  const writes: string[] = [];
  const write = (verb: string, resource: { group: string; resource: string }, object: ApiObject): Promise<unknown> => {
    assert.ok(
      object.metadata.namespace === undefined || objects.get(namespaces, undefined, object.metadata.namespace),
      "namespace first",
    );
    writes.push(`${verb} ${resource.resource} ${object.metadata.name}`);
    objects.put(resource, structuredClone(object));
    return Promise.resolve();
  };
  const writer: BootstrapWriter = {
    get: (resource, at) => Promise.resolve(structuredClone(objects.get(resource, at.namespace, at.name))),
    create: (resource, object) => write("create", resource, object),
    update: (resource, object) => write("update", resource, object),
    delete: (resource, at) => {
      writes.push(`delete ${resource.resource} ${at.name}`);
      objects.remove(resource, at.namespace, at.name);
      return Promise.resolve();
    },
  };
  return { objects, writer, writes };
}

test("a new cluster gets everything, and a second start writes nothing", async () => {
  const { writer, writes, objects } = cluster();
  await bootstrap(writer, facts);
  assert.equal(writes.length, bootstrapObjects(facts).flat().length);
  assert.ok(writes.every((write) => write.startsWith("create")));
  assert.equal(objects.get(services, "default", "kubernetes")?.["spec"] !== undefined, true);
  writes.length = 0;
  await bootstrap(writer, facts);
  assert.deepEqual(writes, []);
});

test("the API has the first service address, DNS the tenth", () => {
  assert.equal(apiServiceAddress("10.96.0.0/16"), "10.96.0.1");
  assert.equal(dnsServiceAddress("10.96.0.0/16"), "10.96.0.10");
});

test("every object is named once and every binding names a role that exists", () => {
  const all = bootstrapObjects(facts).flat();
  const keys = all.map(
    ({ resource, object }) => `${resource.resource} ${object.metadata.namespace ?? ""}/${object.metadata.name}`,
  );
  assert.equal(new Set(keys).size, keys.length);
  for (const { resource, object } of all) {
    const roleRef = object["roleRef"] as { kind: string; name: string } | undefined;
    if (roleRef === undefined) continue;
    const namespace = roleRef.kind === "Role" ? (object.metadata.namespace ?? "") : "";
    const role = `${roleRef.kind === "Role" ? "roles" : "clusterroles"} ${namespace}/${roleRef.name}`;
    assert.ok(keys.includes(role), `${resource.resource} ${object.metadata.name} binds ${role}`);
  }
});

const repairs: readonly { name: string; change: (objects: StoredInTests) => void; expected: readonly string[] }[] = [
  {
    name: "the API moved to another address",
    change: (objects) => {
      const slice = structuredClone(objects.get(endpointslices, "default", "kubernetes"));
      assert.ok(slice);
      slice["endpoints"] = [{ addresses: ["192.0.2.8"], conditions: { ready: true } }];
      objects.put(endpointslices, slice);
    },
    expected: ["update endpointslices kubernetes"],
  },
  {
    name: "a role lost a rule",
    change: (objects) => objects.put(clusterroles, { ...stored(objects, "system:discovery"), rules: [] }),
    expected: ["update clusterroles system:discovery"],
  },
  {
    name: "a role gained a rule",
    change: (objects) => {
      const role = stored(objects, "system:discovery");
      const more = { verbs: ["get"], nonResourceURLs: ["/more"] };
      objects.put(clusterroles, { ...role, rules: [...(role["rules"] as object[]), more] });
    },
    expected: [],
  },
  {
    name: "the rules of an aggregated role were collected",
    change: (objects) => objects.put(clusterroles, { ...stored(objects, "view"), rules: [{ verbs: ["get"] }] }),
    expected: [],
  },
  {
    name: "somebody opted out",
    change: (objects) => {
      const role = stored(objects, "system:discovery");
      role.metadata.annotations = { "rbac.authorization.kubernetes.io/autoupdate": "false" };
      objects.put(clusterroles, { ...role, rules: [] });
    },
    expected: [],
  },
  {
    name: "a binding lost its subject",
    change: (objects) => {
      const binding = structuredClone(objects.get(clusterrolebindings, undefined, "cluster-admin"));
      assert.ok(binding);
      objects.put(clusterrolebindings, { ...binding, subjects: [] });
    },
    expected: ["update clusterrolebindings cluster-admin"],
  },
  {
    name: "a binding binds another role",
    change: (objects) => {
      const binding = structuredClone(objects.get(clusterrolebindings, undefined, "system:discovery"));
      assert.ok(binding);
      objects.put(clusterrolebindings, { ...binding, roleRef: { kind: "ClusterRole", name: "cluster-admin" } });
    },
    expected: ["delete clusterrolebindings system:discovery", "create clusterrolebindings system:discovery"],
  },
];

function stored(objects: StoredInTests, name: string): ApiObject {
  const role = structuredClone(objects.get(clusterroles, undefined, name));
  assert.ok(role);
  return role;
}

for (const { name, change, expected } of repairs) {
  test(`the next start after ${name} writes ${expected.length === 0 ? "nothing" : expected.join(", ")}`, async () => {
    const { writer, writes, objects } = cluster();
    await bootstrap(writer, facts);
    change(objects);
    writes.length = 0;
    await bootstrap(writer, facts);
    assert.deepEqual(writes, expected);
  });
}
