/** Priority and fairness: who takes which seats, who waits, who is turned away, and that nobody starves the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultFlowSchemas, defaultPriorityLevels } from "#apiserver/fairness/defaults.ts";
import { FairLevel, type Seat, type Share } from "#apiserver/fairness/fair-level.ts";
import { largeWriteBytesMax, watchesOfUserMax } from "#apiserver/fairness/limits.ts";
import { SeatPool } from "#apiserver/fairness/seat-pool.ts";
import { widthOf } from "#apiserver/fairness/width.ts";
import { Failure } from "#apiserver/failure.ts";
import { Registry } from "#apiserver/registry.ts";
import { routeOf } from "#apiserver/stages/route.ts";
import { WatchesByUser } from "#apiserver/watch/watches-by-user.ts";
import { kinds } from "#api/kinds.ts";
import type { ByteStream } from "#world/http.ts";
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
  await narrow(server);
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

/** A clock that stands still until it is told. */
class StoppedWorld {
  nowMs = 0;
  readonly clock = { monotonic: () => this.nowMs };
  readonly timers = realTimers({ keepAlive: false });
}

interface Table {
  readonly pool: SeatPool;
  readonly world: StoppedWorld;
  level(share: Partial<Share>): FairLevel;
  /** Who has got seats, in order; each leaves when told. */
  readonly seated: { readonly flow: string; leave(bytes?: number): void }[];
  ask(level: FairLevel, flow: string, width?: number): void;
}

function table(total: number): Table {
  const pool = new SeatPool();
  const world = new StoppedWorld();
  const levels: FairLevel[] = [];
  const seated: Table["seated"] = [];
  return {
    pool,
    world,
    seated,
    level(share) {
      const level = new FairLevel(pool, world, { nominal: total, least: 0, most: total, queueLength: 50, ...share });
      levels.push(level);
      pool.configure(levels, total);
      return level;
    },
    ask(level, flow, width = 1) {
      const note = (seat: Seat | "refused"): void => {
        if (seat === "refused") seated.push({ flow: `${flow} refused`, leave: () => undefined });
        else seated.push({ flow, leave: (bytes = 0) => seat.leave(bytes) });
      };
      const turn = level.enter(flow, width);
      if (turn instanceof Promise) void turn.then(note);
      else note(turn);
    },
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const names = (seated: Table["seated"]): string[] => seated.map(({ flow }) => flow);

test("of those who wait the one that has had least goes first", async () => {
  const { level, ask, seated } = table(1);
  const one = level({});
  for (let i = 0; i < 20; i++) ask(one, "crowd");
  ask(one, "single");
  for (let i = 0; i < 3; i++) {
    seated.at(-1)!.leave();
    await settled();
  }
  assert.deepEqual(names(seated), ["crowd", "single", "crowd", "crowd"]);
  assert.equal(one.taken, 1);
  assert.equal(one.waiting, 17);
});

test("time, width and bytes count: who has had much waits for those who had little", async () => {
  for (const consume of [
    (_world: StoppedWorld, leave: (bytes: number) => void) => leave(50_000_000),
    (world: StoppedWorld, leave: (bytes: number) => void) => {
      world.nowMs += 500;
      leave(0);
    },
  ]) {
    const { level, ask, seated, world } = table(1);
    const one = level({});
    ask(one, "heavy");
    ask(one, "heavy");
    for (let i = 0; i < 5; i++) ask(one, "light");
    consume(world, (bytes) => seated[0]!.leave(bytes));
    for (let i = 1; i < 6; i++) {
      await settled();
      seated[i]!.leave();
    }
    await settled();
    assert.deepEqual(names(seated), ["heavy", "light", "light", "light", "light", "light", "heavy"]);
  }
});

test("a request of several seats waits until all of them are free, and takes no more than its level can have", async () => {
  const { level, ask, seated } = table(4);
  const one = level({});
  ask(one, "a");
  ask(one, "b", 10);
  assert.deepEqual(names(seated), ["a"]);
  seated[0]!.leave();
  await settled();
  assert.deepEqual(names(seated), ["a", "b"]);
  assert.equal(one.taken, 4);
  seated[1]!.leave();
  assert.equal(one.taken, 0);
});

test("a level borrows what others lend, never their least, and gives it back to those below their own first", async () => {
  const { level, ask, seated } = table(10);
  const lender = level({ nominal: 5, least: 2, most: 5 });
  const borrower = level({ nominal: 5, least: 5, most: 7 });
  for (let i = 0; i < 8; i++) ask(borrower, "b");
  assert.equal(borrower.taken, 7, "its own five and the two that it may borrow");
  for (let i = 0; i < 4; i++) ask(lender, "l");
  assert.equal(lender.taken, 3, "two are lent");
  assert.equal(lender.waiting, 1);
  seated.find(({ flow }) => flow === "b")!.leave();
  await settled();
  assert.deepEqual(
    [lender.taken, borrower.taken],
    [4, 6],
    "what is given back goes to the level that has less than its own",
  );
  const unlimited = table(10);
  const idle = unlimited.level({ nominal: 5, least: 2 });
  const busy = unlimited.level({ nominal: 5, least: 5 });
  for (let i = 0; i < 12; i++) unlimited.ask(busy, "b");
  assert.deepEqual([idle.taken, busy.taken], [0, 8], "the least of the other stays free");
});

test("a flow waits for no more than it leaves to the next: one that fills the queue does not keep others out", async () => {
  const { level, ask, seated } = table(1);
  const one = level({ waitingWidth: 8 });
  ask(one, "first");
  for (let i = 0; i < 6; i++) ask(one, "crowd");
  for (let i = 0; i < 3; i++) ask(one, "other");
  assert.deepEqual(names(seated).slice(1), ["crowd refused", "crowd refused", "other refused"]);
  assert.equal(one.waiting, 6, "four of the one and two of the other");
  for (let i = 0; i < 7; i++) {
    seated.findLast(({ flow }) => !flow.endsWith("refused"))!.leave();
    await settled();
  }
  assert.equal(one.waiting, 0);
  for (let i = 0; i < 5; i++) ask(one, "crowd");
  assert.equal(one.waiting, 4, "there is as much room as before");
});

test("lists take seats by the objects that they look at; watches hold theirs until they have begun", async () => {
  const server = await start();
  for (let i = 0; i < 250; i++)
    await send(server, "POST", maps, { metadata: { name: `m${i}` } }, { authorization: "admin" });
  const parts = { registry: new Registry(kinds), store: server.store };
  for (const [target, width] of [
    [maps, 3],
    [`${maps}?limit=50`, 1],
    [`${maps}?fieldSelector=metadata.name%3Dm1`, 1],
    [`${maps}/m1`, 1],
    ["/api/v1/namespaces/other/configmaps", 1],
    [`${maps}?watch=1`, 3],
    [`${maps}?watch=1&resourceVersion=5`, 1],
    [`${maps}?watch=1&sendInitialEvents=true&resourceVersion=5&resourceVersionMatch=NotOlderThan`, 3],
  ] as const) {
    const info = routeOf("GET", target);
    assert.ok(!(info instanceof Failure));
    assert.equal(widthOf({ info, parts } as Parameters<typeof widthOf>[0]), width, target);
  }
  await server.close();
});

/** A level whose only seat is jane's. */
async function narrow(server: TestServer): Promise<void> {
  const limited = { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse: { type: "Reject" } };
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
}

test("a list and the beginning of a watch keep their seats while their client takes them", async () => {
  const server = await start();
  await narrow(server);
  const padding = "x".repeat(400_000);
  for (let i = 0; i < 3; i++)
    await send(server, "POST", maps, { metadata: { name: `m${i}` }, data: { padding } }, { authorization: "admin" });
  const asJane = { method: "GET", headers: { authorization: "jane" }, body: new Uint8Array(0) };
  for (const target of [maps, `${maps}?watch=1`]) {
    const response = await server.transport.send({ ...asJane, target });
    const body = response.body as ByteStream;
    // The client takes the first piece and no more.
    body.open({ write: () => false, end: () => undefined, abort: () => undefined });
    assert.equal((await send(server, "GET", `${maps}/m0`, undefined, { authorization: "jane" })).status, 429, target);
    body.close();
    assert.equal((await send(server, "GET", `${maps}/m0`, undefined, { authorization: "jane" })).status, 200, target);
  }
  await server.close();
});

test("a watch that has begun takes no seat; one user cannot have all watches of the server", async () => {
  const server = await start();
  await narrow(server);
  const watching = await server.transport.send({
    method: "GET",
    target: `${maps}?watch=1&resourceVersion=0`,
    headers: { authorization: "jane" },
    body: new Uint8Array(0),
  });
  const body = watching.body as ByteStream;
  body.open({ write: () => true, end: () => undefined, abort: () => undefined });
  assert.equal((await send(server, "GET", `${maps}?limit=1`, undefined, { authorization: "jane" })).status, 200);
  body.close();

  const watches = new WatchesByUser();
  for (let i = 0; i < watchesOfUserMax; i++) assert.equal(watches.open("jane"), true);
  assert.equal(watches.open("jane"), false);
  assert.equal(watches.open("joe"), true);
  watches.close("jane");
  assert.equal(watches.open("jane"), true);
  await server.close();
});

/** Creates a map for somebody: one that is so large that it waits for its turn, or a small one. */
function creating(server: TestServer, authorization: string, name: string, characters: number): Promise<Answer> {
  return send(server, "POST", maps, { metadata: { name }, data: { text: "x".repeat(characters) } }, { authorization });
}

test("large writes go on a few at a time, of all users by turns, and small ones go past them", async () => {
  const begun: string[] = [];
  const releases: (() => void)[] = [];
  const admission = [
    {
      name: "held",
      mutate: async ({ name, user }: { name: string; user: User }) => {
        if (user.name === "admin" || name.startsWith("small")) return { allowed: true } as const;
        begun.push(name);
        await new Promise<void>((resolve) => releases.push(resolve));
        return { allowed: true } as const;
      },
    },
  ];
  const server = await start({ admission });
  const size = 1_000_000;
  const atOnce = largeWriteBytesMax / (1024 * 1024);
  const count = 3 * atOnce;
  const ofJane = Array.from({ length: count }, (_, at) => creating(server, "jane", `jane-${at}`, size));
  while (begun.length < atOnce) await settled();
  const ofJoe = creating(server, "joe", "joe", size);
  for (const user of ["jane", "joe"])
    assert.equal((await creating(server, user, `small-of-${user}`, 10)).status, 201, `${user} does not wait`);
  const first = Array.from({ length: atOnce }, (_, at) => `jane-${at}`);
  assert.deepEqual(begun, first, "the others of them only wait");

  const answers = Promise.all([...ofJane, ofJoe]);
  releases.shift()!();
  while (begun.length === atOnce) await settled();
  assert.deepEqual(begun, [...first, "joe"], "who had none yet is next");
  while (begun.length <= count) {
    releases.shift()?.();
    await settled();
  }
  for (const release of releases) release();
  for (const { status } of await answers) assert.equal(status, 201);
  await server.close();
});

test("a write that is answered while it waits for its turn takes nothing from those after it", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let begun = 0;
  const admission = [
    {
      name: "held",
      mutate: async ({ name }: { name: string }) => {
        if (!name.startsWith("held")) return { allowed: true } as const;
        begun += 1;
        await held;
        return { allowed: true } as const;
      },
    },
  ];
  const server = await start({ admission });
  const size = 1_000_000;
  const atOnce = largeWriteBytesMax / (1024 * 1024);
  const before = Array.from({ length: atOnce }, (_, at) => creating(server, "jane", `held-${at}`, size));
  while (begun < atOnce) await settled();
  const body = { data: { text: "x".repeat(size) } };
  const late = Array.from({ length: atOnce }, (_, at) =>
    send(
      server,
      "POST",
      `${maps}?timeout=1ms`,
      { ...body, metadata: { name: `late-${at}` } },
      { authorization: "joe" },
    ),
  );
  for (const { status } of await Promise.all(late)) assert.equal(status, 504);
  release();
  for (const { status } of await Promise.all(before)) assert.equal(status, 201);
  assert.equal((await creating(server, "jane", "after", size)).status, 201, "their places were given back");
  await server.close();
});
