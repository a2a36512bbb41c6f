import type { Ciphers } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";

/** A key of a file, for values at rest. Its name is written beside what it has sealed. */
export interface FileKey {
  /** One to 255 ASCII characters. */
  readonly name: string;
  /** 32 bytes; for AES-GCM also 16 or 24. */
  readonly key: Uint8Array;
  /** Absent: AES-GCM. `secretbox`: XSalsa20 and Poly1305. */
  readonly provider?: "aesgcm" | "secretbox";
}

/** A key management service beside this process, by whose word values at rest are sealed. */
export interface PluginKey {
  readonly name: string;
  readonly provider: "kms";
  readonly socketPath: string;
  readonly timeoutMs: number;
}

export type EncryptionKey = FileKey | PluginKey;

/** Whether two keys of one name are the same. */
export function isSameKey(left: EncryptionKey, right: EncryptionKey): boolean {
  return textOfKey(left) === textOfKey(right);
}

/** For comparing; never shown. */
export function textOfKey(key: EncryptionKey): string {
  return JSON.stringify(
    key.provider === "kms"
      ? [key.name, key.provider, key.socketPath, key.timeoutMs]
      : [key.name, key.provider ?? "aesgcm", [...key.key]],
  );
}

/** How one key seals and opens values, bound to their place. */
export interface Sealer {
  /** What lies behind the key's name, in parts. */
  seal(value: Uint8Array, place: Uint8Array): readonly Uint8Array[];
  /** Undefined when it is not what was sealed. */
  open(sealed: Uint8Array, place: Uint8Array): Uint8Array | undefined;
  /** Whether this key would seal the value otherwise now. */
  isStale(sealed: Uint8Array): boolean;
  /** Why nothing can be sealed now; undefined: it can. `isLast`: the value is the last of something that is deleted. */
  refusal(isLast: boolean): string | undefined;
  /** Fetches what opening these needs; undefined when nothing is missing. Rejects with what is wrong. */
  prepare(sealed: readonly Uint8Array[]): Promise<void> | undefined;
}

/** Lengths of keys in bytes, by provider. */
export const keyLengths: Readonly<Record<NonNullable<FileKey["provider"]>, readonly number[]>> = {
  aesgcm: [16, 24, 32],
  secretbox: [32],
};

const algorithms = {
  aesgcm: { nonceBytes: 12, seal: "sealAesGcm", open: "openAesGcm" },
  secretbox: { nonceBytes: 24, seal: "sealSecretbox", open: "openSecretbox" },
} as const;

/** Seals with a nonce by chance and the key of a file. Throws for a key of another length. */
export function fileSealer(ciphers: Ciphers, random: Pick<Random, "bytes">, own: FileKey): Sealer {
  const { name, key, provider = "aesgcm" } = own;
  const { nonceBytes, seal, open } = algorithms[provider];
  const lengths = keyLengths[provider];
  if (!lengths.includes(key.length))
    throw new Error(`Cannot seal values: the key ${name} has ${key.length} bytes, not ${lengths.join(" or ")}`);
  return {
    seal: (value, place) => {
      const nonce = random.bytes(nonceBytes);
      return [nonce, ciphers[seal](key, nonce, value, place)];
    },
    open: (sealed, place) => ciphers[open](key, sealed.subarray(0, nonceBytes), sealed.subarray(nonceBytes), place),
    isStale: () => false,
    refusal: () => undefined,
    prepare: () => undefined,
  };
}
