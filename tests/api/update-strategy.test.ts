/** PUT: which resources it creates, which must name their revision, and that a named revision holds through every attempt. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdmissionPlugin } from "#apiserver/admission.ts";
import type { ApiServerOptions } from "#apiserver/server.ts";
import { send, startInProcess, type TestServer } from "./harness.ts";

const inDefault = (group: string, resource: string): string => `${group}/namespaces/default/${resource}`;
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const subject = { kind: "User", name: "jane", apiGroup: "rbac.authorization.k8s.io" };

async function play(run: (server: TestServer) => Promise<void>, options: Partial<ApiServerOptions> = {}) {
  const server = await startInProcess(options);
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

test("a PUT of these creates what is not there, and updates it the second time", () =>
  play(async (server) => {
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
    for (const [collection, content] of [
      [inDefault("/api/v1", "endpoints"), {}],
      [inDefault("/api/v1", "services"), { spec: { ports: [{ port: 80 }], clusterIP: "None" } }],
      [inDefault("/api/v1", "limitranges"), { spec: { limits: [] } }],
      [inDefault("/apis/coordination.k8s.io/v1", "leases"), { spec: {} }],
      ["/apis/node.k8s.io/v1/runtimeclasses", { handler: "runc" }],
      [`${rbac}/clusterroles`, { rules: [] }],
      [`${rbac}/clusterrolebindings`, { roleRef, subjects: [subject] }],
      [inDefault(rbac, "roles"), { rules: [] }],
      [inDefault(rbac, "rolebindings"), { roleRef, subjects: [subject] }],
    ] as const) {
      const first = await send(server, "PUT", `${collection}/new`, { metadata: { name: "new" }, ...content });
      assert.equal(first.status, 201, `${collection}: ${first.text}`);
      const metadata = first.body.metadata as Record<string, unknown>;
      assert.ok(metadata.uid);
      const second = await send(server, "PUT", `${collection}/new`, {
        ...first.body,
        metadata: { ...metadata, labels: { a: "b" } },
      });
      assert.equal(second.status, 200, `${collection}: ${second.text}`);
      const gone = await send(server, "PUT", `${collection}/other`, {
        ...content,
        metadata: { name: "other", uid: "1f0c1b5e-0000-0000-0000-000000000000" },
      });
      assert.equal(gone.status, 409, `${collection}: one that is gone does not come back`);
    }
  }));

test("a PUT of all others finds nothing to update; a patch creates none of them", () =>
  play(async (server) => {
    for (const target of [
      "/api/v1/namespaces/default/configmaps/a",
      "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/a",
    ]) {
      const body = {
        metadata: { name: "a" },
        ...(target.includes("slices") && { addressType: "IPv4", endpoints: [] }),
      };
      assert.equal((await send(server, "PUT", target, body)).status, 404, target);
    }
    const merge = { "content-type": "application/merge-patch+json" };
    const lease = inDefault("/apis/coordination.k8s.io/v1", "leases/a");
    assert.equal((await send(server, "PATCH", lease, { metadata: { labels: { a: "b" } } }, merge)).status, 404);
    assert.equal((await send(server, "PUT", `${lease}?dryRun=All`, { metadata: { name: "a" } })).status, 201);
    assert.equal((await send(server, "GET", lease)).status, 404);
  }));

test("who may update or patch but not create creates nothing that way", () =>
  play(
    async (server) => {
      const lease = inDefault("/apis/coordination.k8s.io/v1", "leases/a");
      const put = await send(server, "PUT", lease, { metadata: { name: "a" } });
      assert.equal(put.status, 403);
      assert.match(put.text, /cannot create resource/);
      const apply = await send(
        server,
        "PATCH",
        `${inDefault("/api/v1", "configmaps/a")}?fieldManager=m`,
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } },
        { "content-type": "application/apply-patch+yaml" },
      );
      assert.equal(apply.status, 403);
    },
    {
      authorizer: {
        authorize: ({ verb }) =>
          verb === "create" ? { allowed: false, denied: false, reason: "" } : { allowed: true, reason: "" },
        rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
      },
    },
  ));

test("a PUT of a resource that is updated by revision only must name it", () =>
  play(async (server) => {
    const budgets = inDefault("/apis/policy/v1", "poddisruptionbudgets");
    const budget = { metadata: { name: "a" }, spec: { minAvailable: 1, selector: {} } };
    await send(server, "POST", budgets, budget);
    const blind = await send(server, "PUT", `${budgets}/a`, budget);
    assert.equal(blind.status, 422);
    assert.match(blind.text, /metadata\.resourceVersion: Invalid value: 0x0: must be specified for an update/);
    const maps = inDefault("/api/v1", "configmaps");
    await send(server, "POST", maps, { metadata: { name: "a" } });
    assert.equal((await send(server, "PUT", `${maps}/a`, { metadata: { name: "a" } })).status, 200);
  }));

test("an update of a named revision never lands on another one, however late somebody else was faster", async () => {
  const maps = inDefault("/api/v1", "configmaps");
  let meanwhile: (() => Promise<void>) | undefined;
  const interrupting: AdmissionPlugin = {
    name: "interrupting",
    validate: async () => {
      const once = meanwhile;
      meanwhile = undefined;
      await once?.();
      return { allowed: true };
    },
  };
  await play(
    async (server) => {
      const made = await send(server, "POST", maps, { metadata: { name: "a" } });
      meanwhile = async () => {
        assert.equal(
          (await send(server, "PUT", `${maps}/a`, { metadata: { name: "a" }, data: { k: "1" } })).status,
          200,
        );
      };
      const late = await send(server, "PUT", `${maps}/a`, { ...made.body, data: { k: "2" } });
      assert.equal(late.status, 409);
      assert.deepEqual((await send(server, "GET", `${maps}/a`)).body.data, { k: "1" });
    },
    { admission: [interrupting] },
  );
});
