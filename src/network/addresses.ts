import { parseIpv4 } from "#base/cidr.ts";

/**
 * Whether traffic may be sent on to an address that came out of an object. Unspecified, loopback, link-local, multicast and
 * broadcast addresses never are: a user could otherwise reach what only the node may (CVE-2021-25737).
 */
export function isForwardable(address: string): boolean {
  const value = parseIpv4(address);
  if (value === undefined) return false;
  const first = Math.floor(value / 2 ** 24);
  if (first === 0 || first === 127 || first >= 224) return false;
  return Math.floor(value / 2 ** 16) !== 169 * 256 + 254;
}

/** Whether a number is a TCP, UDP or SCTP port. */
export function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && 0 < port && port < 65_536;
}
