import { fail } from "../failure.ts";
import { global, member, takes, traversal, type Overload } from "../library.ts";
import { bool, int, opaque, string, type Type } from "../types.ts";
import { Opaque } from "../value.ts";
import { formatAddress, parseAddress, type Address } from "./address-text.ts";

const ipType = opaque("net.IP");
const cidrType = opaque("net.CIDR");

class Ip extends Opaque {
  readonly typeName = "net.IP";
  readonly address: Address;

  constructor(address: Address) {
    super();
    this.address = address;
  }

  equals(other: Opaque): boolean {
    return (
      other instanceof Ip && other.address.bits === this.address.bits && other.address.value === this.address.value
    );
  }
}

class Cidr extends Opaque {
  readonly typeName = "net.CIDR";
  readonly address: Address;
  readonly prefix: number;

  constructor(address: Address, prefix: number) {
    super();
    this.address = address;
    this.prefix = prefix;
  }

  equals(other: Opaque): boolean {
    if (!(other instanceof Cidr) || other.prefix !== this.prefix) return false;
    return other.address.bits === this.address.bits && other.address.value === this.address.value;
  }

  contains({ bits, value }: Address): boolean {
    const shift = BigInt(this.address.bits - this.prefix);
    return bits === this.address.bits && value >> shift === this.address.value >> shift;
  }
}

function parseCidr(text: string): Cidr | undefined {
  const [addressText = "", prefixText, ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0 || prefixText === undefined) return undefined;
  if (!/^(0|[1-9]\d{0,2})$/.test(prefixText) || address.bits < Number(prefixText)) return undefined;
  return new Cidr(address, Number(prefixText));
}

function ipOf(text: string): Ip {
  const address = parseAddress(text);
  return address === undefined ? fail(`IP Address ${JSON.stringify(text.slice(0, 100))} parse error`) : new Ip(address);
}

function cidrOf(text: string): Cidr {
  return parseCidr(text) ?? fail(`network address parse error during conversion from string: ${text.slice(0, 100)}`);
}

const reading = takes(14, traversal());

/** Whether an address is of a sort, for each of the two families. */
const sorts: readonly [name: string, v4: (value: bigint) => boolean, v6: (value: bigint) => boolean][] = [
  ["isUnspecified", (value) => value === 0n, (value) => value === 0n],
  ["isLoopback", (value) => value >> 24n === 127n, (value) => value === 1n],
  ["isLinkLocalMulticast", (value) => value >> 8n === 0xe00000n, (value) => ((value >> 112n) & 0xff0fn) === 0xff02n],
  ["isLinkLocalUnicast", (value) => value >> 16n === 0xa9fen, (value) => value >> 118n === 0x3fan],
  ["isGlobalUnicast", isGlobalV4, isGlobalV6],
];

function isGlobalV4(value: bigint): boolean {
  const isMulticast = value >> 28n === 0xen;
  return value !== 0n && value !== 0xffffffffn && value >> 24n !== 127n && value >> 16n !== 0xa9fen && !isMulticast;
}

function isGlobalV6(value: bigint): boolean {
  return value > 1n && value >> 120n !== 0xffn && value >> 118n !== 0x3fan;
}

export const addressLibrary: readonly Overload[] = [
  global("ip", [string], ipType, ipOf, reading),
  global("isIP", [string], bool, (text: string) => parseAddress(text) !== undefined, reading),
  global(
    "ip.isCanonical",
    [string],
    bool,
    (text: string) => formatAddress(ipOf(text).address) === text,
    takes(25, traversal(0, 2)),
  ),
  global("string", [ipType], string, ({ address }: Ip) => formatAddress(address), takes(12)),
  member("family", [ipType], int, ({ address }: Ip) => (address.bits === 32 ? 4n : 6n)),
  ...sorts.map(([name, v4, v6]) =>
    member(name, [ipType], bool, ({ address }: Ip) => (address.bits === 32 ? v4 : v6)(address.value)),
  ),
  global("cidr", [string], cidrType, cidrOf, reading),
  global("isCIDR", [string], bool, (text: string) => parseCidr(text) !== undefined, reading),
  global("string", [cidrType], string, ({ address, prefix }: Cidr) => `${formatAddress(address)}/${prefix}`, takes(12)),
  ...contains("containsIP", ipType, (network, other: Ip) => network.contains(other.address), ipOf),
  ...contains(
    "containsCIDR",
    cidrType,
    (network, other: Cidr) => network.prefix <= other.prefix && network.contains(other.address),
    cidrOf,
  ),
  member("ip", [cidrType], ipType, ({ address }: Cidr) => new Ip(address)),
  member("prefixLength", [cidrType], int, ({ prefix }: Cidr) => BigInt(prefix)),
  member(
    "masked",
    [cidrType],
    cidrType,
    ({ address: { bits, value }, prefix }: Cidr) => {
      const shift = BigInt(bits - prefix);
      return new Cidr({ bits, value: (value >> shift) << shift }, prefix);
    },
    takes(6),
  ),
];

function contains<T extends Opaque>(
  name: string,
  type: Type,
  of: (network: Cidr, other: T) => boolean,
  read: (text: string) => T,
): Overload[] {
  const cost = (sizes: readonly number[]): number => 4 + Math.ceil((sizes[1] ?? 1) * 0.1);
  return [
    member(name, [cidrType, type], bool, of, { cost }),
    member(name, [cidrType, string], bool, (network: Cidr, text: string) => of(network, read(text)), { cost }),
  ];
}
