/** A public key of somebody else, and what it can verify. */
export interface VerifyingKey {
  /** Names of RFC 7518 that fit the key's type, size and curve. Never `none`, never a symmetric one. */
  readonly algorithms: readonly string[];
  /** False for an algorithm that is not among `algorithms`, whatever the signature. */
  verify(algorithm: string, data: Uint8Array, signature: Uint8Array): boolean;
}

/** Public keys as their owners publish them (RFC 7517). */
export interface JsonWebKeys {
  /** Undefined when it is no public RSA key of at least 2048 bits and no public key on P-256, P-384 or P-521. */
  read(key: Readonly<Record<string, unknown>>): VerifyingKey | undefined;
}
