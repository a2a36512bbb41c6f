import type { ValueCipher } from "#store/cipher.ts";
import type { Store } from "#store/store.ts";
import type { Ciphers } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";
import { prefixOf } from "../keys.ts";
import type { GroupResource } from "../object-reader.ts";
import { revisionOffset } from "../objects/stored.ts";

/** A key for values at rest. Its name is written beside what it has sealed. */
export interface EncryptionKey {
  /** One to 255 ASCII characters. */
  readonly name: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** A stored object begins with the version of its layout, which is small: this byte begins nothing else. */
const mark = 0xe5;
const formatVersion = 1;
const nonceBytes = 12;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface SealedAtRest extends ValueCipher {
  /** Keys of values that were read open, or sealed by a key that is not the first any more. */
  readonly stale: ReadonlySet<string>;
}

/**
 * Seals the objects of some resources: mark, version, the key's name, nonce, AES-256-GCM bound to the object's place, so that
 * no value can be moved to another name. The first key seals, all of them open.
 */
export function sealAtRest(
  parts: { readonly ciphers: Ciphers; readonly random: Pick<Random, "bytes"> },
  keys: readonly EncryptionKey[],
  resources: readonly GroupResource[],
): SealedAtRest {
  const [first] = keys;
  if (first === undefined) throw new Error("Cannot seal values: there is no key");
  for (const { name, key } of keys) {
    if (key.length !== 32) throw new Error(`Cannot seal values: the key ${name} has ${key.length} bytes, not 32`);
  }
  const byName = new Map(keys.map(({ name, key }) => [name, key]));
  const prefixes = resources.map(({ group, resource }) => prefixOf(group, resource));
  const head = headOf(first.name);
  const stale = new Set<string>();
  const isSealed = (key: string): boolean => prefixes.some((prefix) => key.startsWith(prefix));
  return {
    stale,
    seal(key, value) {
      if (!isSealed(key)) return value;
      const nonce = parts.random.bytes(nonceBytes);
      const sealed = parts.ciphers.sealAes256Gcm(first.key, nonce, value, encoder.encode(key));
      const out = new Uint8Array(head.length + nonceBytes + sealed.length);
      out.set(head);
      out.set(nonce, head.length);
      out.set(sealed, head.length + nonceBytes);
      stale.delete(key);
      return out;
    },
    open(key, value) {
      if (value[0] !== mark) {
        if (value.length > 0 && isSealed(key)) stale.add(key);
        return value;
      }
      const { name, at } = readHead(key, value);
      const secret = byName.get(name);
      if (secret === undefined)
        throw new Error(`Cannot open ${key}: it was sealed with the key ${name}, which is not there`);
      const nonce = value.subarray(at, at + nonceBytes);
      const opened = parts.ciphers.openAes256Gcm(secret, nonce, value.subarray(at + nonceBytes), encoder.encode(key));
      if (opened === undefined) throw new Error(`Cannot open ${key}: it is not what was sealed`);
      if (name === first.name) stale.delete(key);
      else stale.add(key);
      return opened;
    },
  };
}

function headOf(name: string): Uint8Array {
  const text = encoder.encode(name);
  if (text.length === 0 || 255 < text.length)
    throw new Error("Cannot seal values: a key's name has 1 to 255 characters");
  return new Uint8Array([mark, formatVersion, text.length, ...text]);
}

function readHead(key: string, value: Uint8Array): { name: string; at: number } {
  if (value[1] !== formatVersion)
    throw new Error(`Cannot open ${key}: it is sealed in format ${value[1]}, which this program does not know`);
  const at = 3 + value[2]!;
  return { name: decoder.decode(value.subarray(3, at)), at };
}

/** Writes what is stale again, so that it lies in the file sealed by the first key. Answers how many values that were. */
export async function resealStale(store: Store, cipher: SealedAtRest): Promise<number> {
  let count = 0;
  for (const key of [...cipher.stale]) {
    const entry = store.latest(key);
    if (entry === undefined) continue;
    const value = entry.value.slice();
    const stampAt = revisionOffset(value);
    // Somebody who was faster has sealed it.
    await store.commit({ operations: [{ type: "put", key, value, stampAt, expect: entry.modified }] });
    count += 1;
  }
  return count;
}
