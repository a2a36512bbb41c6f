/** Servers outside of the cluster, as tests need them: HTTPS on loopback with a CA of their own. */
import { createSign, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { createCertificates } from "../../src/world/node/certificates.ts";
import { createCrypto } from "../../src/world/node/crypto.ts";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object goes out as JSON. Undefined: no answer ever comes. */
  readonly body?: unknown;
}

export interface OutsideServer {
  readonly url: string;
  /** PEM of the CA that signed its certificate. */
  readonly ca: string;
  /** For further servers under the same CA. */
  readonly authority: Authority;
  readonly seen: Seen[];
  answer: (request: Seen) => Reply | undefined;
  close(): Promise<void>;
}

/** A CA that signs certificates of servers. */
export interface Authority {
  /** PEM */
  readonly certificate: string;
  readonly key: string;
}

/** An HTTPS server on a free port of loopback, under a CA of its own or under `authority`. */
export async function startOutside(
  answer: (request: Seen) => Reply | undefined,
  given?: Authority,
): Promise<OutsideServer> {
  const authority = given ?? (await makeAuthority());
  const { certificate, key } = await identity(authority);
  const ca = authority.certificate;
  const seen: Seen[] = [];
  const server = https.createServer({ cert: certificate, key }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const request = { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body };
      seen.push(request);
      const reply = made.answer(request);
      if (reply === undefined) return;
      outgoing.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
      outgoing.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const made: OutsideServer = {
    url: `https://127.0.0.1:${port}`,
    ca,
    authority,
    seen,
    answer,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return made;
}

function period(): { readonly notBefore: number; readonly notAfter: number } {
  return { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
}

async function makeAuthority(): Promise<Authority> {
  const { publicKey, privateKey } = createCrypto().generateKey();
  const certificate = await createCertificates().issue(
    { subject: { commonName: "outside-ca" }, publicKey, usages: ["ca"], ...period() },
    { selfSignedWith: privateKey },
  );
  return { certificate, key: privateKey };
}

async function identity(authority: Authority): Promise<{ certificate: string; key: string }> {
  const own = createCrypto().generateKey();
  const certificate = await createCertificates().issue(
    {
      subject: { commonName: "outside" },
      publicKey: own.publicKey,
      dnsNames: ["localhost"],
      addresses: ["127.0.0.1"],
      usages: ["server"],
      ...period(),
    },
    authority,
  );
  return { certificate, key: own.privateKey };
}

/** An authorization configuration that asks the webhook of `judge.kubeconfig` first, then the authorizers of these types. */
export function authorizationBy(webhook: object, others: readonly string[]): string {
  const asked = {
    // A busy machine answers late.
    timeout: "30s",
    failurePolicy: "Deny",
    subjectAccessReviewVersion: "v1",
    matchConditionSubjectAccessReviewVersion: "v1",
    connectionInfo: { type: "KubeConfigFile", kubeConfigFile: "judge.kubeconfig" },
    ...webhook,
  };
  const judge = { type: "Webhook", name: "judge", webhook: asked };
  return JSON.stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthorizationConfiguration",
    authorizers: [judge, ...others.map((type) => ({ type, name: type.toLowerCase() }))],
  });
}

/** A kubeconfig for a webhook there. */
export function kubeconfigFor({ url, ca }: OutsideServer, path = "/", user: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "webhook",
    clusters: [
      {
        name: "webhook",
        cluster: { server: `${url}${path}`, "certificate-authority-data": Buffer.from(ca).toString("base64") },
      },
    ],
    users: [{ name: "server", user }],
    contexts: [{ name: "webhook", context: { cluster: "webhook", user: "server" } }],
  });
}

export interface SigningKey {
  readonly id: string;
  readonly algorithm: "RS256" | "PS256" | "ES256";
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function signingKey(id: string, algorithm: SigningKey["algorithm"], bits = 2048): SigningKey {
  const pair =
    algorithm === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: bits });
  return { id, algorithm, ...pair };
}

/** The key as its owner publishes it. */
export function published({ id, algorithm, publicKey }: SigningKey): Record<string, unknown> {
  return { ...publicKey.export({ format: "jwk" }), kid: id, alg: algorithm, use: "sig" };
}

export function segment(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

/** A JWT signed with the key, whatever its header says. Claims that are a text go out as they stand. */
export function token(key: SigningKey, claims: object | string, header: object = {}): string {
  const signed = `${segment({ alg: key.algorithm, kid: key.id, typ: "JWT", ...header })}.${segment(claims)}`;
  return `${signed}.${signature(key, signed).toString("base64url")}`;
}

function signature({ algorithm, privateKey }: SigningKey, text: string): Buffer {
  if (algorithm === "RS256") return createSign("sha256").update(text).sign(privateKey);
  if (algorithm === "ES256") return sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  // 6: RSASSA-PSS; the salt has the digest's length.
  return sign("sha256", Buffer.from(text), { key: privateKey, padding: 6, saltLength: 32 });
}
