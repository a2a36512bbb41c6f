const encoder = new TextEncoder();

/** UTF-8 bytes of a text, for the fixed parts that answers are put together from. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One array with the content of all `parts`. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
