import { certificateBytesMax } from "./limits.ts";

const block = /-----BEGIN ([A-Z ]{1,30})-----([A-Za-z0-9+/=\s]{1,65536}?)-----END \1-----/g;
const keyLabels = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/**
 * A chain and its key in our own writing: whatever stands around or inside the blocks is dropped, so that nothing of it reaches
 * a command of HAProxy. Undefined when there is no certificate or not exactly one key.
 */
export function joinPem(chain: string, key: string): string | undefined {
  if (certificateBytesMax < chain.length + key.length) return undefined;
  const certificates = blocks(chain).filter(({ name }) => name === "CERTIFICATE");
  const keys = blocks(key).filter(({ name }) => keyLabels.includes(name));
  if (certificates.length === 0 || keys.length !== 1) return undefined;
  return [...certificates, ...keys]
    .map(({ name, body }) => `-----BEGIN ${name}-----\n${body}\n-----END ${name}-----\n`)
    .join("");
}

function blocks(text: string): { name: string; body: string }[] {
  return [...text.matchAll(block)].map(([, name = "", body = ""]) => {
    const packed = body.replaceAll(/\s/g, "");
    return { name, body: (packed.match(/.{1,64}/g) ?? []).join("\n") };
  });
}

/** Text of a Secret's value; undefined when it is not base64. */
export function decodeBase64(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  try {
    return atob(value);
  } catch {
    return undefined;
  }
}
