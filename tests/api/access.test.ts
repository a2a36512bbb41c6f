import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes } from "#apiserver/authorizer.ts";
import type { AdmissionPlugin } from "#apiserver/admission.ts";
import { admin, send, startInProcess } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const someone = { name: "someone", uid: "", groups: ["system:authenticated"], extra: {} };

/** An authorizer that notes what it is asked and allows what `allows` says. */
function asked(allows: (attributes: Attributes) => boolean) {
  const seen: string[] = [];
  return {
    seen,
    authorizer: {
      authorize(attributes: Attributes) {
        seen.push(
          `${attributes.verb} ${attributes.isResource ? [attributes.resource, attributes.subresource].join("/") : attributes.path}`,
        );
        return allows(attributes)
          ? ({ allowed: true, reason: "" } as const)
          : ({ allowed: false, denied: false, reason: "" } as const);
      },
      rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
    },
    authenticator: {
      authenticate: () => ({ ok: true, user: someone }) as const,
      checkToken: () => ({ ok: true, user: someone }) as const,
    },
  };
}

test("without the authorizer's yes nothing is reached (17), and the refusal is in the known words", async () => {
  const { seen, ...who } = asked(() => false);
  const server = await startInProcess(who);
  const before = server.store.visible;
  const refused = await send(server, "POST", maps, { metadata: { name: "a" } });
  assert.equal(refused.status, 403);
  assert.equal(
    refused.body.message,
    'configmaps is forbidden: User "someone" cannot create resource "configmaps" in API group "" in the namespace "default"',
  );
  assert.match((await send(server, "GET", "/version")).text, /cannot get path \\"\/version\\"/);
  assert.equal(server.store.visible, before);
  assert.deepEqual(seen, ["create configmaps/", "get /version"]);
  await server.close();
});

test("connecting to a pod is creating, also by GET (k/k#78741)", async () => {
  const { seen, ...who } = asked(() => false);
  const server = await startInProcess(who);
  for (const method of ["GET", "POST"]) {
    for (const way of ["exec", "attach", "portforward"])
      await send(server, method, `/api/v1/namespaces/default/pods/p/${way}`);
  }
  await send(server, "GET", "/api/v1/namespaces/default/pods/p/log");
  assert.deepEqual(
    seen.slice(0, 6),
    ["exec", "attach", "portforward", "exec", "attach", "portforward"].map((way) => `create pods/${way}`),
  );
  assert.equal(seen[6], "get pods/log");
  await server.close();
});

test("impersonation is asked for each part, and stands for nothing without permission", async () => {
  const { seen, ...who } = asked(({ verb }) => !verb.startsWith("impersonate"));
  const server = await startInProcess(who);
  for (const headers of [
    { "impersonate-user": "x" },
    { "impersonate-user": "x", "impersonate-group": "system:masters" },
  ]) {
    assert.equal((await send(server, "GET", maps, undefined, headers)).status, 403);
  }
  assert.equal((await send(server, "GET", maps, undefined, { "impersonate-group": "g" })).status, 400);
  assert.ok(seen.every((each) => each.startsWith("impersonate")));
  await server.close();
});

test("reasons are believed only from the house (headers of others are dropped)", async () => {
  const server = await startInProcess(asked(() => true));
  await send(
    server,
    "POST",
    maps,
    { metadata: { name: "a" } },
    { "steersman-actor": "controllers/fake", "steersman-rule": "mine" },
  );
  const why = await send(server, "GET", "/apis/steersman.dev/v1/records?subject=/configmaps/default/a");
  const [record] = why.body.items as { actor?: string; user: string }[];
  assert.deepEqual([record?.actor, record?.user], [undefined, "someone"]);
  await server.close();
});

test("a write and its reason are one revision, and of a leader whose term is over neither is kept", async () => {
  const server = await startInProcess();
  const house = server.api.transportFor(admin);
  const write = async (target: string, method: string, body: object, epoch: number): Promise<number> => {
    const { status } = await house.send({
      ...{ method, target, body: Buffer.from(JSON.stringify(body)) },
      headers: {
        "content-type": method === "POST" ? "application/json" : "application/merge-patch+json",
        "steersman-actor": "controllers/test",
        "steersman-rule": `by the leader of term ${epoch}`,
        "steersman-epoch": `default%2Ftest/${epoch}`,
      },
    });
    return status;
  };
  const kept = async (): Promise<unknown> => {
    const object = (await send(server, "GET", `${maps}/a`)).body.metadata as { resourceVersion: string };
    const why = await send(server, "GET", "/apis/steersman.dev/v1/records?subject=/configmaps/default/a");
    const records = why.body.items as { resourceVersion: string; rule: string }[];
    assert.equal(records[0]?.resourceVersion, object.resourceVersion);
    return records.map(({ rule }) => rule);
  };
  assert.equal(await write(maps, "POST", { metadata: { name: "a" } }, 1), 201);
  assert.deepEqual(await kept(), ["by the leader of term 1"]);
  assert.equal(await write(`${maps}/a`, "PATCH", { data: { term: "2" } }, 2), 200);
  assert.equal(await write(`${maps}/a`, "PATCH", { data: { term: "1 again" } }, 1), 409);
  assert.deepEqual(await kept(), ["by the leader of term 2", "by the leader of term 1"]);
  await server.close();
});

test("mutators run before validators, on patches too, and see the stored old object (13)", async () => {
  const order: string[] = [];
  const plugin = (name: string): AdmissionPlugin => ({
    name,
    mutate(request) {
      order.push(`${name} mutates ${request.operation}`);
      const metadata = request.object?.metadata;
      if (metadata !== undefined) metadata.labels = { ...metadata.labels, [name]: "was-here" };
      return { allowed: true };
    },
    validate(request) {
      order.push(`${name} validates ${request.operation}`);
      if (request.object?.metadata.labels?.bad === "yes") return { allowed: false, message: "no bad labels" };
      if (request.operation === "UPDATE") assert.equal(request.oldObject?.metadata.labels?.bad, undefined);
      return { allowed: true };
    },
  });
  const server = await startInProcess({ admission: [plugin("one"), plugin("two")] });
  const made = await send(server, "POST", maps, { metadata: { name: "a" } });
  assert.deepEqual((made.body.metadata as { labels: unknown }).labels, { one: "was-here", two: "was-here" });
  assert.deepEqual(order, ["one mutates CREATE", "two mutates CREATE", "one validates CREATE", "two validates CREATE"]);
  const refused = await send(
    server,
    "PATCH",
    `${maps}/a`,
    { metadata: { labels: { bad: "yes" } } },
    { "content-type": "application/merge-patch+json" },
  );
  assert.equal(refused.status, 403);
  assert.equal(refused.body.message, 'configmaps "a" is forbidden: no bad labels');
  await server.close();
});

test("an exception in a stage is a 500 without its text, and the next request goes on", async () => {
  const logged: unknown[] = [];
  const plugin: AdmissionPlugin = {
    name: "broken",
    mutate() {
      throw new Error("secret detail");
    },
  };
  const server = await startInProcess({ admission: [plugin], log: (_message, error) => logged.push(error) });
  const answer = await send(server, "POST", maps, { metadata: { name: "a" } });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /secret/);
  assert.match(String(logged[0]), /secret detail/);
  assert.equal((await send(server, "GET", maps)).status, 200);
  await server.close();
});
