/** Deep equality of plain data; an absent member equals one that is undefined. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  for (const key in left) if (!isEqual(left[key], right[key])) return false;
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** JSON with sorted members: equal data gives equal text. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const record = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalText(record[key])}`);
  return `{${members.join(",")}}`;
}

/** FNV-1a, 32 bits, over the UTF-16 code units of a text. */
export function fnv32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

// No vowels and no look-alikes, so that no words appear in names.
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** A number as a suffix that is safe in names. */
export function safeSuffix(value: number): string {
  let text = "";
  for (const digit of String(value)) text += alphabet[digit.charCodeAt(0) % alphabet.length];
  return text;
}

/** `length` random characters that are safe in names. */
export function randomSuffix(float: () => number, length = 5): string {
  let text = "";
  for (let at = 0; at < length; at++) text += alphabet[Math.floor(float() * alphabet.length)];
  return text;
}

/** A name from a prefix and a suffix, cut so that it fits into a label (63 characters). */
export function namedAfter(prefix: string, suffix: string): string {
  return prefix.slice(0, 63 - suffix.length) + suffix;
}
