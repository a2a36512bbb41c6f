/** Randomness and ids. The simulator gives a stream per actor, all from one seed. */
export interface Random {
  /** A float in [0, 1). */
  float(): number;
  /** `length` random bytes, fit for secrets in the real world. */
  bytes(length: number): Uint8Array;
  /** A new RFC 4122 version 4 UUID. */
  uuid(): string;
}
