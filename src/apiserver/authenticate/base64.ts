/** Base64 of RFC 4648 section 5 without padding, as in JWTs. */
export function toBase64Url(bytes: Uint8Array): string {
  return btoa(binaryString(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Undefined when the text is not strictly base64url without padding. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  return fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
}

/** Undefined when the text is not base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return undefined;
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** The text of base64-encoded UTF-8, as Secrets carry it; empty when it is none. */
export function textFromBase64(text: string): string {
  const bytes = fromBase64(text);
  return bytes === undefined ? "" : new TextDecoder().decode(bytes);
}

/** The bytes inside the first block of a PEM text. */
export function bytesOfPem(pem: string): Uint8Array<ArrayBuffer> {
  const body = pem
    .split("\n")
    .filter((line) => !line.startsWith("-----"))
    .join("")
    .trim();
  const bytes = fromBase64(body);
  if (bytes === undefined) throw new Error("Cannot read PEM: its body is not base64");
  return bytes;
}

function binaryString(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}
