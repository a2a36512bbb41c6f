import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, pods, secrets, serviceaccounts } from "#api/generated/resources.ts";
import type { HttpRequest } from "#world/http.ts";
import { createCertificates } from "#world/node/certificates.ts";
import { createCrypto } from "#world/node/crypto.ts";
import { realRandom } from "#world/node/random.ts";
import type { Authentication } from "../authenticator.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { createAuthenticator } from "./authenticator.ts";
import { fromBase64Url, toBase64Url } from "./base64.ts";
import { keySet, openidConfiguration } from "./signing-key.ts";
import { createTokenIssuer, type TokenOrder } from "./token-issuer.ts";

const crypto = createCrypto();
const certificates = createCertificates();
const key = crypto.generateKey();
const issuer = "https://kubernetes.default.svc.cluster.local";
const start = Date.UTC(2026, 0, 1);

function world(): {
  clock: { now: () => number; monotonic: () => number; ms: number };
  objects: StoredInTests;
  token: (order?: Partial<TokenOrder>) => Promise<string>;
  check: (token: string, target?: string) => Authentication;
  checkFor: (token: string, audiences: string[]) => Authentication;
  withCertificate: (der: Uint8Array, token?: string) => Authentication;
} {
  const clock = { ms: start, now: () => clock.ms, monotonic: () => clock.ms };
  const objects = new StoredInTests();
  objects.put(serviceaccounts, { metadata: { namespace: "shop", name: "web", uid: "sa-1" } });
  const shared = { clock, crypto, objects, issuer, audiences: [issuer] };
  const authenticator = createAuthenticator({ ...shared, certificates, serviceAccountKeys: [key] });
  const tokens = createTokenIssuer({ ...shared, random: realRandom, key });
  const order: TokenOrder = { namespace: "shop", serviceAccount: { name: "web", uid: "sa-1" } };
  const request = (headers: Record<string, string>, target = "/api/v1/pods"): HttpRequest => ({
    method: "GET",
    target,
    headers,
    body: new Uint8Array(),
  });
  const bearer = (token: string | undefined): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const now = (result: Authentication | Promise<Authentication>): Authentication => {
    assert.ok(!(result instanceof Promise));
    return result;
  };
  const peer = { address: "127.0.0.1", port: 1 };
  return {
    clock,
    objects,
    token: async (changes) => (await tokens.issue({ ...order, ...changes })).token,
    check: (token, target) => now(authenticator.authenticate(request(token === "" ? {} : bearer(token), target), peer)),
    checkFor: (token, audiences) => now(authenticator.checkToken(token, audiences)),
    withCertificate: (certificate, token) =>
      now(authenticator.authenticate(request(bearer(token)), { ...peer, certificate })),
  };
}

function refused(result: Authentication, why: RegExp): void {
  assert.ok(!result.ok && result.reason === "invalid", JSON.stringify(result));
  assert.match(result.detail, why);
}

test("a service account's token names it, its groups and its credential", async () => {
  const { token, check } = world();
  const result = check(await token());
  assert.ok(result.ok);
  assert.equal(result.user.name, "system:serviceaccount:shop:web");
  assert.equal(result.user.uid, "sa-1");
  assert.deepEqual(result.user.groups, [
    "system:serviceaccounts",
    "system:serviceaccounts:shop",
    "system:authenticated",
  ]);
  assert.match(result.user.extra["authentication.kubernetes.io/credential-id"]?.[0] ?? "", /^JTI=[0-9a-f-]{36}$/);
  assert.deepEqual(result.audiences, [issuer]);
});

test("a token bound to a pod carries the pod and its node", async () => {
  const { token, check, objects } = world();
  objects.put(nodes, { metadata: { name: "n1", uid: "node-1" } });
  objects.put(pods, { metadata: { namespace: "shop", name: "web-0", uid: "pod-1" }, spec: { nodeName: "n1" } });
  const result = check(await token({ boundObject: { kind: "Pod", name: "web-0", uid: "pod-1" } }));
  assert.ok(result.ok);
  const { "authentication.kubernetes.io/credential-id": _, ...extra } = result.user.extra;
  assert.deepEqual(extra, {
    "authentication.kubernetes.io/pod-name": ["web-0"],
    "authentication.kubernetes.io/pod-uid": ["pod-1"],
    "authentication.kubernetes.io/node-name": ["n1"],
    "authentication.kubernetes.io/node-uid": ["node-1"],
  });
});

test("the same credential gives the same user object", async () => {
  const { token, check } = world();
  const text = await token();
  const [first, second] = [check(text), check(text)];
  assert.ok(first.ok && second.ok);
  assert.equal(first.user, second.user);
});

test("a token ends at its second, and stays refused", async () => {
  const { token, check, clock } = world();
  const text = await token({ expirationSeconds: 600 });
  clock.ms = start + 599_999;
  assert.ok(check(text).ok);
  clock.ms = start + 600_000;
  refused(check(text), /expired/);
  refused(check(text), /expired/);
});

test("a token for another audience is refused here and holds there", async () => {
  const { token, check, checkFor } = world();
  const text = await token({ audiences: ["vault", "other"] });
  refused(check(text), /audience/);
  const result = checkFor(text, ["vault", "elsewhere"]);
  assert.ok(result.ok);
  assert.deepEqual(result.audiences, ["vault"]);
});

test("a token ends at once with what it is bound to, also when that is made anew", async () => {
  const { token, check, objects } = world();
  objects.put(nodes, { metadata: { name: "n1", uid: "node-1" } });
  objects.put(secrets, { metadata: { namespace: "shop", name: "s", uid: "secret-1" } });
  objects.put(pods, { metadata: { namespace: "shop", name: "p", uid: "pod-1" }, spec: {} });
  const bound = [
    [pods, "shop", await token({ boundObject: { kind: "Pod", name: "p", uid: "pod-1" } }), "p"],
    [secrets, "shop", await token({ boundObject: { kind: "Secret", name: "s", uid: "secret-1" } }), "s"],
    [nodes, undefined, await token({ boundObject: { kind: "Node", name: "n1", uid: "node-1" } }), "n1"],
    [serviceaccounts, "shop", await token(), "web"],
  ] as const;
  for (const [resource, namespace, text, name] of bound) {
    assert.ok(check(text).ok, resource.kind);
    objects.remove(resource, namespace, name);
    refused(check(text), /does not exist/);
    objects.put(resource, { metadata: { ...(namespace === undefined ? {} : { namespace }), name, uid: "new" } });
    refused(check(text), /made anew/);
  }
});

test("a pod that lingers in deletion keeps its token a minute beyond its end", async () => {
  const { token, check, objects, clock } = world();
  const metadata = {
    namespace: "shop",
    name: "p",
    uid: "pod-1",
    deletionTimestamp: new Date(start + 30_000).toISOString(),
  };
  objects.put(pods, { metadata, spec: {} });
  const text = await token({ boundObject: { kind: "Pod", name: "p", uid: "pod-1" } });
  clock.ms = start + 90_000;
  assert.ok(check(text).ok);
  clock.ms = start + 90_001;
  refused(check(text), /deleted/);
});

test("no change to a token goes unnoticed", async () => {
  const { token, check } = world();
  const text = await token();
  const [header = "", payload = "", signature = ""] = text.split(".");
  const claims = JSON.parse(new TextDecoder().decode(fromBase64Url(payload))) as Record<string, unknown>;
  const encode = (value: unknown): string => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
  refused(check(`${header}.${encode({ ...claims, exp: 9e9 })}.${signature}`), /signature/);
  refused(check(`${encode({ alg: "none" })}.${payload}.`), /nobody/);
  refused(check(`${encode({ alg: "HS256" })}.${payload}.${signature}`), /nobody/);
  refused(check(`${header}.${payload}.${toBase64Url(new Uint8Array(64))}`), /signature/);
  for (const broken of [
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `${header}.`,
    header,
    `${text}=`,
    `${text}.`,
    "a".repeat(100_000),
  ]) {
    assert.ok(!check(broken).ok, broken.slice(0, 20));
  }
});

test("keys of before a rotation still verify, unknown keys do not", async () => {
  const { clock, objects } = world();
  const old = crypto.generateKey();
  const shared = { clock, crypto, objects, issuer, audiences: [issuer] };
  const order = { namespace: "shop", serviceAccount: { name: "web", uid: "sa-1" } };
  const { token } = await createTokenIssuer({ ...shared, random: realRandom, key: old }).issue(order);
  const check = (keys: { publicKey: string }[]): Authentication | Promise<Authentication> =>
    createAuthenticator({ ...shared, certificates, serviceAccountKeys: keys }).checkToken(token, []);
  assert.ok((await check([key, { publicKey: old.publicKey }])).ok);
  assert.ok(!(await check([key])).ok);
});

test("the published documents describe the keys", () => {
  const [published] = keySet(crypto, [key]).keys;
  assert.ok(published);
  assert.deepEqual(
    { ...published, kid: "", x: published["x"]?.length, y: published["y"]?.length },
    { use: "sig", kty: "EC", kid: "", crv: "P-256", alg: "ES256", x: 43, y: 43 },
  );
  assert.equal(openidConfiguration(issuer, `${issuer}/openid/v1/jwks`)["jwks_uri"], `${issuer}/openid/v1/jwks`);
});

test("whoever brings nothing is anonymous for health only", () => {
  const { check } = world();
  for (const path of ["/livez", "/readyz?verbose", "/healthz", "/version"]) {
    const result = check("", path);
    assert.ok(result.ok, path);
    assert.deepEqual([result.user.name, result.user.groups], ["system:anonymous", ["system:unauthenticated"]]);
  }
  for (const path of ["/", "/api", "/livez/../api", "/metrics", "/livezz"]) {
    assert.deepEqual(check("", path), { ok: false, reason: "none" });
  }
  refused(check("nonsense", "/livez"), /nobody/);
});

async function certificate(usages: ("client" | "server")[], organizations: string[] = []): Promise<Uint8Array> {
  const pem = await certificates.issue(
    {
      subject: { commonName: "jane", organizations },
      publicKey: key.publicKey,
      usages,
      notBefore: start,
      notAfter: start + 1000,
    },
    { selfSignedWith: key.privateKey },
  );
  return Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64");
}

test("a client certificate names its user and groups, as long as it is valid", async () => {
  const { withCertificate, clock, token } = world();
  const der = await certificate(["client"], ["dev", "system:masters"]);
  const result = withCertificate(der);
  assert.ok(result.ok);
  assert.equal(result.user.name, "jane");
  assert.deepEqual(result.user.groups, ["dev", "system:masters", "system:authenticated"]);
  assert.match(result.user.extra["authentication.kubernetes.io/credential-id"]?.[0] ?? "", /^X509SHA256=[0-9a-f]{64}$/);
  clock.ms = start + 1001;
  refused(withCertificate(der), /expired/);
  refused(withCertificate(Uint8Array.from(der)), /expired/);
  const byToken = withCertificate(der, await token());
  assert.ok(byToken.ok && byToken.user.name === "system:serviceaccount:shop:web");
});

test("a server's certificate is no client's", async () => {
  const { withCertificate } = world();
  refused(withCertificate(await certificate(["server"])), /not for clients/);
  assert.ok(withCertificate(await certificate([])).ok);
});

const bootstrap = {
  "token-id": "abcdef",
  "token-secret": "0123456789abcdef",
  "usage-bootstrap-authentication": "true",
};
const bootstrapCases: readonly {
  name: string;
  data: Record<string, string>;
  type?: string;
  expected: RegExp | string[];
}[] = [
  { name: "as made", data: bootstrap, expected: ["system:bootstrappers", "system:authenticated"] },
  {
    name: "with groups",
    data: {
      ...bootstrap,
      "auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:b",
      expiration: "2026-01-01T00:00:01Z",
    },
    expected: ["system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:b", "system:authenticated"],
  },
  { name: "expired", data: { ...bootstrap, expiration: "2025-12-31T23:59:59Z" }, expected: /expired/ },
  { name: "with an end that is none", data: { ...bootstrap, expiration: "soon" }, expected: /expired/ },
  { name: "with a foreign group", data: { ...bootstrap, "auth-extra-groups": "system:masters" }, expected: /group/ },
  {
    name: "not for authentication",
    data: { ...bootstrap, "usage-bootstrap-authentication": "false" },
    expected: /not meant/,
  },
  { name: "with another secret", data: { ...bootstrap, "token-secret": "0123456789abcdeg" }, expected: /wrong secret/ },
  { name: "of another type", data: bootstrap, type: "Opaque", expected: /type/ },
];
for (const { name, data, type, expected } of bootstrapCases) {
  test(`a bootstrap token ${name}`, () => {
    const { objects, check } = world();
    const encoded = Object.fromEntries(Object.entries(data).map(([field, value]) => [field, btoa(value)]));
    const metadata = { namespace: "kube-system", name: "bootstrap-token-abcdef" };
    objects.put(secrets, { metadata, type: type ?? "bootstrap.kubernetes.io/token", data: encoded });
    const result = check("abcdef.0123456789abcdef");
    if (expected instanceof RegExp) return refused(result, expected);
    assert.ok(result.ok);
    assert.equal(result.user.name, "system:bootstrap:abcdef");
    assert.deepEqual(result.user.groups, expected);
  });
}
