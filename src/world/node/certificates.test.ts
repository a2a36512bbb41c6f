import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import type { CertificateInfo, CertificateRequest } from "../crypto.ts";
import { createCertificates } from "./certificates.ts";
import { createCrypto } from "./crypto.ts";

const crypto = createCrypto();
const certificates = createCertificates();
const hourMs = 3_600_000;
const notBefore = Math.floor(Date.now() / 1000) * 1000 - hourMs;
const notAfter = notBefore + 1000 * hourMs;

async function authority(): Promise<{ certificate: string; key: string }> {
  const pair = crypto.generateKey();
  const certificate = await certificates.issue(
    { subject: { commonName: "cluster-ca" }, publicKey: pair.publicKey, usages: ["ca"], notBefore, notAfter },
    { selfSignedWith: pair.privateKey },
  );
  return { certificate, key: pair.privateKey };
}

async function leaf(
  ca: { certificate: string; key: string },
  request: Omit<CertificateRequest, "publicKey" | "notBefore" | "notAfter">,
): Promise<{ certificate: string; key: string }> {
  const pair = crypto.generateKey();
  const certificate = await certificates.issue({ ...request, publicKey: pair.publicKey, notBefore, notAfter }, ca);
  return { certificate, key: pair.privateKey };
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

test("openssl reads a server certificate as it was asked for and trusts its chain", async () => {
  const ca = await authority();
  const server = await leaf(ca, {
    subject: { commonName: "kube-apiserver", organizations: ["system:masters"] },
    dnsNames: ["kubernetes", "kubernetes.default.svc.cluster.local", "localhost"],
    addresses: ["127.0.0.1", "10.96.0.1", "fd00:10:96::1", "::ffff:1.2.3.4"],
    usages: ["server"],
  });
  inFolder((folder) => {
    const at = (name: string): string => join(folder, name);
    writeFileSync(at("ca.crt"), ca.certificate);
    writeFileSync(at("server.crt"), server.certificate);
    assert.match(
      openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", at("ca.crt"), at("server.crt")),
      /OK/,
    );
    assert.throws(() => openssl("verify", "-purpose", "sslclient", "-CAfile", at("ca.crt"), at("server.crt")));
    const text = openssl("x509", "-in", at("server.crt"), "-noout", "-text");
    for (const expected of [
      /Version: 3/,
      /Subject: O ?= ?system:masters, CN ?= ?kube-apiserver/,
      /Issuer: CN ?= ?cluster-ca/,
      /DNS:kubernetes, DNS:kubernetes\.default\.svc\.cluster\.local, DNS:localhost/,
      /IP Address:127\.0\.0\.1, IP Address:10\.96\.0\.1, IP Address:FD00:10:96:0:0:0:0:1/,
      /X509v3 Basic Constraints: critical\s+CA:FALSE/,
      /X509v3 Key Usage: critical\s+Digital Signature\n/,
      /TLS Web Server Authentication\n/,
      /X509v3 Authority Key Identifier/,
    ]) {
      assert.match(text, expected);
    }
    const caText = openssl("x509", "-in", at("ca.crt"), "-noout", "-text");
    assert.match(caText, /CA:TRUE/);
    assert.match(caText, /Digital Signature, Certificate Sign, CRL Sign/);
  });
});

test("Node's TLS accepts both sides of a connection and names the client", async () => {
  const ca = await authority();
  const server = await leaf(ca, {
    subject: { commonName: "api" },
    dnsNames: ["localhost"],
    addresses: ["127.0.0.1"],
    usages: ["server"],
  });
  const client = await leaf(ca, { subject: { commonName: "admin", organizations: ["b", "a"] }, usages: ["client"] });
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: ca.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const peer = new Promise<CertificateInfo | undefined>((resolve) => {
    listener.on("secureConnection", (socket) => {
      resolve(certificates.read(socket.getPeerCertificate().raw));
      socket.end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  const socket = connect({
    host: "127.0.0.1",
    port: address.port,
    ca: ca.certificate,
    cert: client.certificate,
    key: client.key,
  });
  await new Promise<void>((resolve, reject) => socket.on("secureConnect", resolve).on("error", reject));
  assert.deepEqual((await peer)?.subject, { commonName: "admin", organizations: ["a", "b"] });
  socket.destroy();
  await new Promise((resolve) => listener.close(resolve));
});

test("what was issued is read back", async () => {
  const ca = await authority();
  const { certificate } = await leaf(ca, {
    subject: { commonName: "system:node:n1", organizations: ["system:nodes"] },
    dnsNames: ["n1"],
    addresses: ["10.0.0.1", "fe80::1:0:0:2"],
    usages: ["server", "client"],
  });
  const info = certificates.read(certificate);
  assert.ok(info);
  assert.equal(info.publicKey, new X509Certificate(certificate).publicKey.export({ type: "spki", format: "pem" }));
  assert.deepEqual(
    { ...info, publicKey: "" },
    {
      subject: { commonName: "system:node:n1", organizations: ["system:nodes"] },
      dnsNames: ["n1"],
      addresses: ["10.0.0.1", "fe80::1:0:0:2"],
      emailAddresses: [],
      uris: [],
      notBefore,
      notAfter,
      publicKey: "",
      usages: ["server", "client"],
    },
  );
  assert.deepEqual(certificates.read(new X509Certificate(certificate).raw), info);
  assert.deepEqual(certificates.read(ca.certificate)?.usages, ["ca"]);
});

test("a certificate that lives beyond 2049 keeps its end", async () => {
  const pair = crypto.generateKey();
  const end = Date.UTC(2060, 1, 29, 12, 30, 15);
  const pem = await certificates.issue(
    { subject: { commonName: "x" }, publicKey: pair.publicKey, usages: ["ca"], notBefore, notAfter: end },
    { selfSignedWith: pair.privateKey },
  );
  assert.equal(new X509Certificate(pem).validTo, "Feb 29 12:30:15 2060 GMT");
  assert.equal(certificates.read(pem)?.notAfter, end);
});

test("serial numbers are positive, differ, and have sixteen bytes", async () => {
  const ca = await authority();
  const serials = new Set<string>();
  for (let index = 0; index < 20; index++) {
    const { certificate } = await leaf(ca, { subject: { commonName: "x" }, usages: ["client"] });
    serials.add(new X509Certificate(certificate).serialNumber);
  }
  assert.equal(serials.size, 20);
  for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
});

test("a signing request of ours is valid for openssl and is read back", async () => {
  const pair = crypto.generateKey();
  const pem = await certificates.createSigningRequest(
    { commonName: "system:node:n1", organizations: ["system:nodes"] },
    pair.privateKey,
    { dnsNames: ["n1"], addresses: ["192.168.0.7"] },
  );
  inFolder((folder) => {
    const file = join(folder, "r.csr");
    writeFileSync(file, pem);
    assert.match(openssl("req", "-in", file, "-verify", "-noout", "-text"), /DNS:n1, IP Address:192\.168\.0\.7/);
  });
  assert.deepEqual(await certificates.readSigningRequest(pem), {
    subject: { commonName: "system:node:n1", organizations: ["system:nodes"] },
    publicKey: pair.publicKey,
    dnsNames: ["n1"],
    addresses: ["192.168.0.7"],
    emailAddresses: [],
    uris: [],
    usages: [],
  });
});

const foreignKeys = [
  ["rsa", (): KeyObject => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
  ["ec P-384", (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey],
  ["ed25519", (): KeyObject => generateKeyPairSync("ed25519").privateKey],
] as const;
for (const [name, generate] of foreignKeys) {
  test(`a request that openssl made with an ${name} key is read, and its key certified`, async () => {
    const key = generate().export({ type: "pkcs8", format: "pem" }).toString();
    const pem = inFolder((folder) => {
      writeFileSync(join(folder, "key"), key);
      return openssl(
        "req",
        "-new",
        "-key",
        join(folder, "key"),
        "-subj",
        "/O=dev/CN=jane",
        "-addext",
        "subjectAltName=email:jane@example.com,URI:spiffe://x/y,DNS:d",
      );
    });
    const info = await certificates.readSigningRequest(pem);
    assert.ok(info);
    assert.deepEqual(info.subject, { commonName: "jane", organizations: ["dev"] });
    assert.deepEqual([info.emailAddresses, info.uris, info.dnsNames], [["jane@example.com"], ["spiffe://x/y"], ["d"]]);
    const ca = await authority();
    const issued = await certificates.issue({ ...info, usages: ["client"], notBefore, notAfter }, ca);
    assert.ok(new X509Certificate(issued).verify(new X509Certificate(ca.certificate).publicKey));
    assert.ok(new X509Certificate(issued).checkIssued(new X509Certificate(ca.certificate)));
  });
}

test("a request whose names were changed after signing is no request", async () => {
  const pair = crypto.generateKey();
  const pem = await certificates.createSigningRequest({ commonName: "system:node:aa" }, pair.privateKey);
  const bytes = Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64");
  bytes[bytes.indexOf("system:node:aa") + 13] = "b".charCodeAt(0);
  const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  assert.ok(await certificates.readSigningRequest(pem));
  assert.equal(await certificates.readSigningRequest(changed), undefined);
});

test("no broken input of any kind makes the reader throw", async () => {
  const ca = await authority();
  const der = new X509Certificate(ca.certificate).raw;
  for (let length = 0; length < der.length; length++)
    assert.equal(certificates.read(der.subarray(0, length)), undefined);
  for (let index = 0; index < der.length; index++) {
    const broken = Buffer.from(der);
    broken[index] = (broken[index] ?? 0) ^ 0xff;
    certificates.read(broken);
  }
  const request = await certificates.createSigningRequest({ commonName: "x" }, ca.key, { dnsNames: ["a"] });
  const body = Buffer.from(request.split("\n").slice(1, -2).join(""), "base64");
  for (let index = 0; index < body.length; index++) {
    const broken = Buffer.from(body);
    broken[index] = (broken[index] ?? 0) ^ 0x55;
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${broken.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
    assert.equal(await certificates.readSigningRequest(pem), undefined);
  }
  for (const text of ["", "x", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----"]) {
    assert.equal(certificates.read(text), undefined);
    assert.equal(await certificates.readSigningRequest(text), undefined);
  }
});
