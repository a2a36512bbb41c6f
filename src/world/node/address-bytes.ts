import { isIPv4, isIPv6 } from "node:net";

/** The 4 or 16 bytes of an IP address. Throws when it is none: callers judge addresses before. */
export function parseAddress(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  if (!isIPv6(address) || address.includes("%"))
    throw new RangeError(`Cannot write address ${JSON.stringify(address)}: it is none`);
  const [head, tail] = address.split("::");
  const before = groups(head ?? "");
  const after = groups(tail ?? "");
  const middle = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => 0);
  return Uint8Array.from([...before, ...middle, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

function groups(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** The canonical text of 4 or 16 bytes (RFC 5952); other lengths give an empty text. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return "";
  const numbers = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  const { start, length } = longestZeros(numbers);
  const hex = (part: readonly number[]): string => part.map((number) => number.toString(16)).join(":");
  if (length < 2) return hex(numbers);
  return `${hex(numbers.slice(0, start))}::${hex(numbers.slice(start + length))}`;
}

function longestZeros(numbers: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= numbers.length; index++) {
    if (index < numbers.length && numbers[index] === 0) continue;
    if (best.length < index - start) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}
