import { parseCidr, parseIpv4 } from "#base/cidr.ts";

/** Where clouds answer with credentials although the address is not link-local. */
const metadataAddresses: ReadonlySet<string> = new Set(["fd00:ec2::254", "100.100.100.200", "168.63.129.16"]);

/** Loopback, link-local (where most clouds answer with credentials), unspecified and multicast addresses, in canonical form. */
function isForbiddenAddress(host: string): boolean {
  if (metadataAddresses.has(host.toLowerCase())) return true;
  if (host.includes(":")) {
    const mapped = /^::ffff:([0-9.]+)$/i.exec(host)?.[1];
    if (mapped !== undefined) return isForbiddenAddress(mapped);
    // Also addresses that carry one of IPv4 inside: nobody needs them, and each is a way around.
    return /^(::1?|::[0-9a-f]+:[0-9a-f]+|64:ff9b:.*|fe[89ab].*|ff.*)$/i.test(host) || /^::(ffff:|.*\.)/i.test(host);
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
