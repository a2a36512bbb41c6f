import { decodeBase64, encodeBase64 } from "#codec/base64.ts";
import type { Crypto } from "#world/crypto.ts";
import type { KeyServiceStatus, SealedSecret } from "#world/key-service.ts";
import { pluginAnnotationBytesMax, pluginCiphertextBytesMax, pluginKeyIdBytesMax } from "./limits.ts";

/** Bytes of a seed, and of what makes a value's own key of it. */
export const seedBytes = 32;
export const saltBytes = 32;
const envelopeBytesMax = 0xffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const lengthOf = (text: string): number => encoder.encode(text).length;

/** What is wrong with a plugin that says this of itself; undefined: nothing. */
export function statusProblem({ version, healthz, keyId }: KeyServiceStatus): string | undefined {
  if (version !== "v2" && version !== "v2beta1")
    return `it speaks version ${JSON.stringify(version.slice(0, 64))}, not v2`;
  if (healthz !== "ok") return `it is not well: ${JSON.stringify(healthz.slice(0, 256))}`;
  const fault = keyIdFault(keyId);
  return fault && keyIdProblems[fault];
}

const keyIdProblems = {
  empty: "it names no key",
  too_long: `its key's name has more than ${pluginKeyIdBytesMax} bytes`,
};

/** What is wrong with the name of a key, in upstream's words; undefined: nothing. */
export function keyIdFault(keyId: string): keyof typeof keyIdProblems | undefined {
  if (keyId === "") return "empty";
  return pluginKeyIdBytesMax < lengthOf(keyId) ? "too_long" : undefined;
}

/** What is wrong with a seed that a plugin has sealed, whose key was to be this one. */
export function sealedProblem({ ciphertext, keyId, annotations }: SealedSecret, wanted: string): string | undefined {
  if (keyId !== wanted) return "it seals with another key than it says to have";
  if (ciphertext.length === 0) return "it sealed a seed to nothing";
  if (pluginCiphertextBytesMax < ciphertext.length)
    return `it made more than ${pluginCiphertextBytesMax} bytes of a seed`;
  const bytes = annotations.reduce((sum, { key, value }) => sum + lengthOf(key) + value.length, 0);
  if (pluginAnnotationBytesMax < bytes) return `its annotations have more than ${pluginAnnotationBytesMax} bytes`;
  const odd = annotations.find(
    ({ key }) => !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/.test(key),
  );
  return odd === undefined ? undefined : "its annotations have keys that are no domain names";
}

/** A sealed seed as it lies beside each value that it has sealed. */
export function encodeEnvelope({ ciphertext, keyId, annotations }: SealedSecret): Uint8Array {
  const noted = annotations.map(({ key, value }) => [key, encodeBase64(value)]);
  const bytes = encoder.encode(JSON.stringify([keyId, encodeBase64(ciphertext), ...noted]));
  if (envelopeBytesMax < bytes.length) throw new Error("Cannot keep a sealed seed: it has too many bytes");
  return bytes;
}

/** Throws for what is none. */
export function decodeEnvelope(bytes: Uint8Array): SealedSecret {
  const [keyId, ciphertext, ...annotations] = JSON.parse(decoder.decode(bytes)) as [string, string, ...string[][]];
  return {
    keyId,
    ciphertext: decodeBase64(ciphertext),
    annotations: annotations.map(([key = "", value = ""]) => ({ key, value: decodeBase64(value) })),
  };
}

/** A value's own key: HKDF's second step over SHA-256 (RFC 5869), which for 32 bytes is one round. */
export function valueKey(crypto: Pick<Crypto, "hmacSha256">, seed: Uint8Array, salt: Uint8Array): Uint8Array {
  const info = new Uint8Array(salt.length + 1);
  info.set(salt);
  info[salt.length] = 1;
  return crypto.hmacSha256(seed, info);
}
