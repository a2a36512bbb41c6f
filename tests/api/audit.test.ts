/** Who did what: levels, stages, what is never written down, and that nobody evades it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultPolicy, readPolicy, type AuditPolicy } from "#apiserver/audit/policy.ts";
import type { ApiServerOptions } from "#apiserver/server.ts";
import { send, startInProcess, type TestServer } from "./harness.ts";

interface AuditEvent {
  readonly level: string;
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly impersonatedUser?: { readonly username: string };
  readonly objectRef?: { readonly resource: string; readonly name?: string };
  readonly responseStatus?: { readonly code: number; readonly reason?: string };
  readonly requestObject?: { readonly data?: unknown };
  readonly responseObject?: { readonly kind?: string };
  readonly annotations: Readonly<Record<string, string>>;
}

function policy(...rules: object[]): AuditPolicy {
  const read = readPolicy({ kind: "Policy", apiVersion: "audit.k8s.io/v1", rules });
  if (typeof read === "string") assert.fail(read);
  return read;
}

type Use = (server: TestServer, events: AuditEvent[], lines: string[]) => Promise<void>;

async function audited(wanted: AuditPolicy, use: Use, options: Partial<ApiServerOptions> = {}): Promise<void> {
  const lines: string[] = [];
  const events: AuditEvent[] = [];
  const write = (line: string): undefined => {
    lines.push(line);
    events.push(JSON.parse(line) as AuditEvent);
  };
  const sinks = { note: write, write };
  const server = await startInProcess({ audit: { policy: wanted, sinks }, ...options });
  await use(server, events, lines);
  await server.close();
}

const maps = "/api/v1/namespaces/default/configmaps";
const map = { metadata: { name: "m" }, data: { a: "b" } };

test("by default writes are noted and reads are not", async () => {
  await audited(defaultPolicy, async (server, events) => {
    const made = await send(server, "POST", maps, map, {
      "steersman-actor": "loop/one",
      "steersman-because": "it%20was%20missing",
    });
    await send(server, "GET", maps);
    await send(server, "DELETE", `${maps}/m?dryRun=All`);
    assert.deepEqual(
      events.map(({ verb, stage, level }) => `${verb} ${stage} ${level}`),
      ["create ResponseComplete Metadata", "delete ResponseComplete Metadata"],
    );
    const [first] = events;
    assert.equal(first?.requestObject, undefined);
    assert.equal(first?.responseStatus?.code, 201);
    assert.equal(first?.annotations["steersman.dev/because"], "it was missing");
    assert.ok(made.headers["audit-id"]);
  });
});

test("levels and stages are as the first rule that matches says", async () => {
  const rules = policy(
    { level: "None", verbs: ["list"] },
    {
      level: "RequestResponse",
      resources: [{ group: "", resources: ["configmaps"] }],
      omitStages: ["RequestReceived"],
    },
    { level: "Metadata" },
  );
  await audited(rules, async (server, events) => {
    await send(server, "GET", maps);
    assert.equal(events.length, 0);
    await send(server, "POST", maps, map);
    assert.deepEqual(events[0]?.requestObject?.data, { a: "b" });
    assert.equal(events[0]?.responseObject?.kind, "ConfigMap");
    await send(server, "GET", "/version");
    assert.deepEqual(
      events.slice(1).map(({ stage, level }) => `${stage} ${level}`),
      ["RequestReceived Metadata", "ResponseComplete Metadata"],
    );
  });
});

test("managed fields are left out where the policy, or its rule, says so", async () => {
  const read = readPolicy({
    kind: "Policy",
    apiVersion: "audit.k8s.io/v1",
    omitManagedFields: true,
    omitStages: ["RequestReceived"],
    rules: [
      { level: "RequestResponse", verbs: ["get"], omitManagedFields: false },
      { level: "RequestResponse", verbs: ["create", "list"] },
    ],
  });
  if (typeof read === "string") assert.fail(read);
  await audited(read, async (server, _, lines) => {
    await send(server, "POST", maps, map);
    await send(server, "GET", `${maps}/m`);
    await send(server, "GET", maps);
    assert.deepEqual(
      lines.map((line) => line.includes("managedFields")),
      [false, true, false],
    );
  });
});

test("the values of Secrets and tokens are never written, whatever the policy asks for", async () => {
  await audited(policy({ level: "RequestResponse" }), async (server, events, lines) => {
    const secrets = "/api/v1/namespaces/default/secrets";
    await send(server, "POST", secrets, { metadata: { name: "s" }, stringData: { a: "canary-value" } });
    await send(
      server,
      "PATCH",
      `${secrets}/s`,
      { stringData: { a: "canary-value" } },
      { "content-type": "application/merge-patch+json" },
    );
    await send(server, "GET", `${secrets}/s`);
    await send(server, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "canary-token" } });
    assert.ok(events.length >= 8);
    assert.doesNotMatch(lines.join(), /canary|Y2FuYXJ5/);
  });
});

test("nobody evades it: a refused body, no credentials, a broken step, a dry run", async () => {
  const wanted = policy({ level: "Metadata", omitStages: ["RequestReceived"] });
  await audited(wanted, async (server, events) => {
    await send(server, "POST", maps, "{");
    await send(server, "POST", maps, "x".repeat(4 * 1024 * 1024));
    await send(server, "POST", `${maps}?dryRun=All`, map);
    assert.deepEqual(
      events.map(({ responseStatus }) => responseStatus?.code),
      [400, 413, 201],
    );
  });
  const refuse = { ok: false, reason: "invalid", detail: "no" } as const;
  const authenticator = { authenticate: () => refuse, checkToken: () => refuse };
  await audited(
    wanted,
    async (server, events) => {
      await send(server, "GET", maps);
      assert.equal(events[0]?.responseStatus?.code, 401);
    },
    { authenticator },
  );
  const admission = [
    {
      name: "broken",
      mutate: () => {
        throw new Error("a defect");
      },
    },
  ];
  await audited(
    wanted,
    async (server, events) => {
      await send(server, "POST", maps, map);
      assert.equal(events[0]?.responseStatus?.code, 500);
      assert.equal(events[0]?.stage, "Panic");
    },
    { admission },
  );
});

test("an impersonated request names both", async () => {
  await audited(policy({ level: "Metadata", omitStages: ["RequestReceived"] }), async (server, events) => {
    await send(server, "GET", maps, undefined, { "impersonate-user": "jane" });
    assert.equal(events[0]?.user.username, "admin");
    assert.equal(events[0]?.impersonatedUser?.username, "jane");
  });
});

test("a policy that cannot be followed is refused", () => {
  const refused = (document: unknown, part: RegExp): void => assert.match(String(readPolicy(document)), part);
  refused({ kind: "Other" }, /no Policy/);
  refused({ kind: "Policy", apiVersion: "audit.k8s.io/v1", rules: [] }, /no rules/);
  const rules = [{ level: "None", user: ["system:kube-proxy"] }];
  refused({ kind: "Policy", apiVersion: "audit.k8s.io/v1", rules }, /rules\[0\] has the unknown field user/);
  refused({ kind: "Policy", apiVersion: "audit.k8s.io/v1", rules: [{ level: "All" }] }, /rules\[0\].level/);
});
