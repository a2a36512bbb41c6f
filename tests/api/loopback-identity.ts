import type { TlsIdentity } from "#world/http.ts";
import { createCertificates } from "../../src/world/node/certificates.ts";
import { createCrypto } from "../../src/world/node/crypto.ts";

/** A certificate for `localhost` and 127.0.0.1 that signed itself, good for an hour: who trusts it trusts the server. */
export async function loopbackIdentity(): Promise<TlsIdentity> {
  const { privateKey, publicKey } = createCrypto().generateKey();
  const certificate = await createCertificates().issue(
    {
      subject: { commonName: "test" },
      publicKey,
      dnsNames: ["localhost"],
      addresses: ["127.0.0.1"],
      usages: ["server", "ca"],
      notBefore: Date.now() - 60_000,
      notAfter: Date.now() + 3_600_000,
    },
    { selfSignedWith: privateKey },
  );
  return { certificate, key: privateKey };
}
