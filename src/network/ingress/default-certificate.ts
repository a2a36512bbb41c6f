import type { Clock } from "#world/clock.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";

const tenYearsMs = 10 * 365 * 86_400_000;
const dayMs = 86_400_000;

/** A self-signed chain and key (PEM) for hosts without a certificate of their own: clients see that it is for nobody. */
export async function makeDefaultCertificate(world: {
  readonly crypto: Crypto;
  readonly certificates: Certificates;
  readonly clock: Clock;
}): Promise<string> {
  const { privateKey, publicKey } = world.crypto.generateKey();
  const now = world.clock.now();
  const name = "no-certificate.ingress.invalid";
  const request = {
    subject: { commonName: name },
    publicKey,
    dnsNames: [name],
    usages: ["server"] as const,
    // A day back: clients' clocks differ.
    notBefore: now - dayMs,
    notAfter: now + tenYearsMs,
  };
  const certificate = await world.certificates.issue(request, { selfSignedWith: privateKey });
  return `${certificate.trimEnd()}\n${privateKey.trimEnd()}\n`;
}
