/**
 * A key management service beside this process (Kubernetes: "KMS v2 provider"), which seals small secrets with keys that never
 * leave it. https://kubernetes.io/docs/tasks/administer-cluster/kms-provider/
 */
export interface KeyService {
  status(): Promise<KeyServiceStatus>;
  /** `uid` names the call in the logs of both sides. */
  encrypt(plaintext: Uint8Array, uid: string): Promise<SealedSecret>;
  decrypt(sealed: SealedSecret, uid: string): Promise<Uint8Array>;
  close(): void;
}

export interface KeyServiceStatus {
  /** Of the protocol: `v2`. */
  readonly version: string;
  /** `ok`, or what is wrong. */
  readonly healthz: string;
  /** Names the key that seals now. */
  readonly keyId: string;
}

/** What the service made of a secret, and what it wants to be given with it again. */
export interface SealedSecret {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  readonly annotations: readonly { readonly key: string; readonly value: Uint8Array }[];
}

/** Names a service by its Unix socket; the connection is made when first needed. Calls reject when they take longer. */
export type OpenKeyService = (socketPath: string, timeoutMs: number) => KeyService;
