/** A text whose characters may be percent-encoded (RFC 3986, 2.1); undefined where a percent sign stands for none. */
export function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
