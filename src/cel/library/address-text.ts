/** An address as a number of 32 or 128 bits. */
export interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

const octet = /^(0|[1-9]\d{0,2})$/;

/** Reads IPv4 and IPv6 without zones; addresses of IPv4 inside IPv6 are refused, as upstream. */
export function parseAddress(text: string): Address | undefined {
  if (45 < text.length) return undefined;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => octet.test(part) && Number(part) < 256)) return undefined;
  return { bits: 32, value: parts.reduce((value, part) => value * 256n + BigInt(part), 0n) };
}

function parseIpv6(text: string): Address | undefined {
  const halves = text.split("::");
  if (2 < halves.length) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1)?.at(-1);
  if (last?.includes(".") === true) {
    const tail = parseIpv4(last);
    if (tail === undefined) return undefined;
    groups.at(-1)!.splice(-1, 1, (tail.value >> 16n).toString(16), (tail.value & 0xffffn).toString(16));
  }
  const [head = [], rest] = groups;
  const count = head.length + (rest?.length ?? 0);
  if (rest === undefined ? count !== 8 : 7 < count) return undefined;
  const all = rest === undefined ? head : [...head, ...Array<string>(8 - count).fill("0"), ...rest];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const value = all.reduce((total, group) => (total << 16n) | BigInt(`0x${group}`), 0n);
  return value >> 32n === 0xffffn ? undefined : { bits: 128, value };
}

/** The canonical form: lower case, the longest run of zeros left out. */
export function formatAddress({ bits, value }: Address): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (groups[start + length] === "0") length += 1;
    if (best.length < length) best = { start, length };
  }
  if (best.length < 2) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}
