/** Groups that lie with another server than the issuer (`_claim_names`): real servers, real tokens, and answers of every kind. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSecured, whoIs, type SecuredServer } from "./cluster.ts";
import { issuersFile, placeOf, serveIssuer } from "./issuer.ts";
import { published, signingKey, startOutside, token, type OutsideServer, type Reply } from "./outside.ts";

const key = signingKey("rsa-1", "RS256");
const groupsKey = signingKey("groups-1", "ES256");
const stranger = signingKey("groups-1", "ES256");

/** Who signs who somebody is, who signs groups, and where groups lie: three servers under one CA. */
let issuer: OutsideServer;
let groupsIssuer: OutsideServer;
let endpoint: OutsideServer;
/** Under a CA of its own. */
let foreign: OutsideServer;
let secured: SecuredServer;
/** What the endpoint answers in this test. */
let answer: () => Reply | undefined;

const mapped = { username: { claim: "sub", prefix: "" }, groups: { claim: "groups", prefix: "corp:" } };

before(async () => {
  issuer = await serveIssuer(() => [published(key)]);
  const { authority } = issuer;
  groupsIssuer = await serveIssuer(() => [published(groupsKey)], authority);
  endpoint = await startOutside(() => answer(), authority);
  foreign = await startOutside(() => ({ body: groupsToken() }));
  secured = await startSecured(issuersFile([{ ...placeOf(issuer), claimMappings: mapped }]));
});

after(async () => {
  await secured.close();
  for (const server of [issuer, groupsIssuer, endpoint, foreign]) await server.close();
});

function ends(more: object): object {
  const now = Math.floor(Date.now() / 1000);
  return { aud: "steersman", iat: now, exp: now + 600, ...more };
}

/** What an honest endpoint answers; `more` makes it less honest. */
function groupsToken(more: object = {}, signer = groupsKey): string {
  return token(signer, ends({ iss: groupsIssuer.url, groups: ["dev", "ops"], ...more }));
}

let count = 0;

/** A token of its own for each test, so that nothing is remembered. */
function bearer(claims: object): string {
  count += 1;
  return token(key, ends({ iss: issuer.url, sub: "jane", jti: `${count}`, ...claims }));
}

function elsewhere(source: object): object {
  return { _claim_names: { groups: "directory" }, _claim_sources: { directory: source } };
}

function groupsOf(who: Record<string, unknown> | number): unknown {
  return typeof who === "number" ? who : who["groups"];
}

test("groups are fetched from where the token says that they lie, with the token that it gives for it", async () => {
  answer = () => ({ body: groupsToken() });
  const before = endpoint.seen.length;
  const claims = elsewhere({ endpoint: `${endpoint.url}/groups?of=jane`, access_token: "opaque-7" });
  const groups = groupsOf(await whoIs(secured, { token: bearer(claims) }));
  assert.deepEqual(groups, ["corp:dev", "corp:ops", "system:authenticated"]);
  const [asked, ...more] = endpoint.seen.slice(before);
  assert.deepEqual([asked?.method, asked?.path, more.length], ["GET", "/groups?of=jane", 0]);
  assert.equal(asked?.headers["authorization"], "Bearer opaque-7");
});

test("without a token for it none is sent, and a text is one group", async () => {
  answer = () => ({ body: ` ${groupsToken({ groups: "dev" })}\n` });
  const groups = groupsOf(await whoIs(secured, { token: bearer(elsewhere({ endpoint: endpoint.url })) }));
  assert.deepEqual(groups, ["corp:dev", "system:authenticated"]);
  assert.equal(endpoint.seen.at(-1)?.headers["authorization"], undefined);
});

test("one token is one question, however many ask with it at once and after", async () => {
  answer = () => ({ body: groupsToken() });
  const before = endpoint.seen.length;
  const one = bearer(elsewhere({ endpoint: endpoint.url }));
  const answers = await Promise.all(Array.from({ length: 50 }, () => whoIs(secured, { token: one })));
  for (const who of answers) assert.equal((groupsOf(who) as string[]).length, 3);
  await whoIs(secured, { token: one });
  assert.equal(endpoint.seen.length - before, 1);
});

const notAsked: readonly { readonly what: string; readonly claims: () => object; readonly groups: string[] }[] = [
  {
    what: "the token holds groups itself",
    claims: () => ({ groups: ["own"], ...elsewhere({ endpoint: endpoint.url }) }),
    groups: ["corp:own"],
  },
  {
    what: "only another claim lies elsewhere",
    claims: () => ({
      _claim_names: { address: "directory" },
      _claim_sources: { directory: { endpoint: endpoint.url } },
    }),
    groups: [],
  },
  { what: "the claim is aggregated, not distributed", claims: () => elsewhere({ JWT: groupsToken() }), groups: [] },
];
for (const { what, claims, groups } of notAsked) {
  test(`nobody is asked when ${what}`, async () => {
    const before = endpoint.seen.length;
    const found = groupsOf(await whoIs(secured, { token: bearer(claims()) }));
    assert.deepEqual(found, [...groups, "system:authenticated"]);
    assert.equal(endpoint.seen.length, before);
  });
}

const broken: readonly { readonly what: string; readonly claims: () => object }[] = [
  { what: "names that are no object", claims: () => ({ _claim_names: "groups" }) },
  { what: "names that are no text", claims: () => ({ _claim_names: { groups: 5 }, _claim_sources: {} }) },
  { what: "no sources", claims: () => ({ _claim_names: { groups: "directory" } }) },
  { what: "a source of every object", claims: () => ({ _claim_names: { groups: "toString" }, _claim_sources: {} }) },
  { what: "a source that is not there", claims: () => ({ _claim_names: { groups: "x" }, _claim_sources: { y: {} } }) },
  { what: "plain http", claims: () => elsewhere({ endpoint: endpoint.url.replace("https:", "http:") }) },
  { what: "a file", claims: () => elsewhere({ endpoint: "file:///etc/passwd" }) },
  { what: "a user in the URL", claims: () => elsewhere({ endpoint: endpoint.url.replace("//", "//root:x@") }) },
  { what: "a user behind a backslash", claims: () => elsewhere({ endpoint: endpoint.url.replace("//", "//x\\@") }) },
  { what: "no URL", claims: () => elsewhere({ endpoint: 5 }) },
  {
    what: "a header in its access token",
    claims: () => elsewhere({ endpoint: endpoint.url, access_token: "x\r\nx-remote-user: root" }),
  },
];
for (const { what, claims } of broken) {
  test(`a place with ${what} is not asked, and the token is nobody's`, async () => {
    const before = endpoint.seen.length;
    assert.equal(await whoIs(secured, { token: bearer(claims()) }), 401);
    assert.equal(endpoint.seen.length, before);
  });
}

const past = Math.floor(Date.now() / 1000) - 60;
const hostile: readonly { readonly what: string; readonly reply: () => Reply; readonly log: RegExp }[] = [
  { what: "plain JSON", reply: () => ({ body: { groups: ["system:masters"] } }), log: /the answer is no token/ },
  { what: "nothing", reply: () => ({ body: "" }), log: /the answer is no token/ },
  { what: "a megabyte", reply: () => ({ body: `${groupsToken()}${"A".repeat(2 ** 20)}` }), log: /broken or too long/ },
  { what: "a redirection", reply: () => ({ status: 302, headers: { location: endpoint.url } }), log: /answered 302/ },
  { what: "a refusal with a token", reply: () => ({ status: 403, body: groupsToken() }), log: /answered 403/ },
  { what: "a stranger's signature", reply: () => ({ body: groupsToken({}, stranger) }), log: /no key of the issuer/ },
  {
    what: "no signature",
    reply: () => ({ body: groupsToken().replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString("base64url")) }),
    log: /no key of the issuer/,
  },
  { what: "another audience", reply: () => ({ body: groupsToken({ aud: "others" }) }), log: /for other audiences/ },
  { what: "an end that has passed", reply: () => ({ body: groupsToken({ exp: past }) }), log: /token has expired/ },
  { what: "other claims only", reply: () => ({ body: groupsToken({ groups: undefined }) }), log: /does not hold it/ },
  { what: "groups that are numbers", reply: () => ({ body: groupsToken({ groups: [1] }) }), log: /no list of strings/ },
  {
    what: "an issuer without https",
    reply: () => ({ body: groupsToken({ iss: "http://x" }) }),
    log: /no issuer that https reaches/,
  },
  {
    what: "an issuer on the metadata network",
    reply: () => ({ body: groupsToken({ iss: "https://169.254.169.254" }) }),
    log: /address not allowed/,
  },
];
for (const { what, reply, log } of hostile) {
  test(`an endpoint that answers with ${what} makes the token nobody's`, async () => {
    answer = reply;
    assert.equal(await whoIs(secured, { token: bearer(elsewhere({ endpoint: endpoint.url })) }), 401);
    assert.match(secured.logged.at(-1) ?? "", log);
  });
}

test("an answer gives its one claim: nobody becomes somebody else by it", async () => {
  answer = () => ({ body: groupsToken({ sub: "system:admin", uid: "0", exp: past + 1000 }) });
  const who = await whoIs(secured, { token: bearer(elsewhere({ endpoint: endpoint.url })) });
  assert.deepEqual(who, { username: "jane", groups: ["corp:dev", "corp:ops", "system:authenticated"] });
});

test("an endpoint that another CA signed for, one that is not dialled, and one that is gone give nothing", async () => {
  const places = [foreign.url, "https://169.254.169.254/latest", "https://[::1]:1/", "https://127.0.0.1:1/"];
  for (const place of places) {
    assert.equal(await whoIs(secured, { token: bearer(elsewhere({ endpoint: place })) }), 401, place);
  }
  assert.equal(foreign.seen.length, 0);
});

test("an endpoint that never answers is given up, holds up nobody else, and its token is in no log", async () => {
  answer = () => undefined;
  const slow = bearer(elsewhere({ endpoint: endpoint.url, access_token: "canary-71" }));
  let isOver = false;
  const waiting = whoIs(secured, { token: slow }).finally(() => (isOver = true));
  assert.deepEqual(groupsOf(await whoIs(secured, { token: bearer({ groups: [] }) })), ["system:authenticated"]);
  assert.equal(isOver, false);
  assert.equal(await waiting, 401);
  const lines = secured.logged.join("\n");
  assert.match(lines, /no answer within 5000 ms/);
  assert.doesNotMatch(lines, /canary-71|opaque-7/);
  for (const part of slow.split(".")) assert.ok(!lines.includes(part));
});

test("a token that nobody trusted signed sends us nowhere", async () => {
  const before = endpoint.seen.length;
  const claims = ends({ iss: issuer.url, sub: "jane", ...elsewhere({ endpoint: endpoint.url }) });
  assert.equal(await whoIs(secured, { token: token(signingKey("rsa-1", "RS256"), claims) }), 401);
  assert.equal(endpoint.seen.length, before);
});
