import { parseCidr, parseIpv4 } from "#base/cidr.ts";

/** Loopback, link-local (where clouds answer with credentials), unspecified and multicast addresses. */
export function isForbiddenAddress(host: string): boolean {
  if (host.includes(":")) {
    const mapped = /^::ffff:([0-9.]+)$/i.exec(host)?.[1];
    if (mapped !== undefined) return isForbiddenAddress(mapped);
    return /^(::1?|fe[89ab].*|ff.*)$/i.test(host) || host.toLowerCase().startsWith("::ffff:");
  }
  return /^(0|127|169\.254|22[4-9]|23[0-9]|255)\b/.test(host);
}

/**
 * Whether the server may dial an address that a tenant's object led to (CVE-2020-8555, CVE-2025-13281). `allowed`: networks
 * that were named at the start although they are of a forbidden kind. Throws when one of them is not a network.
 */
export function addressFilter(allowed: readonly string[]): (address: string) => boolean {
  const ranges = allowed.map((text) => {
    const range = parseCidr(text);
    if (range === undefined) throw new Error(`Cannot allow "${text}": not an IPv4 network`);
    return range;
  });
  return (address) => {
    if (!isForbiddenAddress(address)) return true;
    const value = parseIpv4(address);
    return value !== undefined && ranges.some(({ first, size }) => first <= value && value < first + size);
  };
}
