import { parseIpv4 } from "#base/cidr.ts";
import type { FieldErrors } from "./field-errors.ts";

/** An address as a number, with its family. */
export interface IpAddress {
  readonly family: "IPv4" | "IPv6";
  readonly value: bigint;
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes(".")) {
      const embedded = parseIpv4(part);
      if (embedded === undefined) return undefined;
      groups.push(Math.floor(embedded / 0x10000), embedded % 0x10000);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "");
  const tail = parseGroups(halves[1] ?? "");
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<number>(Math.max(0, missing)).fill(0), ...tail])
    value = (value << 16n) | BigInt(group);
  return value;
}

/** Undefined when the text is no address. Leading zeros and zones are refused. */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { family: "IPv4", value: BigInt(value) };
  }
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  // ::ffff:1.2.3.4 means the IPv4 address itself.
  if (value >> 32n === 0xffffn) return { family: "IPv4", value: value & 0xffffffffn };
  return { family: "IPv6", value };
}

export interface Network extends IpAddress {
  readonly bits: number;
}

export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const bitsText = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(bitsText)) return undefined;
  const bits = Number(bitsText);
  return bits > widthOf(address.family) ? undefined : { ...address, bits };
}

export function widthOf(family: IpAddress["family"]): number {
  return family === "IPv4" ? 32 : 128;
}

function prefixOf(network: Network): bigint {
  return network.value >> BigInt(widthOf(network.family) - network.bits);
}

/** Whether `inner` lies in `outer` and is smaller. */
export function isStrictlyInside(inner: Network, outer: Network): boolean {
  if (inner.family !== outer.family || inner.bits <= outer.bits) return false;
  return inner.value >> BigInt(widthOf(inner.family) - outer.bits) === prefixOf(outer);
}

export function isValidIp(text: string): string[] {
  return parseIp(text) === undefined ? ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"] : [];
}

export function isValidCidr(text: string): string[] {
  return parseNetwork(text) === undefined ? ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"] : [];
}

function inNetwork({ family, value }: IpAddress, prefix: bigint, bits: number): boolean {
  return value >> BigInt(widthOf(family) - bits) === prefix;
}

/** Refuses addresses that endpoints written by users could abuse to reach the node itself. */
export function validateNonSpecialIp(errors: FieldErrors, field: string, text: string): void {
  const ip = parseIp(text);
  if (ip === undefined) {
    errors.invalid(field, text, "must be a valid IP address");
    return;
  }
  const v4 = ip.family === "IPv4";
  if (ip.value === 0n) errors.invalid(field, text, `may not be unspecified (${v4 ? "0.0.0.0" : "::"})`);
  if (v4 ? inNetwork(ip, 127n, 8) : ip.value === 1n) {
    errors.invalid(field, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  }
  if (v4 ? inNetwork(ip, 0xa9fen, 16) : inNetwork(ip, 0x3fan, 10)) {
    errors.invalid(field, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  }
  if (v4 ? inNetwork(ip, 0xe00000n, 24) : inNetwork(ip, 0xff02n, 16)) {
    errors.invalid(field, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  }
}
