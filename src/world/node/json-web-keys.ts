import { constants, createPublicKey, verify, type KeyObject } from "node:crypto";
import type { JsonWebKeys, VerifyingKey } from "../json-web-keys.ts";

const rsaBitsMin = 2048;

interface Algorithm {
  readonly hash: string;
  /** For ECDSA: the curve, as OpenSSL calls it, and the bytes of r and s together. */
  readonly curve?: string;
  readonly signatureBytes?: number;
  readonly isPss?: boolean;
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  RS256: { hash: "sha256" },
  RS384: { hash: "sha384" },
  RS512: { hash: "sha512" },
  PS256: { hash: "sha256", isPss: true },
  PS384: { hash: "sha384", isPss: true },
  PS512: { hash: "sha512", isPss: true },
  ES256: { hash: "sha256", curve: "prime256v1", signatureBytes: 64 },
  ES384: { hash: "sha384", curve: "secp384r1", signatureBytes: 96 },
  ES512: { hash: "sha512", curve: "secp521r1", signatureBytes: 132 },
};

/** The real `JsonWebKeys`, over node:crypto (OpenSSL). */
export const nodeJsonWebKeys: JsonWebKeys = {
  read(jwk) {
    const key = publicKeyOf(jwk);
    if (key === undefined) return undefined;
    const names = fitting(key).filter((name) => jwk["alg"] === undefined || jwk["alg"] === name);
    return names.length === 0 ? undefined : verifyingKey(key, names);
  },
};

function publicKeyOf(jwk: Readonly<Record<string, unknown>>): KeyObject | undefined {
  // Only the public members: a private key that somebody published is no reason to take it in.
  const { kty, n, e, crv, x, y } = jwk;
  const members = kty === "RSA" ? { kty, n, e } : kty === "EC" ? { kty, crv, x, y } : undefined;
  if (members === undefined || Object.values(members).some((value) => typeof value !== "string")) return undefined;
  try {
    return createPublicKey({ key: members as Record<string, string>, format: "jwk" });
  } catch {
    return undefined;
  }
}

function fitting(key: KeyObject): string[] {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  return Object.entries(algorithms).flatMap(([name, { curve }]) => {
    const fits =
      curve === undefined ? modulusLength !== undefined && rsaBitsMin <= modulusLength : curve === namedCurve;
    return fits ? [name] : [];
  });
}

function verifyingKey(key: KeyObject, names: readonly string[]): VerifyingKey {
  return {
    algorithms: names,
    verify(name, data, signature) {
      const algorithm = names.includes(name) ? algorithms[name] : undefined;
      if (algorithm === undefined) return false;
      const { hash, signatureBytes, isPss } = algorithm;
      if (signatureBytes !== undefined) {
        return signature.length === signatureBytes && verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, signature);
      }
      if (isPss !== true) return verify(hash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify(hash, data, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
    },
  };
}
