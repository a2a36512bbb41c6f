import type { Headers } from "../http.ts";

const known = new WeakMap<Headers, readonly string[]>();

/** Headers as Node takes them fastest: names and values in turn. Those that many answers share are read once. */
export function flatHeaders(headers: Headers): readonly string[] {
  const flat = known.get(headers);
  if (flat !== undefined) return flat;
  const made: string[] = [];
  for (const name in headers) made.push(name, headers[name]!);
  if (Object.isFrozen(headers)) known.set(headers, made);
  return made;
}
