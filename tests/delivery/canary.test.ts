/**
 * Canaries on a real cluster: real containers, simulated users that come back, versions counted by user. A good version reaches
 * everybody, a bad one goes back within seconds, a killed server or agent changes nothing, and no request is ever lost.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CanaryStatus } from "#api/delivery/canary.ts";
import { clientBinary } from "#main/client-binaries.ts";
import { makeImages } from "#tools/make-images.ts";
import { isRoot, projectRoot, startRealCluster, type TestCluster } from "../cluster/harness.ts";
import { eventually } from "../eventually.ts";

const skip = isRoot ? false : "real containers need root";
const firstStep = 0.1;
const userCount = 2_000;
/** Milliseconds for all steps of a release, on a busy machine too. */
const releaseMs = 300_000;
/** Milliseconds until a bad version is taken back: ten times as much as on a machine at rest. */
const backWithinMs = 5_000;
let cluster: TestCluster;
let users: Users;
let shares: ReturnType<typeof followShares> | undefined;

const canary = `
apiVersion: delivery.steersman.dev/v1
kind: Canary
metadata: {name: web}
spec:
  deployment: web
  ingress: web
  users: {cookie: sid}
  testers: {header: X-Canary, value: always}
  steps:
  - {share: 10%, for: 3s, minUsers: 50}
  - {share: 50%, for: 2s}
  - {share: 100%}
  rollback: {usersInErrors: 10%, confidence: 95%}
`;

interface Report {
  readonly sent: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly times: Readonly<Record<string, { first: number; last: number; firstError?: number }>>;
  /** `1 then 2` to the number of users with this history. */
  readonly histories: Readonly<Record<string, number>>;
}

/** Users in a process of their own, in the cluster's network. */
class Users {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(perSecond: number) {
    const args = [join(projectRoot, "tools/users.ts"), "80", "web.example", String(userCount), String(perSecond)];
    this.#child = cluster.start(process.execPath, args);
    this.#lines = createInterface({ input: this.#child.stdout! });
  }

  async report(): Promise<Report> {
    const answer = new Promise<string>((resolve) => this.#lines.once("line", resolve));
    this.#child.stdin?.write("\n");
    return JSON.parse(await answer) as Report;
  }

  async stop(): Promise<Report> {
    const answer = new Promise<string>((resolve) => this.#lines.once("line", resolve));
    this.#child.stdin?.end();
    return JSON.parse(await answer) as Report;
  }
}

before(async () => {
  if (!isRoot) return;
  const archives = await makeImages();
  cluster = startRealCluster();
  assert.equal(cluster.steer("image", "load", ...archives).code, 0);
  cluster.kubectl("apply", "-f", join(projectRoot, "examples/web"));
  // On a loaded machine pods answer late; one that is not ready for a moment would send its users back.
  const patience = { httpGet: { path: "/healthz", port: "http" }, timeoutSeconds: 20 };
  const web = { name: "web", readinessProbe: patience, livenessProbe: patience };
  const patch = JSON.stringify({ spec: { template: { spec: { containers: [web] } } } });
  cluster.kubectl("patch", "deployment", "web", "-p", patch);
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  assert.equal(cluster.tryKubectl(["apply", "-f", "-"], { input: canary }).code, 0);
  await inPhase("Stable");
  users = new Users(200);
});

after(async () => {
  shares?.stop();
  await users?.stop();
  cluster?.remove();
});

function status(): CanaryStatus {
  return (JSON.parse(cluster.kubectl("get", "canary", "web", "-o", "json")) as { status?: CanaryStatus }).status ?? {};
}

function inPhase(...phases: string[]): Promise<CanaryStatus> {
  const look = (): CanaryStatus | false => {
    const now = status();
    return phases.includes(now.phase ?? "") && now;
  };
  return eventually(`the Canary is ${phases.join(" or ")}`, look, releaseMs);
}

/** Notes every share that the Canary has from now on: one that lasts for seconds may be over before somebody asks. */
function followShares(): { readonly seen: () => readonly string[]; stop(): void } {
  const args = ["get", "canary", "web", "--watch", "-o", 'jsonpath={.status.share}{"\\n"}'];
  const child = cluster.start(clientBinary("kubectl"), args);
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { seen: () => text.split("\n"), stop: () => void child.kill() };
}

/** How many users have got an answer of the second version. */
async function usersOfSecond(): Promise<number> {
  const { histories } = await users.report();
  return Object.entries(histories).reduce((sum, [history, count]) => sum + (history.includes("2") ? count : 0), 0);
}

function setImage(version: number): void {
  cluster.kubectl("set", "image", "deployment/web", `web=localhost/steersman-web:${version}`);
}

test("the new version is there before anybody gets it: testers reach it by their header", { skip }, async () => {
  cluster.kubectl(
    "patch",
    "canary",
    "web",
    "--type=json",
    '-p=[{"op":"add","path":"/spec/steps/0","value":{"share":"0%","approval":true}}]',
  );
  setImage(2);
  const { candidate } = await inPhase("Paused");
  const get = (...headers: string[]): string =>
    cluster.run("curl", ["-s", "-H", "Host: web.example", ...headers, "http://127.0.0.1/"]).stdout;
  await eventually("the tester sees it", () => get("-H", "X-Canary: always").includes("version 2"));
  assert.match(get(), /version 1/);
  const { histories } = await users.report();
  assert.deepEqual(
    Object.keys(histories).filter((history) => history.includes("2")),
    [],
  );
  shares = followShares();
  await eventually("its share is followed", () => shares?.seen().includes("0%"));
  cluster.kubectl("annotate", "canary", "web", `delivery.steersman.dev/approved=${candidate}.1`);
});

test(
  "a good version reaches everybody; nobody falls back, nobody outside the share sees it, no request is lost",
  { skip },
  async () => {
    await eventually("the first step runs", () => shares?.seen().includes("10%"));
    await eventually("users see the new version", async () => (await usersOfSecond()) > 0);
    // Most of those who are to see it have come by then.
    await sleep(1500);
    const seen = await usersOfSecond();
    if (status().share === "10%") {
      const most = userCount * firstStep + 4 * Math.sqrt(userCount * firstStep);
      assert.ok(seen <= most, `${seen} of ${userCount} users saw the new version at 10%`);
    }
    await inPhase("Stable");
    await sleep(500);
    const { histories, lost } = await users.report();
    assert.deepEqual(lost, {});
    assert.deepEqual(
      Object.keys(histories).filter((history) => history.includes("2 then 1")),
      [],
      "somebody fell back",
    );
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
    const running = ["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.containers[0].image}"];
    await eventually("only the new version runs", () => !cluster.kubectl(...running).includes(":1"));
  },
);

test("a bad version goes back by copies of requests alone: no user ever sees it", { skip }, async () => {
  const withFirst = (value: object): string[] => {
    const patch = JSON.stringify([{ op: "replace", path: "/spec/steps/0", value }]);
    return ["patch", "canary", "web", "--type=json", `-p=${patch}`];
  };
  const mirror = { mirror: "50%", for: "3s", minRequests: 50 };
  assert.match(
    cluster.tryKubectl(withFirst({ ...mirror, share: "2%" })).stderr,
    /either a share of the users, or mirrors/,
  );
  cluster.kubectl(...withFirst(mirror));
  setImage(3);
  const { lastRollback, message } = await inPhase("RolledBack");
  assert.match(message ?? "", /of \d+ copied requests end in errors in the new version/);
  assert.match(lastRollback?.samples?.[0] ?? "", /^copy of GET \/\S*: 500 in \d+ ms/);
  const { lost, histories } = await users.report();
  assert.deepEqual(lost, {});
  assert.deepEqual(
    Object.keys(histories).filter((history) => history.includes("3")),
    [],
  );
  cluster.kubectl("rollout", "undo", "deployment/web");
  await inPhase("Stable");
});

test("a bad version goes back within seconds, says why, and its users lose no request", { skip }, async (context) => {
  cluster.kubectl("patch", "canary", "web", "--type=json", '-p=[{"op":"remove","path":"/spec/steps/0"}]');
  setImage(3);
  const { lastRollback, message } = await inPhase("RolledBack");
  assert.match(message ?? "", /users of the new version see errors .*limit 10%/);
  assert.ok((lastRollback?.users.inErrors ?? 0) >= 2);
  assert.match(lastRollback?.samples?.[0] ?? "", /^500 GET \//);
  assert.ok((lastRollback?.fromFirstErrorMs ?? Infinity) < backWithinMs, `${lastRollback?.fromFirstErrorMs} ms`);
  await sleep(1000);
  const { lost, times } = await users.report();
  assert.deepEqual(lost, {});
  const badForMs = (times["3"]?.last ?? 0) - (times["3"]?.firstError ?? 0);
  context.diagnostic(`bad answers for ${badForMs} ms, the verdict after ${lastRollback?.fromFirstErrorMs} ms`);
  assert.ok(badForMs < backWithinMs, `bad answers for ${badForMs} ms`);
  const rollout = cluster.tryKubectl(["rollout", "status", "deployment/web", "--timeout=20s"]);
  assert.equal(rollout.code, 1, rollout.stdout);
  assert.match(
    cluster.kubectl("get", "deployment", "web", "-o", "yaml"),
    /image: localhost\/steersman-web:3/,
    "the template is the user's",
  );
});

test("undo after a rejection is complete at once", { skip }, async () => {
  cluster.kubectl("rollout", "undo", "deployment/web");
  await inPhase("Stable");
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=20s");
});

test("a killed server and a killed agent in the middle of a release lose nobody", { skip }, async () => {
  setImage(1);
  await eventually("the first step runs", () => status().phase === "Step");
  for (const part of ["server", "agent"]) {
    const file = readdirSync(join(cluster.dataDir, "run")).find((name) => name.startsWith(part)) ?? "";
    process.kill(Number(readFileSync(join(cluster.dataDir, "run", file), "utf8").split(" ")[0]), "SIGKILL");
    await eventually("the API answers", () => cluster.tryKubectl(["get", "canary", "web"]).code === 0);
  }
  await inPhase("Stable");
  await sleep(500);
  const { lost, histories } = await users.report();
  assert.deepEqual(lost, {});
  assert.deepEqual(
    Object.keys(histories).filter((history) => history.includes("2 then 1 then 2")),
    [],
    "somebody fell back",
  );
  assert.match(cluster.kubectl("get", "deployment", "web"), /2\/2/);
});

test("without its Canary the Deployment is a plain one", { skip }, async () => {
  cluster.kubectl("delete", "canary", "web");
  await eventually(
    "the hold is gone",
    () => !cluster.kubectl("get", "deployment", "web", "-o", "yaml").includes("steersman.dev/hold"),
  );
  setImage(2);
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  await eventually("the split is gone", () => !cluster.kubectl("get", "trafficsplits,services").includes("canary"));
  assert.deepEqual((await users.report()).lost, {});
});

test(
  "a pod that passes the user on gets the version that the user has, and none without a user",
  { skip },
  async () => {
    const spec = {
      deployment: "web",
      service: "web",
      users: { header: "X-User" },
      steps: [{ share: "50%", for: "1h" }, { share: "100%" }],
    };
    const manifest = { apiVersion: "delivery.steersman.dev/v1", kind: "Canary", metadata: { name: "inner" }, spec };
    assert.equal(cluster.tryKubectl(["apply", "-f", "-"], { input: JSON.stringify(manifest) }).code, 0);
    const of = (path: string): string => cluster.kubectl("get", "canary", "inner", "-o", `jsonpath={${path}}`);
    await eventually("it watches", () => of(".status.phase") === "Stable");
    cluster.kubectl("run", "caller", "--image=localhost/steersman-busybox:1", "--", "sleep", "600");
    cluster.kubectl("wait", "pod/caller", "--for=condition=Ready", "--timeout=150s");
    setImage(1);
    await eventually("half of the users get the new version", () => of(".status.phase") === "Step");
    const held = (): string => cluster.kubectl("get", "trafficcounts", "-o", "jsonpath={.items[*].spec.threshold}");
    await eventually("the proxy holds it", () => held() === "5000");
    assert.equal(of('.status.conditions[?(@.type=="ThroughProxy")].status'), "True");
    const ask = 'wget -qO- --header "X-User: $user" http://web/ | grep -o "version [0-9]"';
    const script = `for user in $(seq 40); do ${ask}; done; wget -qO- http://web/ | grep -o "version [0-9]"`;
    const inside = cluster.kubectl("exec", "caller", "--", "sh", "-c", script).trim().split("\n");
    assert.equal(inside.pop(), "version 2", "whoever names no user gets the stable version");
    const outside = inside.map((_, index) => {
      const args = ["-s", "-H", "Host: web.example", "-H", `X-User: ${index + 1}`, "http://127.0.0.1/"];
      return /version \d/.exec(cluster.run("curl", args).stdout)?.[0];
    });
    assert.deepEqual(inside, outside);
    assert.equal(new Set(inside).size, 2);
    await eventually(
      "they are counted once",
      () => Number(of(".status.users.users")) === inside.filter((one) => one === "version 1").length,
    );
    cluster.kubectl("rollout", "undo", "deployment/web");
    await eventually("nobody has it any longer", () => of(".status.phase") === "Stable");
    const after = cluster.kubectl("exec", "caller", "--", "sh", "-c", `for user in $(seq 40); do ${ask}; done`);
    assert.deepEqual([...new Set(after.trim().split("\n"))], ["version 2"]);
    assert.deepEqual((await users.report()).lost, {});
  },
);
