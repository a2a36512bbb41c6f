const encoder = new TextEncoder();

/** UTF-8 bytes of a text, for the fixed parts that answers are put together from. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}
