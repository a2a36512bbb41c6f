/** An IPv4 network in the form `10.0.0.0/8`. */
export type Cidr = string;

/** The 32-bit number of a dotted IPv4 address; undefined when it is none. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

export function formatIpv4(value: number): string {
  return `${Math.floor(value / 2 ** 24) % 256}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** First address and number of addresses; undefined when the text is no IPv4 network. A bare address is a /32. */
export function parseCidr(
  text: Cidr,
): { readonly first: number; readonly size: number; readonly bits: number } | undefined {
  const [address = "", bitsText = "32"] = text.split("/");
  const value = parseIpv4(address);
  if (value === undefined || !/^\d{1,2}$/.test(bitsText)) return undefined;
  const bits = Number(bitsText);
  if (bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  return { first: value - (value % size), size, bits };
}

/** Whether two networks share an address. Throws when either is no network: ranges are checked where they enter. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  const left = parseCidr(a);
  const right = parseCidr(b);
  if (left === undefined || right === undefined) throw new Error(`Cannot compare networks "${a}" and "${b}": not IPv4`);
  return left.first < right.first + right.size && right.first < left.first + left.size;
}

/** The address at `offset` in a network; throws when it lies outside. */
export function addressAt(range: Cidr, offset: number): string {
  const parsed = parseCidr(range);
  if (parsed === undefined || offset < 0 || offset >= parsed.size) {
    throw new Error(`Cannot take address ${offset} of "${range}": outside of the network`);
  }
  return formatIpv4(parsed.first + offset);
}
