import type { Crypto } from "#world/crypto.ts";
import { bytesOfPem, toBase64Url } from "./base64.ts";

/** A key that signs service account tokens. Keys without a private part only verify: the ones of before a rotation. */
export interface ServiceAccountKey {
  /** PKCS#8 PEM. */
  readonly privateKey?: string;
  /** SPKI PEM, ECDSA P-256. */
  readonly publicKey: string;
}

/** The name of a key in token headers and in the published key set: the hash of its public part. */
export function keyId(crypto: Crypto, key: ServiceAccountKey): string {
  return toBase64Url(crypto.sha256(bytesOfPem(key.publicKey)));
}

/** The first segment of every token signed with this key. Fixed, so that headers from outside need no parsing. */
export function tokenHeader(crypto: Crypto, key: ServiceAccountKey): string {
  return toBase64Url(new TextEncoder().encode(JSON.stringify({ alg: "ES256", kid: keyId(crypto, key) })));
}

/** The document at `/openid/v1/jwks`. */
export function keySet(crypto: Crypto, keys: readonly ServiceAccountKey[]): { keys: Record<string, string>[] } {
  return {
    keys: keys.map((key) => {
      // A P-256 SPKI ends with the two coordinates.
      const point = bytesOfPem(key.publicKey).slice(-64);
      const coordinates = { x: toBase64Url(point.subarray(0, 32)), y: toBase64Url(point.subarray(32)) };
      return { use: "sig", kty: "EC", kid: keyId(crypto, key), crv: "P-256", alg: "ES256", ...coordinates };
    }),
  };
}

/** The document at `/.well-known/openid-configuration`. */
export function openidConfiguration(issuer: string, keySetUri: string): Record<string, string | string[]> {
  return {
    issuer,
    jwks_uri: keySetUri,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  };
}
