import type { CertificateInfo, CertificateRequest, Certificates, Crypto } from "#world/crypto.ts";

/** Hashing is pure: the real one may be used. */
export type Hashes = Pick<Crypto, "sha256" | "hmacSha256" | "equal">;

const encoder = new TextEncoder();

/**
 * Keys and signatures without their mathematics and without their randomness: the same input gives the same bytes, so that
 * tokens may be part of the trace, and a seed does not pay for them. Both halves of a pair hold the same secret.
 */
export function simulatedCrypto(hashes: Hashes): Crypto {
  let made = 0;
  const sign = (pem: string, data: Uint8Array): Uint8Array => {
    const first = hashes.hmacSha256(encoder.encode(bodyOf(pem)), data);
    const signature = new Uint8Array(64);
    signature.set(first);
    signature.set(hashes.sha256(first), 32);
    return signature;
  };
  return {
    ...hashes,
    generateKey() {
      made += 1;
      const half = hashes.sha256(encoder.encode(`key ${made}`));
      const body = base64([...half, ...hashes.sha256(half)]);
      return { privateKey: pem("PRIVATE KEY", body), publicKey: pem("PUBLIC KEY", body) };
    },
    signEs256: sign,
    verifyEs256: (publicKey, data, signature) => hashes.equal(sign(publicKey, data), signature),
  };
}

/** Certificates that are their own description. */
export const simulatedCertificates: Certificates = {
  issue: (request) => Promise.resolve(simulatedCertificate(request)),
  createSigningRequest: (subject, key, names = {}) => {
    const { dnsNames = [], addresses = [] } = names;
    const request = { subject, publicKey: key.replaceAll("PRIVATE", "PUBLIC"), dnsNames, addresses, usages: [] };
    return Promise.resolve(pem("CERTIFICATE REQUEST", base64(encoder.encode(JSON.stringify(request)))));
  },
  readSigningRequest: (text) => Promise.resolve(read(text, "CERTIFICATE REQUEST")),
  read: (certificate) => (typeof certificate === "string" ? read(certificate, "CERTIFICATE") : undefined),
};

/** A certificate of anyone who asks for one. */
export function simulatedCertificate(request: CertificateRequest): string {
  const { dnsNames = [], addresses = [] } = request;
  return pem("CERTIFICATE", base64(encoder.encode(JSON.stringify({ ...request, dnsNames, addresses }))));
}

function read(text: string, label: string): CertificateInfo | undefined {
  return text.includes(`BEGIN ${label}-`) ? (JSON.parse(atob(bodyOf(text))) as CertificateInfo) : undefined;
}

function pem(label: string, body: string): string {
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}

function bodyOf(text: string): string {
  return text.split("\n")[1] ?? "";
}

function base64(bytes: Iterable<number>): string {
  return btoa(String.fromCharCode(...bytes));
}
