import { createCipheriv, createDecipheriv, createHash, timingSafeEqual, type CipherGCMTypes } from "node:crypto";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import type { Ciphers } from "../crypto.ts";

const tagBytes = 16;
const digestBytes = 32;

function aesGcm(key: Uint8Array): CipherGCMTypes {
  return `aes-${(key.length * 8) as 128 | 192 | 256}-gcm`;
}

function digest(bound: Uint8Array): Uint8Array {
  return createHash("sha256").update(bound).digest();
}

/** The real `Ciphers`: AES over node:crypto (OpenSSL), which has no Salsa20, and secretbox over noble. */
export const nodeCiphers: Ciphers = {
  sealAesGcm(key, nonce, data, bound) {
    const cipher = createCipheriv(aesGcm(key), key, nonce);
    cipher.setAAD(bound);
    return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
  },
  openAesGcm(key, nonce, sealed, bound) {
    if (sealed.length < tagBytes) return undefined;
    const decipher = createDecipheriv(aesGcm(key), key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(bound);
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()]);
    } catch {
      // How OpenSSL says that the tag is not that of these bytes.
      return undefined;
    }
  },
  // It binds nothing of itself: what it is bound to lies inside, before the data, as a digest.
  sealSecretbox(key, nonce, data, bound) {
    return xsalsa20poly1305(key, nonce).encrypt(Buffer.concat([digest(bound), data]));
  },
  openSecretbox(key, nonce, sealed, bound) {
    if (sealed.length < tagBytes + digestBytes) return undefined;
    let opened: Uint8Array;
    try {
      opened = xsalsa20poly1305(key, nonce).decrypt(sealed);
    } catch {
      // How noble says that the tag is not that of these bytes.
      return undefined;
    }
    if (!timingSafeEqual(opened.subarray(0, digestBytes), digest(bound))) return undefined;
    return opened.subarray(digestBytes);
  },
};
