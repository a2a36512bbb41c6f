import { message } from "./wire.ts";

// The published protocol of key management services (package v2). Names are those of key-service.ts; numbers are the published ones.

export const statusRequest = message();
export const statusResponse = message([1, "version", "string"], [2, "healthz", "string"], [3, "keyId", "string"]);

// A map on the wire is a list of such entries.
const annotation = message([1, "key", "string"], [2, "value", "bytes"]);
export const encryptRequest = message([1, "plaintext", "bytes"], [2, "uid", "string"]);
export const encryptResponse = message(
  [1, "ciphertext", "bytes"],
  [2, "keyId", "string"],
  [3, "annotations", () => annotation, "repeated"],
);
export const decryptRequest = message(
  [1, "ciphertext", "bytes"],
  [2, "uid", "string"],
  [3, "keyId", "string"],
  [4, "annotations", () => annotation, "repeated"],
);
export const decryptResponse = message([1, "plaintext", "bytes"]);
