/** Tokens of OpenID Connect issuers: a real HTTPS issuer with keys of its own, real tokens, and every trick known. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { startSecured, whoIs, type SecuredServer } from "./cluster.ts";
import { issuersFile, placeOf, serveIssuer } from "./issuer.ts";
import { published, segment, signingKey, startOutside, token, type OutsideServer } from "./outside.ts";
import { eventually } from "../eventually.ts";

const rsa = signingKey("rsa-1", "RS256");
const pss = signingKey("pss-1", "PS256");
const ecdsa = signingKey("ec-1", "ES256");
/** Whom no issuer knows. */
const stranger = signingKey("stranger", "RS256");

let issuer: OutsideServer;
let other: OutsideServer;
let secured: SecuredServer;

function trusted(server: OutsideServer, more: object = {}): object {
  return {
    ...placeOf(server),
    claimMappings: { username: { claim: "sub", prefix: "corp:" }, groups: { claim: "groups", prefix: "corp:" } },
    ...more,
  };
}

function claims(server: OutsideServer, more: object = {}): object {
  const now = Math.floor(Date.now() / 1000);
  return { iss: server.url, aud: "steersman", sub: "jane", groups: ["dev"], iat: now, exp: now + 600, ...more };
}

const published1: Record<string, unknown>[] = [published(rsa), published(pss), published(ecdsa)];

before(async () => {
  issuer = await serveIssuer(() => published1);
  other = await serveIssuer(() => [published(signingKey("rsa-1", "RS256"))]);
  secured = await startSecured(issuersFile([trusted(issuer), trusted(other)]));
});

after(async () => {
  await secured.close();
  await issuer.close();
  await other.close();
});

for (const key of [rsa, pss, ecdsa]) {
  test(`a token signed with ${key.algorithm} says who its bearer is`, async () => {
    const who = await whoIs(secured, { token: token(key, claims(issuer)) });
    assert.deepEqual(who, { username: "corp:jane", groups: ["corp:dev", "system:authenticated"] });
  });
}

test("its audience may be one of several, and TokenReview says the same", async () => {
  const bearer = token(ecdsa, claims(issuer, { aud: ["other", "steersman"] }));
  assert.equal((await secured.ask({ token: bearer, path: "/version" })).status, 200);
  const { body } = await secured.ask({
    token: bearer,
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/tokenreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: bearer } },
  });
  // Who may not ask is told so; nothing of the token is in the answer.
  assert.equal(body["code"], 403);
  assert.doesNotMatch(JSON.stringify(body), new RegExp(bearer.slice(-20)));
});

const nowSeconds = Math.floor(Date.now() / 1000);
const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();

function hmacToken(secret: string, header: object): string {
  const signed = `${segment({ alg: "HS256", kid: "rsa-1", typ: "JWT", ...header })}.${segment(claims(issuer))}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** Each is made when its test runs, because issuers have their addresses only then. */
const attacks: readonly { readonly what: string; readonly bearer: () => string }[] = [
  { what: "alg none with no signature", bearer: () => `${segment({ alg: "none" })}.${segment(claims(issuer))}.` },
  { what: "alg none with a signature", bearer: () => token(rsa, claims(issuer), { alg: "none" }) },
  { what: "alg nOnE", bearer: () => token(rsa, claims(issuer), { alg: "nOnE" }) },
  { what: "HS256 with the public key as its secret", bearer: () => hmacToken(publicPem, {}) },
  { what: "HS256 with the modulus as its secret", bearer: () => hmacToken(String(published(rsa)["n"]), {}) },
  {
    what: "another algorithm than the key is published for",
    bearer: () => token({ ...rsa, algorithm: "PS256" }, claims(issuer)),
  },
  {
    what: "a key of its own in the header",
    bearer: () => token(stranger, claims(issuer), { kid: "x", jwk: published(stranger) }),
  },
  {
    what: "a key set of its own in the header",
    bearer: () => token(stranger, claims(issuer), { jku: `${other.url}/keys` }),
  },
  { what: "the name of another's key", bearer: () => token(stranger, claims(issuer), { kid: "rsa-1" }) },
  { what: "another issuer's key of the same name", bearer: () => token(rsa, claims(other)) },
  {
    what: "a name of a key that is a path",
    bearer: () => token(stranger, claims(issuer), { kid: "../../../../dev/null" }),
  },
  { what: "a name of a key that is an object", bearer: () => token(rsa, claims(issuer), { kid: { $ne: "" } }) },
  {
    what: "an extension that nobody knows and that is critical",
    bearer: () => token(rsa, claims(issuer), { crit: ["exp"] }),
  },
  { what: "another audience", bearer: () => token(rsa, claims(issuer, { aud: "others" })) },
  { what: "no audience", bearer: () => token(rsa, claims(issuer, { aud: undefined })) },
  { what: "an audience that only begins like ours", bearer: () => token(rsa, claims(issuer, { aud: "steersman2" })) },
  { what: "an end that has passed", bearer: () => token(rsa, claims(issuer, { exp: nowSeconds - 1 })) },
  { what: "no end", bearer: () => token(rsa, claims(issuer, { exp: undefined })) },
  { what: "an end that is a text", bearer: () => token(rsa, claims(issuer, { exp: "9999999999" })) },
  { what: "a beginning in the future", bearer: () => token(rsa, claims(issuer, { nbf: nowSeconds + 3600 })) },
  {
    what: "an issuer that nobody trusts",
    bearer: () => token(rsa, { ...claims(issuer), iss: "https://evil.example" }),
  },
  { what: "an issuer with a slash more", bearer: () => token(rsa, { ...claims(issuer), iss: `${issuer.url}/` }) },
  { what: "no subject", bearer: () => token(rsa, claims(issuer, { sub: undefined })) },
  { what: "an empty subject", bearer: () => token(rsa, claims(issuer, { sub: "" })) },
  { what: "a subject that is a number", bearer: () => token(rsa, claims(issuer, { sub: 5 })) },
  {
    what: "groups that are objects",
    bearer: () => token(rsa, claims(issuer, { groups: [{ name: "system:masters" }] })),
  },
  { what: "claims given twice", bearer: () => token(rsa, `{"sub":"root",${JSON.stringify(claims(issuer)).slice(1)}`) },
  {
    what: "claims changed after signing",
    bearer: () => withClaims(token(rsa, claims(issuer)), claims(issuer, { sub: "root" })),
  },
  { what: "a signature that was cut", bearer: () => token(ecdsa, claims(issuer)).slice(0, -4) },
  { what: "an ECDSA signature of zeros", bearer: () => withSignature(token(ecdsa, claims(issuer)), Buffer.alloc(64)) },
  { what: "a fourth part", bearer: () => `${token(rsa, claims(issuer))}.x` },
  { what: "a hundred kilobytes", bearer: () => token(rsa, claims(issuer, { filler: "x".repeat(100_000) })) },
  {
    what: "ten thousand levels of nesting",
    bearer: () => token(rsa, `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`),
  },
];

function withClaims(bearer: string, changed: object): string {
  const [header, , signature] = bearer.split(".");
  return `${header}.${segment(changed)}.${signature}`;
}

function withSignature(bearer: string, signature: Buffer): string {
  return `${bearer.split(".").slice(0, 2).join(".")}.${signature.toString("base64url")}`;
}

for (const { what, bearer } of attacks) {
  test(`a token with ${what} is refused`, async () => {
    const answer = await secured.ask({ token: bearer() });
    assert.equal(answer.status, 401);
    assert.equal(answer.body["message"], "Unauthorized");
  });
}

test("no refusal and no log line holds a token", async () => {
  const bearer = token(rsa, claims(issuer, { aud: "others", canary: "canary-5d1" }));
  await secured.ask({ token: bearer });
  const lines = secured.logged.join("\n");
  assert.match(lines, /token is for other audiences/);
  for (const part of bearer.split(".")) assert.ok(!lines.includes(part));
  assert.doesNotMatch(lines, /canary-5d1/);
});

test("whatever tokens come, the issuer is not flooded with questions", async () => {
  const before = issuer.seen.length;
  const bearers = Array.from({ length: 200 }, (_, index) => token(stranger, claims(issuer), { kid: `x${index}` }));
  const answers = await Promise.all(bearers.map((bearer) => secured.ask({ token: bearer })));
  assert.ok(answers.every(({ status }) => status === 401));
  assert.ok(issuer.seen.length - before < 100, `${issuer.seen.length - before} questions`);
});

/** Asks until who comes in, at most a minute. */
async function untilIn(server: SecuredServer, bearer: () => string): Promise<void> {
  await eventually("the token is accepted", async () => typeof (await whoIs(server, { token: bearer() })) !== "number");
}

test("keys rotate: a new one counts without a restart", async () => {
  const fresh = signingKey("ec-2", "ES256");
  assert.equal(await whoIs(secured, { token: token(fresh, claims(issuer)) }), 401);
  published1.push(published(fresh));
  await untilIn(secured, () => token(fresh, claims(issuer)));
});

test("an issuer that is down harms nobody else, and is found when it comes", async () => {
  const late = await serveIssuer(() => [published(rsa)]);
  let isDown = true;
  const { answer } = late;
  late.answer = (request) => (isDown ? { status: 503, body: { secret: "inner-detail" } } : answer(request));
  await secured.follow(issuersFile([trusted(issuer), trusted(late)]));
  assert.equal(await whoIs(secured, { token: token(rsa, claims(late)) }), 401);
  assert.doesNotMatch(secured.logged.join(), /inner-detail/);
  assert.notEqual(await whoIs(secured, { token: token(rsa, claims(issuer)) }), 401);
  isDown = false;
  await untilIn(secured, () => token(rsa, claims(late)));
  await late.close();
});

const refusedIssuers: readonly {
  readonly what: string;
  readonly document: (url: string) => object;
  readonly log: RegExp;
}[] = [
  {
    what: "speaks for another issuer",
    document: () => ({ issuer: "https://other.example" }),
    log: /of another issuer/,
  },
  {
    what: "names keys that https does not reach",
    document: (url) => ({ issuer: url, jwks_uri: "file:///etc/shadow" }),
    log: /no key set that https reaches/,
  },
  {
    what: "names keys in a network that is not dialled",
    document: (url) => ({ issuer: url, jwks_uri: "https://169.254.169.254/keys" }),
    log: /address not allowed/,
  },
];
for (const { what, document, log } of refusedIssuers) {
  test(`an issuer whose discovery document ${what} is not believed`, async () => {
    const odd = await startOutside(() => ({ body: {} }));
    odd.answer = ({ path }) =>
      path.includes("openid") ? { body: document(odd.url) } : { body: { keys: [published(rsa)] } };
    await secured.follow(issuersFile([trusted(odd)]));
    assert.equal(await whoIs(secured, { token: token(rsa, claims(odd)) }), 401);
    assert.match(secured.logged.join("\n"), log);
    await odd.close();
  });
}

test("redirections are not followed, and a short RSA key is no key", async () => {
  const odd = await serveIssuer(() => [published(signingKey("short", "RS256", 1024))]);
  await secured.follow(issuersFile([trusted(odd)]));
  assert.equal(await whoIs(secured, { token: token(rsa, claims(odd)) }), 401);
  assert.match(secured.logged.join("\n"), /publishes no usable key/);
  odd.answer = () => ({ status: 302, headers: { location: `${issuer.url}/.well-known/openid-configuration` } });
  await secured.follow(issuersFile([trusted(odd)]));
  assert.equal(await whoIs(secured, { token: token(rsa, claims(odd)) }), 401);
  assert.match(secured.logged.join("\n"), /it answered 302/);
  await odd.close();
});

test("loopback is not dialled unless it was allowed, also for issuers", async () => {
  const strict = await startSecured(issuersFile([trusted(issuer)]), { dialAllow: [] });
  const before = issuer.seen.length;
  assert.equal(await whoIs(strict, { token: token(rsa, claims(issuer)) }), 401);
  assert.equal(issuer.seen.length, before);
  assert.match(strict.logged.join("\n"), /address not allowed/);
  await strict.close();
});

test("an issuer whose certificate another CA signed is not believed", async () => {
  const wrong = { issuer: { url: issuer.url, certificateAuthority: other.ca, audiences: ["steersman"] } };
  await secured.follow(issuersFile([trusted(issuer, wrong)]));
  assert.equal(await whoIs(secured, { token: token(rsa, claims(issuer)) }), 401);
});

test("expressions make users of claims, and rules turn them away", async () => {
  const mapped = {
    claimValidationRules: [
      { claim: "hd", requiredValue: "example.com" },
      { expression: "claims.email_verified == true", message: "the address is not verified" },
    ],
    claimMappings: {
      username: { expression: "claims.email" },
      groups: { expression: "claims.roles.split(',').map(role, 'role:' + role)" },
      uid: { claim: "oid" },
      extra: [{ key: "example.com/tenant", valueExpression: "claims.tenant" }],
    },
    userValidationRules: [
      { expression: "!user.username.startsWith('system:')", message: "names of the system are not for you" },
      { expression: "user.groups.all(group, !group.startsWith('system:'))" },
    ],
  };
  await secured.follow(issuersFile([trusted(issuer, mapped)]));
  const good = {
    hd: "example.com",
    email: "jane@example.com",
    email_verified: true,
    roles: "a,b",
    oid: "o-1",
    tenant: "t",
  };
  assert.deepEqual(await whoIs(secured, { token: token(rsa, claims(issuer, good)) }), {
    username: "jane@example.com",
    uid: "o-1",
    groups: ["role:a", "role:b", "system:authenticated"],
    extra: { "example.com/tenant": ["t"] },
  });
  const refused = async (change: object, why: RegExp): Promise<void> => {
    assert.equal(await whoIs(secured, { token: token(rsa, claims(issuer, { ...good, ...change })) }), 401);
    assert.match(secured.logged.at(-1) ?? "", why);
  };
  await refused({ hd: "evil.example" }, /claim hd is not what is required/);
  await refused({ email_verified: false }, /the address is not verified/);
  await refused({ email: "system:admin" }, /names of the system are not for you/);
  await refused({ oid: undefined }, /the claim of uid is not there/);
  await refused({ tenant: undefined }, /resulted in error/);
});

test("settings that cannot be followed are refused with everything that is wrong, and the former ones stay", async () => {
  await secured.follow(issuersFile([trusted(issuer)]));
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ issuer: { url: "http://x", audiences: ["a"] } }, /jwt\[0\].issuer.url: URL scheme must be https/],
    [{ issuer: { url: "https://x", audiences: [] } }, /issuer.audiences: at least one is required/],
    [{ issuer: { url: "https://kubernetes.default.svc.cluster.local", audiences: ["a"] } }, /disallowed issuers/],
    [{ claimMappings: { username: { claim: "sub" } } }, /claimMappings.username.prefix: is required/],
    [{ claimMappings: { username: { expression: "claims.email" } } }, /claims.email_verified must be used/],
    [{ claimMappings: { username: { expression: "claims.sub +" } } }, /Syntax error|syntax/i],
    [{ claimMappings: { username: { expression: "1" } } }, /must evaluate to string/],
    [{ userValidationRules: [{ expression: "user.nobody == 'x'" }] }, /undefined field|nobody/],
    [
      {
        claimMappings: { username: { claim: "sub", prefix: "" }, extra: [{ key: "k8s.io/x", valueExpression: "'a'" }] },
      },
      /reserved/,
    ],
    [{ unknown: true }, /jwt\[0\].unknown: unknown field/],
  ];
  for (const [change, problem] of wrong) {
    await assert.rejects(secured.follow(issuersFile([trusted(issuer, change)])), problem);
  }
  await assert.rejects(secured.follow(issuersFile([trusted(issuer), trusted(issuer)])), /Duplicate value/);
  assert.notEqual(await whoIs(secured, { token: token(rsa, claims(issuer)) }), 401);
});
