/** Hashes, MACs and signatures. Synchronous: inputs are small. */
export interface Crypto {
  sha256(data: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** Compares without telling by its duration where the two differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** A new ECDSA P-256 key pair as PEM (PKCS#8 and SPKI). */
  generateKey(): { privateKey: string; publicKey: string };
  /** ECDSA P-256 with SHA-256 in the form of JWS (r and s, 64 bytes). */
  signEs256(privateKey: string, data: Uint8Array): Uint8Array;
  verifyEs256(publicKey: string, data: Uint8Array, signature: Uint8Array): boolean;
}

/** Authenticated encryption. What is `bound` is not in the sealed bytes, and must be the same to open them. */
export interface Ciphers {
  /**
   * AES-GCM with a key of 16, 24 or 32 bytes and a nonce of 12: the sealed bytes and their 16-byte tag. A nonce must never be used
   * twice with one key.
   */
  sealAesGcm(key: Uint8Array, nonce: Uint8Array, data: Uint8Array, bound: Uint8Array): Uint8Array;
  /** Undefined when the key, the nonce, the bytes or what they are bound to is not what was sealed. */
  openAesGcm(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Uint8Array | undefined;
  /** XSalsa20 and Poly1305 (NaCl's secretbox) with a key of 32 bytes and a nonce of 24, which may be chosen by chance. */
  sealSecretbox(key: Uint8Array, nonce: Uint8Array, data: Uint8Array, bound: Uint8Array): Uint8Array;
  openSecretbox(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Uint8Array | undefined;
}

export interface CertificateSubject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

export interface CertificateRequest {
  readonly subject: CertificateSubject;
  /** SPKI PEM of the key to certify. */
  readonly publicKey: string;
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
  readonly usages: readonly ("client" | "server" | "ca")[];
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateInfo {
  readonly subject: CertificateSubject;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  /** Other alternative names, where the engine reads them: signers refuse requests that carry any. */
  readonly emailAddresses?: readonly string[];
  readonly uris?: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** SPKI PEM. */
  readonly publicKey: string;
  readonly usages: readonly string[];
}

/** X.509. Asynchronous because the engine loads lazily. */
export interface Certificates {
  /** Self-signed when `issuer` is undefined; answers PEM. */
  issue(
    request: CertificateRequest,
    issuer: { certificate: string; key: string } | { selfSignedWith: string },
  ): Promise<string>;
  /** A PKCS#10 request, PEM. */
  createSigningRequest(
    subject: CertificateSubject,
    key: string,
    names?: { dnsNames?: readonly string[]; addresses?: readonly string[] },
  ): Promise<string>;
  /** Checks the request's own signature; undefined when it is not a valid request. */
  readSigningRequest(pem: string): Promise<Omit<CertificateInfo, "notBefore" | "notAfter"> | undefined>;
  /** Undefined when it is not a certificate. Synchronous: it is on the path of every connection. */
  read(certificate: string | Uint8Array): CertificateInfo | undefined;
}
