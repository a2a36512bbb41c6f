/** Whole releases in virtual time: good and bad ones, crashes after every write, missing numbers, approvals, second thoughts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, type World } from "./model.ts";

const atRest = (world: World) => (): boolean => {
  const { phase, candidate, stable } = world.status();
  return phase === "RolledBack" || (phase === "Stable" && candidate !== undefined && candidate === stable);
};

async function release(world: World, image: string, seconds = 90): Promise<void> {
  world.setImage(image);
  await world.live(5, () => !atRest(world)());
  await world.live(seconds, atRest(world));
  await world.live(3);
}

function outcome(world: World): string {
  return `${world.status().phase}; ${world.pods()}; threshold ${world.split()?.threshold}`;
}

test("a good version goes through its steps to everybody", async () => {
  const world = await createWorld();
  await release(world, "web:2");
  assert.equal(outcome(world), "Stable; 2 web:2; threshold 0");
  assert.deepEqual(world.problems, []);
  await world.stop();
});

test("a bad version goes back and stays back; the third one is tried anew", async () => {
  const world = await createWorld();
  world.traffic.errorsBy["web:2"] = 0.4;
  await release(world, "web:2");
  assert.equal(outcome(world), "RolledBack; 2 web:1; threshold 0");
  assert.match(world.status().lastRollback?.reason ?? "", /users of the new version see errors/);
  await world.live(30);
  assert.equal(outcome(world), "RolledBack; 2 web:1; threshold 0");
  const template = JSON.stringify(world.api.get("deployments", "default/web")!.spec!["template"]);
  assert.match(template, /web:2/, "a rollback never writes the template");
  await release(world, "web:3");
  assert.equal(outcome(world), "Stable; 2 web:3; threshold 0");
  await world.stop();
});

test("errors on both sides stop the release and blame nobody", async () => {
  const world = await createWorld();
  Object.assign(world.traffic.errorsBy, { "web:1": 0.4, "web:2": 0.4 });
  world.setImage("web:2");
  await world.live(40);
  assert.equal(world.status().phase, "Paused");
  assert.equal(world.status().verdict, "BothSidesFail");
  Object.assign(world.traffic.errorsBy, { "web:1": 0, "web:2": 0 });
  const canary = world.api.get("canaries", "default/web")!;
  const annotations = { "delivery.steersman.dev/approved": `${world.status().candidate}.1` };
  world.api.put("canaries", { ...canary, metadata: { ...canary.metadata, annotations } });
  await world.live(90, atRest(world));
  await world.live(3);
  assert.equal(outcome(world), "Stable; 2 web:2; threshold 0");
  await world.stop();
});

test("a source of numbers that says nothing never lets a version pass", async () => {
  const world = await createWorld();
  world.traffic.reports = false;
  world.setImage("web:2");
  await world.live(120);
  assert.equal(world.status().phase, "Step");
  assert.equal(world.status().verdict, "NotEnoughData");
  world.traffic.reports = true;
  await world.live(90, atRest(world));
  await world.live(3);
  assert.equal(outcome(world), "Stable; 2 web:2; threshold 0");
  await world.stop();
});

test("numbers that cannot be, of nodes that are not there, or of one node twice neither pass nor fail a version", async () => {
  const world = await createWorld();
  world.traffic.reports = false;
  world.setImage("web:2");
  await world.live(20, () => world.status().phase === "Step");
  const split = world.api.get("trafficsplits", "default/web")!;
  const tale = (name: string, node: string, chosen: object): unknown =>
    world.api.put("trafficcounts", {
      metadata: { name, namespace: "default", ownerReferences: [{ uid: split.metadata.uid }] },
      spec: {
        ...{ split: "web", node, threshold: 0, run: split.spec?.["run"], chosen, others: { users: 500, inErrors: 0 } },
        at: new Date(world.time.clock.now()).toISOString(),
      },
    });
  for (const [name, node, chosen] of [
    ["web.n1", "n1", { users: 10, inErrors: 1_000 }],
    ["web.ghost", "ghost", { users: 1_000, inErrors: 0 }],
    ["web.ghost2", "ghost2", { users: 1_000, inErrors: 1_000 }],
    ["again.n1", "n1", { users: 1_000, inErrors: 0 }],
  ] as const) {
    tale(name, node, chosen);
    await world.live(20);
    assert.equal(world.status().phase, "Step", name);
    assert.equal(world.status().verdict, "NotEnoughData", name);
    assert.equal(world.status().users?.users, 0, name);
  }
  await world.stop();
});

test("not enough data can mean failure after a deadline", async () => {
  const world = await createWorld({ notEnoughData: { then: "fail", after: "20s" } });
  world.traffic.reports = false;
  await release(world, "web:2");
  assert.equal(world.status().phase, "RolledBack");
  assert.match(world.status().lastRollback?.reason ?? "", /not enough data/);
  await world.stop();
});

const mirrored = {
  steps: [{ mirror: "50%", for: "3s", minRequests: 40 }, { share: "50%", for: "2s" }, { share: "100%" }],
};

test("requests are copied to a version before any user has it; a good one goes on", async () => {
  const world = await createWorld(mirrored);
  world.setImage("web:2");
  await world.live(20, () => (world.status().mirrored?.copies.requests ?? 0) > 0);
  assert.deepEqual(world.split()?.mirror, { threshold: 5_000 });
  assert.equal(world.split()?.threshold, 0);
  assert.match(world.status().message ?? "", /50% of the requests are copied to web-\w+; no user gets it/);
  assert.equal(world.traffic.seenBy.has("web:2"), false, "no user has it while requests are copied");
  await world.live(20, () => (world.status().step ?? 0) > 0);
  const copies = world.traffic.copiesBy.get("web:2") ?? 0;
  assert.ok(copies >= 40, `${copies} copies`);
  assert.equal(world.split()?.mirror, undefined);
  await world.live(90, atRest(world));
  await world.live(3);
  assert.equal(outcome(world), "Stable; 2 web:2; threshold 0");
  assert.equal(world.status().mirrored, undefined);
  assert.equal(world.traffic.copiesBy.get("web:2"), copies, "copies end with their step");
  await world.stop();
});

test("a version whose copies fail goes back, and no user ever saw it", async () => {
  const world = await createWorld(mirrored);
  world.traffic.errorsBy["web:2"] = 0.4;
  await release(world, "web:2");
  assert.equal(outcome(world), "RolledBack; 2 web:1; threshold 0");
  assert.match(world.status().lastRollback?.reason ?? "", /of \d+ copied requests end in errors in the new version/);
  assert.ok((world.status().lastRollback?.mirrored?.copies.inErrors ?? 0) > 1);
  assert.equal(world.traffic.seenBy.has("web:2"), false);
  assert.equal(world.split()?.mirror, undefined);
  await world.stop();
});

test("copies that fail as the stable version does stop the release and blame nobody", async () => {
  const world = await createWorld(mirrored);
  Object.assign(world.traffic.errorsBy, { "web:1": 0.4, "web:2": 0.4 });
  world.setImage("web:2");
  await world.live(40);
  assert.equal(`${world.status().phase} ${world.status().verdict}`, "Paused BothSidesFail");
  assert.equal(world.traffic.seenBy.has("web:2"), false);
  await world.stop();
});

test("without copies no step that mirrors passes", async () => {
  const world = await createWorld(mirrored);
  world.traffic.reports = false;
  world.setImage("web:2");
  await world.live(60);
  assert.equal(`${world.status().phase} ${world.status().step} ${world.status().verdict}`, "Step 0 NotEnoughData");
  await world.stop();
});

const gate = { checks: [{ name: "gate", every: "1s", webhook: { url: "https://gate.example/" } }] };
const answer = (value: unknown) => () =>
  Promise.resolve({ ok: true as const, body: new TextEncoder().encode(JSON.stringify(value)) });

test("a webhook is asked in every step, and one that says fail takes the version back", async () => {
  const world = await createWorld(gate);
  const asked: unknown[] = [];
  world.sources.webhook = (document) => {
    asked.push([document["kind"], document["check"], document["step"], document["share"]]);
    const isLate = document["step"] === 1;
    return answer({ verdict: isLate ? "fail" : "pass", message: isLate ? "revenue fell" : "all is well" })();
  };
  await release(world, "web:2");
  assert.equal(outcome(world), "RolledBack; 2 web:1; threshold 0");
  assert.equal(world.status().lastRollback?.reason, "check gate: revenue fell");
  assert.deepEqual(asked[0], ["CanaryReview", "gate", 0, "10%"]);
  world.sources.webhook = answer({ verdict: "pass" });
  await release(world, "web:3");
  assert.equal(outcome(world), "Stable; 2 web:3; threshold 0");
  await world.stop();
});

const silent: Readonly<Record<string, (document: Record<string, unknown>) => ReturnType<World["sources"]["webhook"]>>> =
  {
    "does not answer": () => Promise.resolve({ ok: false, problem: "connect: connection refused" }),
    breaks: () => Promise.reject(new Error("broken")),
    "answers nonsense": answer("yes"),
    "answers another word": answer({ verdict: "Pass" }),
    "answers a key of every object": answer({ verdict: "constructor" }),
    "knows not enough": answer({ verdict: "notEnoughData" }),
  };

for (const [what, source] of Object.entries(silent)) {
  test(`a webhook that ${what} never lets a version pass`, async () => {
    const world = await createWorld(gate);
    world.sources.webhook = source;
    world.setImage("web:2");
    await world.live(60);
    assert.equal(`${world.status().phase} ${world.status().step}`, "Step 0");
    assert.equal(world.status().checks?.[0]?.verdict, "NotEnoughData");
    world.sources.webhook = answer({ verdict: "pass" });
    await world.live(90, atRest(world));
    assert.equal(world.status().phase, "Stable");
    await world.stop();
  });
}

test("pods that never get ready take the version back after the Deployment's deadline, and nobody saw it", async () => {
  const world = await createWorld();
  await release(world, "stuck", 90);
  assert.equal(outcome(world), "RolledBack; 2 web:1; threshold 0");
  assert.equal(world.traffic.seenBy.has("stuck"), false);
  await world.stop();
});

test("a template that changes in the middle is a new release; back to the stable one is none", async () => {
  const world = await createWorld();
  world.setImage("web:2");
  await world.live(20, () => world.status().phase === "Step");
  world.setImage("web:3");
  await world.live(90, atRest(world));
  await world.live(3);
  assert.equal(outcome(world), "Stable; 2 web:3; threshold 0");
  world.setImage("web:4");
  await world.live(20, () => world.status().phase === "Step");
  world.setImage("web:3");
  await world.live(20);
  assert.equal(outcome(world), "Stable; 2 web:3; threshold 0");
  await world.stop();
});

test("without its Canary a Deployment is a plain one", async () => {
  const world = await createWorld();
  world.setImage("web:2");
  await world.live(20, () => world.status().phase === "Step");
  world.api.remove("canaries", "default/web");
  world.api.remove("trafficsplits", "default/web");
  await world.live(20);
  assert.equal(world.pods(), "2 web:2");
  assert.equal(world.api.get("deployments", "default/web")!.metadata.annotations?.["steersman.dev/hold"], undefined);
  await world.stop();
});

const impossible: Readonly<Record<string, Record<string, unknown>>> = {
  DeploymentMissing: { deployment: "gone" },
  TargetMissing: { ingress: "gone" },
  "TargetMissing: the Service does not exist": { ingress: undefined, service: "gone" },
  NoTarget: { service: "web" },
  "NoTarget: neither is named": { ingress: undefined },
  NoUserKey: { users: {} },
  "NoUserKey: two are named": { users: { cookie: "sid", header: "x-user" } },
  InvalidSpec: { steps: [{ share: "50%" }, { share: "10%" }] },
  "InvalidSpec: mirrors when users have it already": { steps: [{ share: "10%" }, { mirror: "10%" }] },
  "InvalidSpec: neither mirrors nor has users": { steps: [{ for: "5s" }] },
  "InvalidSpec: a check without a source": { checks: [{ name: "a" }] },
  "InvalidSpec: a check with two": {
    checks: [{ name: "a", promQL: { query: "up", min: 1 }, webhook: { url: "https://a.example" } }],
  },
  "InvalidSpec: a query without bounds": { checks: [{ name: "a", promQL: { query: "up" } }] },
  "InvalidSpec: a limit of everybody": { rollback: { usersInErrors: "100%" } },
};

for (const [what, spec] of Object.entries(impossible)) {
  const [reason = ""] = what.split(":");
  test(`a Canary that cannot act says ${what} and blocks nothing`, async () => {
    const world = await createWorld(spec);
    const [condition] = world.status().conditions ?? [];
    assert.equal(`${condition?.type}=${condition?.status} ${condition?.reason}`, `Ready=False ${reason}`);
    world.setImage("web:2");
    await world.live(20);
    assert.equal(world.pods(), "2 web:2");
    await world.stop();
  });
}

test("of two Canaries for one Deployment the older one acts and the younger is told", async () => {
  const world = await createWorld();
  const { spec } = world.api.get("canaries", "default/web")!;
  world.api.put("canaries", { metadata: { name: "second", namespace: "default" }, spec: spec! });
  await world.live(2);
  const { conditions } = world.api.get("canaries", "default/second")!.status as { conditions: { reason: string }[] };
  assert.equal(conditions[0]?.reason, "Overlapping");
  await release(world, "web:2");
  assert.equal(outcome(world), "Stable; 2 web:2; threshold 0");
  await world.stop();
});

/** Runs a release and ends every loop right after its write number `crashAt`; they begin anew a second later. */
async function releaseWithCrash(
  share: number,
  steps: readonly object[],
  crashAt: number | undefined,
): Promise<{ world: World; writes: number }> {
  const world = await createWorld({ steps });
  world.traffic.errorsBy["web:2"] = share;
  const { api } = world;
  const begun = api.writes.length;
  world.setImage("web:2");
  for (let round = 0; round < 400 && !atRest(world)(); round++) {
    if (crashAt !== undefined && api.writes.length - begun >= crashAt && api.refuse === undefined) {
      api.refuse = () => ({ code: 503, reason: "ServiceUnavailable", message: "crashed" });
      await world.live(1);
      await world.restart();
      api.refuse = undefined;
      crashAt = undefined;
    }
    await world.live(0.25);
    if (world.status().lastRollback !== undefined)
      assert.equal(world.split()?.threshold, 0, "a rejected version has no users");
    if (steps === copiesFirst && share > 0)
      assert.equal(world.traffic.seenBy.has("web:2"), false, "its copies took it back");
  }
  await world.live(3);
  return { world, writes: api.writes.length - begun };
}

const toUsers = [{ share: "50%", for: "1s" }, { share: "100%" }];
const copiesFirst = [{ mirror: "50%", for: "1s" }, ...toUsers];

for (const [share, steps, expected] of [
  [0.4, toUsers, "RolledBack; 2 web:1; threshold 0"],
  [0.4, copiesFirst, "RolledBack; 2 web:1; threshold 0"],
  [0, copiesFirst, "Stable; 2 web:2; threshold 0"],
] as const) {
  const what = `a release whose ${steps === toUsers ? "users err" : "copies, then users, err"} at ${share * 100} %`;
  test(`crashes after each write of ${what} change nothing of its end`, async () => {
    const whole = await releaseWithCrash(share, steps, undefined);
    assert.equal(outcome(whole.world), expected);
    await whole.world.stop();
    for (let crashAt = 1; crashAt <= whole.writes; crashAt++) {
      const { world } = await releaseWithCrash(share, steps, crashAt);
      assert.equal(outcome(world), expected, `crashed after write ${crashAt} of ${whole.writes}`);
      await world.stop();
    }
  });
}
