import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Ciphers } from "../crypto.ts";

const algorithm = "aes-256-gcm";
const tagBytes = 16;

/** The real `Ciphers`, over node:crypto (OpenSSL). */
export const nodeCiphers: Ciphers = {
  sealAes256Gcm(key, nonce, data, bound) {
    const cipher = createCipheriv(algorithm, key, nonce);
    cipher.setAAD(bound);
    return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
  },
  openAes256Gcm(key, nonce, sealed, bound) {
    if (sealed.length < tagBytes) return undefined;
    const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(bound);
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()]);
    } catch {
      return undefined;
    }
  },
};
