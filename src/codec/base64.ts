const standard = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Standard base64 with padding, without the line breaks that Go's decoder allows. */
export function canonicalizeBase64(text: string): { ok: true; value: string } | { ok: false; message: string } {
  const joined = text.includes("\n") || text.includes("\r") ? text.replace(/[\r\n]/g, "") : text;
  if (standard.test(joined)) return { ok: true, value: clearPadding(joined) };
  const bad = /[^A-Za-z0-9+/]/.exec(joined);
  return {
    ok: false,
    message: `illegal base64 data at input byte ${bad?.index ?? joined.length - (joined.length % 4)}`,
  };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Bits after the last byte are dropped, as decoding and encoding again would. */
function clearPadding(text: string): string {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (padding === 0) return text;
  const at = text.length - padding - 1;
  const last = alphabet.indexOf(text[at] ?? "");
  const kept = last & (padding === 2 ? 0b110000 : 0b111100);
  return kept === last ? text : text.slice(0, at) + alphabet[kept] + "=".repeat(padding);
}

/** Bytes of canonical base64 text. Throws a TypeError for other text. */
export function decodeBase64(text: string): Uint8Array {
  const { fromBase64 } = Uint8Array as typeof Uint8Array & { fromBase64(text: string): Uint8Array };
  return fromBase64.call(Uint8Array, text);
}

/** Standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return (bytes as Uint8Array & { toBase64(): string }).toBase64();
}
