import type { Clock } from "#world/clock.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";
import type { Authentication } from "../authenticator.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { withAuthenticated } from "./groups.ts";
import { certificatesMax } from "./limits.ts";

interface Known {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly result: Authentication;
}

export interface CertificateChecker {
  /** The DER of a certificate whose chain the TLS layer has verified. Undefined when it names nobody. */
  check(certificate: Uint8Array): Authentication | undefined;
}

/**
 * Turns a client certificate into a user: the common name is the name, the organizations are the groups. The period of
 * validity is looked at each time, because connections outlive certificates.
 */
export function createCertificateChecker(options: {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly certificates: Pick<Certificates, "read">;
  /** Told how long the certificate of each request goes on, in seconds; less than 0: it has expired. */
  readonly onLifetime?: ((seconds: number) => void) | undefined;
}): CertificateChecker {
  const byDigest = new BoundedCache<Known | undefined>(certificatesMax);
  // Most connections hand over the same array with each request.
  const byArray = new WeakMap<Uint8Array, { readonly known: Known | undefined }>();

  function read(certificate: Uint8Array): Known | undefined {
    const digest = hex(options.crypto.sha256(certificate));
    const known = byDigest.get(digest) ?? judge(certificate, digest);
    byDigest.set(digest, known);
    byArray.set(certificate, { known });
    return known;
  }

  function judge(certificate: Uint8Array, digest: string): Known | undefined {
    const info = options.certificates.read(certificate);
    if (info === undefined || info.subject.commonName === "") return undefined;
    const purposes = info.usages.filter((usage) => usage !== "ca");
    const forClients = purposes.length === 0 || purposes.includes("client") || purposes.includes(anyPurpose);
    const groups = withAuthenticated(info.subject.organizations ?? []);
    const extra = { "authentication.kubernetes.io/credential-id": [`X509SHA256=${digest}`] };
    const result: Authentication = forClients
      ? { ok: true, user: { name: info.subject.commonName, uid: "", groups, extra } }
      : { ok: false, reason: "invalid", detail: "certificate is not for clients" };
    return { notBefore: info.notBefore, notAfter: info.notAfter, result };
  }

  return {
    check(certificate) {
      const seen = byArray.get(certificate);
      const known = seen === undefined ? read(certificate) : seen.known;
      if (known === undefined) return undefined;
      const now = options.clock.now();
      options.onLifetime?.((known.notAfter - now) / 1000);
      if (known.notBefore <= now && now <= known.notAfter) return known.result;
      return { ok: false, reason: "invalid", detail: "certificate has expired or is not valid yet" };
    },
  };
}

/** anyExtendedKeyUsage of RFC 5280. */
const anyPurpose = "2.5.29.37.0";

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
