import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from "node:crypto";
import type { Crypto } from "../crypto.ts";

/** Keys parsed once and kept: parsing a PEM costs as much as a signature. */
const parsedKeysMax = 64;

/** The real `Crypto`, over node:crypto (OpenSSL). */
export function createCrypto(): Crypto {
  const privateKeys = new ParsedKeys(createPrivateKey);
  const publicKeys = new ParsedKeys(createPublicKey);
  return {
    sha256: (data) => hash("sha256", data, "buffer"),
    hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
    equal,
    generateKey() {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return {
        privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
        publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
      };
    },
    signEs256: (privateKey, data) =>
      sign("sha256", data, { key: privateKeys.get(privateKey), dsaEncoding: "ieee-p1363" }),
    verifyEs256(publicKey, data, signature) {
      if (signature.length !== 64) return false;
      return verify("sha256", data, { key: publicKeys.get(publicKey), dsaEncoding: "ieee-p1363" }, signature);
    },
  };
}

/** Inputs of different lengths are hashed first, so that not even the length shows. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length === b.length) return timingSafeEqual(a, b);
  const digest = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
  return timingSafeEqual(digest(a), digest(b));
}

class ParsedKeys {
  readonly #parse: (pem: string) => KeyObject;
  readonly #keys = new Map<string, KeyObject>();

  constructor(parse: (pem: string) => KeyObject) {
    this.#parse = parse;
  }

  get(pem: string): KeyObject {
    const known = this.#keys.get(pem);
    if (known !== undefined) return known;
    const key = this.#parse(pem);
    if (this.#keys.size === parsedKeysMax) this.#keys.clear();
    this.#keys.set(pem, key);
    return key;
  }
}
