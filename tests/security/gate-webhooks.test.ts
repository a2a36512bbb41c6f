/** Servers outside that say who a token stands for and who may do what; and tokens from a file. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { HttpResponse } from "#world/http.ts";
import { startSecured, whoIs, type SecuredServer } from "./cluster.ts";
import { authorizationBy, kubeconfigFor, startOutside, type OutsideServer, type Reply, type Seen } from "./outside.ts";

let tokens: OutsideServer;
let judge: OutsideServer;
let secured: SecuredServer;
let isDown = false;

interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: {
    readonly token?: string;
    readonly audiences?: readonly string[];
    readonly user?: string;
    readonly groups?: readonly string[];
    readonly resourceAttributes?: Readonly<Record<string, string>>;
    readonly nonResourceAttributes?: Readonly<Record<string, string>>;
  };
}

function reviewOf({ body }: Seen): Review {
  return JSON.parse(body) as Review;
}

/** Knows `known-NAME`, for all audiences, and `foreign` for others only. */
function whoBears(request: Seen): Reply {
  if (isDown) return { status: 500, body: { secret: "inner-detail" } };
  const { spec, ...review } = reviewOf(request);
  const name = /^known-(.+)$/.exec(spec.token ?? "")?.[1];
  const user = { username: name ?? "stranger", uid: "7", groups: ["staff"], extra: { "example.com/team": ["a"] } };
  if (spec.token === "foreign")
    return { body: { ...review, status: { authenticated: true, user, audiences: ["others"] } } };
  return { body: { ...review, status: name === undefined ? { authenticated: false } : { authenticated: true, user } } };
}

/** Lets `auditor` list what it wants, and keeps everybody from `vault`. */
function mayThey(request: Seen): Reply {
  if (isDown) return { status: 503 };
  const { spec, ...review } = reviewOf(request);
  const resource = spec.resourceAttributes;
  if (resource?.["namespace"] === "vault")
    return { body: { ...review, status: { allowed: false, denied: true, reason: "the vault is closed" } } };
  const allowed = spec.user === "auditor" && resource?.["verb"] === "list";
  return { body: { ...review, status: { allowed, reason: allowed ? "auditors look" : "no auditor" } } };
}

const matchConditions = [
  { expression: "has(request.resourceAttributes)" },
  { expression: "!('system:nodes' in request.groups)" },
];

const table = ["# who may come in", 'static-1,ops,uid-1,"team-a,team-b"', "static-2,plain,uid-2", ""].join("\n");

function files(webhook: object = {}): Record<string, string> {
  return {
    "tokens.csv": table,
    "token-webhook.kubeconfig": kubeconfigFor(tokens, "/review?v=1", { token: "server-secret" }),
    "judge.kubeconfig": kubeconfigFor(judge),
    "authorization.yaml": authorizationBy({ matchConditions, ...webhook }, ["Node", "RBAC"]),
  };
}

before(async () => {
  tokens = await startOutside(whoBears);
  judge = await startOutside(mayThey);
  secured = await startSecured(files());
});

after(async () => {
  await secured.close();
  await tokens.close();
  await judge.close();
});

test("tokens of the file name their users, with and without groups", async () => {
  assert.deepEqual(await whoIs(secured, { token: "static-1" }), {
    username: "ops",
    uid: "uid-1",
    groups: ["team-a", "team-b", "system:authenticated"],
  });
  assert.deepEqual(await whoIs(secured, { token: "static-2" }), {
    username: "plain",
    uid: "uid-2",
    groups: ["system:authenticated"],
  });
});

test("the webhook says who a token stands for, and is asked once", async () => {
  const before = tokens.seen.length;
  const everybody = await Promise.all(Array.from({ length: 20 }, () => whoIs(secured, { token: "known-eve" })));
  for (const who of everybody) {
    assert.deepEqual(who, {
      username: "eve",
      uid: "7",
      groups: ["staff", "system:authenticated"],
      extra: { "example.com/team": ["a"] },
    });
  }
  assert.equal(tokens.seen.length - before, 1);
  const question = tokens.seen.at(-1);
  assert.ok(question);
  assert.equal(question.path, "/review?v=1");
  assert.equal(question.headers["authorization"], "Bearer server-secret");
  assert.equal(reviewOf(question).apiVersion, "authentication.k8s.io/v1");
  assert.ok(reviewOf(question).spec.audiences?.includes("kubernetes"));
});

test("who it does not know, or knows for others only, stays out, and is not asked about again", async () => {
  assert.equal(await whoIs(secured, { token: "unknown" }), 401);
  assert.equal(await whoIs(secured, { token: "foreign" }), 401);
  const before = tokens.seen.length;
  assert.equal(await whoIs(secured, { token: "unknown" }), 401);
  assert.equal(tokens.seen.length, before);
});

test("a token of our own that does not hold is never shown to the webhook", async () => {
  const admin = secured.server.api.transportFor({ name: "root", uid: "", groups: ["system:masters"], extra: {} });
  const post = (target: string, object: object): Promise<HttpResponse> =>
    admin.send({
      method: "POST",
      target: `/api/v1/namespaces/default/serviceaccounts${target}`,
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify(object)),
    });
  await post("", { metadata: { name: "own" } });
  const issued = await post("/own/token", { spec: { audiences: ["somebody-else"] } });
  const token = (JSON.parse(Buffer.from(issued.body as Uint8Array).toString()) as { status?: { token: string } }).status
    ?.token;
  assert.ok(token);
  const before = tokens.seen.length;
  assert.equal(await whoIs(secured, { token }), 401);
  assert.equal(tokens.seen.length, before);
});

test("a token webhook that is down lets nobody in, harms no other way in, and is not remembered as a no", async () => {
  isDown = true;
  assert.equal(await whoIs(secured, { token: "known-late" }), 401);
  assert.doesNotMatch(secured.logged.join(), /inner-detail|known-late/);
  isDown = false;
  assert.notEqual(await whoIs(secured, { token: "known-late" }), 401);
});

test("the authorizer outside allows, denies for good, and leaves the rest to RBAC", async () => {
  const list = (path: string, token: string): ReturnType<SecuredServer["ask"]> => secured.ask({ path, token });
  assert.equal((await list("/api/v1/namespaces/default/pods", "known-auditor")).status, 200);
  assert.equal((await list("/api/v1/namespaces/default/pods", "known-eve")).status, 403);
  const closed = await list("/api/v1/namespaces/vault/pods", "known-auditor");
  assert.equal(closed.status, 403);
  assert.match(String(closed.body["message"]), /the vault is closed/);
  // RBAC's yes comes after its no opinion, here for who they are.
  assert.notEqual(await whoIs(secured, { token: "known-eve" }), 403);
  const asked = judge.seen.map((seen) => reviewOf(seen).spec);
  assert.ok(
    asked.every(({ nonResourceAttributes }) => nonResourceAttributes === undefined),
    "a match condition keeps them away",
  );
  const groups = asked.find(({ user }) => user === "auditor")?.groups;
  assert.deepEqual(groups, ["staff", "system:authenticated"]);
});

test("its verdicts are remembered", async () => {
  const before = judge.seen.length;
  for (let i = 0; i < 5; i += 1) await secured.ask({ path: "/api/v1/namespaces/default/pods", token: "known-auditor" });
  assert.equal(judge.seen.length, before);
});

test("the reviews say what it says", async () => {
  const review = async (token: string, namespace: string): Promise<unknown> => {
    const { body } = await secured.ask({
      token,
      method: "POST",
      path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: { verb: "list", version: "v1", resource: "pods", namespace } },
      },
    });
    return body["status"];
  };
  assert.deepEqual(await review("known-auditor", "default"), { allowed: true, reason: "auditors look" });
  assert.deepEqual(await review("known-eve", "vault"), { allowed: false, denied: true, reason: "the vault is closed" });
});

test("nobody becomes somebody else without its yes", async () => {
  const headers = { "impersonate-user": "auditor" };
  const refused = await secured.ask({ path: "/api/v1/namespaces/default/pods", token: "known-eve", headers });
  assert.equal(refused.status, 403);
  assert.match(String(refused.body["message"]), /cannot impersonate resource "users"/);
});

test("when it gives no verdict, its failure policy decides", async () => {
  await secured.follow(files());
  isDown = true;
  const refused = await secured.ask({ path: "/api/v1/namespaces/default/configmaps", token: "static-2" });
  assert.equal(refused.status, 403);
  assert.match(String(refused.body["message"]), /the authorizer judge gave no verdict/);
  assert.equal(await whoIs(secured, { token: "static-2" }), 403, "Deny ends it, also where RBAC would allow");
  await secured.follow(files({ failurePolicy: "NoOpinion" }));
  assert.notEqual(await whoIs(secured, { token: "static-2" }), 403);
  isDown = false;
  await secured.follow(files({ matchConditions: [{ expression: "request.nothing.there == 'x'" }] }));
  const broken = await secured.ask({ path: "/api/v1/namespaces/default/pods", token: "known-auditor" });
  assert.equal(broken.status, 403, "a condition that cannot be evaluated fails closed");
});

test("a storm of tokens has at most a bound of questions open, and others still come in", async () => {
  await secured.follow(files());
  const { answer } = tokens;
  const before = tokens.seen.length;
  // It never answers.
  tokens.answer = () => undefined;
  const storm = Array.from({ length: 1_000 }, (_, index) => whoIs(secured, { token: `storm-${index}` }));
  const refused = await Promise.race(storm);
  assert.equal(refused, 401, "what is beyond the bound is refused at once");
  assert.ok(tokens.seen.length - before <= 200);
  assert.notEqual(await whoIs(secured, { token: "static-1" }), 401);
  tokens.answer = () => ({ status: 400 });
  // New settings have nothing to do with the questions that hang.
  await secured.follow({ "tokens.csv": table });
  assert.ok((await Promise.all(storm)).every((who) => who === 401));
  tokens.answer = answer;
});

test("settings that cannot be followed are refused", async () => {
  const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
    [files({ failurePolicy: "Maybe" }), /failurePolicy: Unsupported value: "Maybe"/],
    [files({ timeout: "1h" }), /timeout: must be <= 30s/],
    [files({ matchConditions: [{ expression: "request." }] }), /match condition/],
    [files({ connectionInfo: { type: "InClusterConfig" } }), /must be KubeConfigFile/],
    [{ "tokens.csv": "a,b" }, /line 1 has not three columns/],
    [{ "tokens.csv": "t,a,1\nt,b,2" }, /line 2 has a token that another line has/],
    [{ "token-webhook.kubeconfig": kubeconfigFor({ ...tokens, url: "http://127.0.0.1" }) }, /must be an https URL/],
    [{ "token-webhook.kubeconfig": kubeconfigFor(tokens, "/", { exec: { command: "x" } }) }, /exec: unknown field/],
    [{ "authorization.yaml": authorizationBy({ matchConditions }, ["Node", "RBAC"]) }, /judge.kubeconfig is not there/],
  ];
  for (const [broken, problem] of wrong) await assert.rejects(secured.follow(broken), problem);
});
