/** Priority and fairness: who takes which seats, who waits, who is turned away, and that nobody starves the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultFlowSchemas, defaultPriorityLevels } from "#apiserver/fairness/defaults.ts";
import { FairLevel } from "#apiserver/fairness/fair-level.ts";
import type { ApiServerOptions } from "#apiserver/server.ts";
import type { User } from "#apiserver/user.ts";
import { realTimers } from "#world/node/clock.ts";
import { send, startInProcess, type Answer, type TestServer } from "./harness.ts";

const group = "/apis/flowcontrol.apiserver.k8s.io/v1";
const maps = "/api/v1/namespaces/default/configmaps";

/** Everybody is who the header says. */
const authenticator: ApiServerOptions["authenticator"] = {
  authenticate: ({ headers }) => ({ ok: true, user: userOf(headers.authorization ?? "admin") }),
  checkToken: () => ({ ok: false, reason: "invalid", detail: "no" }),
};

function userOf(name: string): User {
  const own = name === "admin" ? ["system:masters"] : name.startsWith("system:node:") ? ["system:nodes"] : [];
  return { name, uid: "", groups: [...own, "system:authenticated"], extra: {} };
}

async function start(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const server = await startInProcess({ authenticator, ...options });
  for (const level of defaultPriorityLevels) await send(server, "POST", `${group}/prioritylevelconfigurations`, level);
  for (const schema of defaultFlowSchemas) await send(server, "POST", `${group}/flowschemas`, schema);
  return server;
}

async function levelOf(server: TestServer, user: string, method: string, target: string): Promise<string> {
  const { headers } = await send(server, method, target, undefined, { authorization: user });
  const { body } = await send(server, "GET", `${group}/prioritylevelconfigurations`, undefined, {
    authorization: "admin",
  });
  const levels = body.items as { metadata: { name: string; uid: string } }[];
  const uid = headers["x-kubernetes-pf-prioritylevel-uid"];
  return levels.find(({ metadata }) => metadata.uid === uid)?.metadata.name ?? "none";
}

test("each request is counted for the level of the first schema that knows it", async () => {
  const server = await start();
  const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x";
  for (const [user, method, target, level] of [
    ["admin", "GET", maps, "exempt"],
    ["jane", "GET", "/readyz", "exempt"],
    ["jane", "GET", maps, "global-default"],
    ["system:node:a", "GET", "/api/v1/nodes/a", "node-high"],
    ["system:node:a", "GET", maps, "system"],
    ["system:kube-scheduler", "GET", lease, "leader-election"],
    ["system:kube-scheduler", "GET", maps, "workload-high"],
    ["system:serviceaccount:kube-system:a", "GET", maps, "workload-high"],
  ] as const)
    assert.equal(await levelOf(server, user, method, target), level, `${user} ${method} ${target}`);
  await server.close();
});

test("who finds no seat and no queue is told to come again; others are not harmed", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const admission = [
    {
      name: "slow",
      mutate: async ({ user }: { user: User }) => {
        if (user.name === "jane") await held;
        return { allowed: true } as const;
      },
    },
  ];
  const server = await start({ admission });
  const limited = { nominalConcurrencyShares: 0, limitResponse: { type: "Reject" } };
  await send(server, "POST", `${group}/prioritylevelconfigurations`, {
    metadata: { name: "narrow" },
    spec: { type: "Limited", limited },
  });
  const resourceRules = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"] }];
  await send(server, "POST", `${group}/flowschemas`, {
    metadata: { name: "jane" },
    spec: {
      matchingPrecedence: 50,
      priorityLevelConfiguration: { name: "narrow" },
      rules: [{ subjects: [{ kind: "User", user: { name: "jane" } }], resourceRules }],
    },
  });
  const as = (user: string, name: string): Promise<Answer> =>
    send(server, "POST", maps, { metadata: { name } }, { authorization: user });
  const first = as("jane", "first");
  const second = await as("jane", "second");
  assert.equal(second.status, 429);
  assert.equal(second.headers["retry-after"], "1");
  assert.equal((await as("joe", "of-joe")).status, 201);
  release();
  assert.equal((await first).status, 201);
  assert.equal((await as("jane", "third")).status, 201, "the seat was given back");
  await server.close();
});

test("flows take turns: a crowd of one makes another wait for one of it", async () => {
  const level = new FairLevel(realTimers({ keepAlive: false }), 1, 50);
  assert.equal(level.enter("crowd"), "now");
  const order: string[] = [];
  const wait = (flow: string): void => void Promise.resolve(level.enter(flow)).then(() => order.push(flow));
  for (let i = 0; i < 20; i++) wait("crowd");
  wait("single");
  for (let i = 0; i < 3; i++) {
    level.leave();
    await Promise.resolve().then(() => undefined);
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ["crowd", "single", "crowd"]);
  assert.equal(level.taken, 1);
  while (level.taken > 0) level.leave();
  assert.equal(level.waiting, 0);
});
