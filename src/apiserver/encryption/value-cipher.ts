import type { ValueCipher } from "#store/cipher.ts";
import type { Store } from "#store/store.ts";
import type { Ciphers } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";
import { resourcePrefixOf } from "../keys.ts";
import { resealBatchMax } from "./limits.ts";
import { revisionOffset } from "../objects/stored.ts";

/** A key for values at rest. Its name is written beside what it has sealed. */
export interface EncryptionKey {
  /** One to 255 ASCII characters. */
  readonly name: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** How the objects of some resources lie in the file. */
export interface SealingRule {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` for the core group, `*.*`. */
  readonly resources: readonly string[];
  /** What they are sealed with; undefined: they lie open. */
  readonly key: EncryptionKey | undefined;
}

/** A stored object begins with the version of its layout, which is small: this byte begins nothing else. */
const mark = 0xe5;
const formatVersion = 1;
const nonceBytes = 12;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface SealedAtRest extends ValueCipher {
  /** Keys of values that were read as their rule does not want them: open, sealed with another key, or sealed at all. */
  readonly stale: ReadonlySet<string>;
}

/**
 * Seals objects as the first rule that names their resource says: mark, version, the key's name, nonce, AES-256-GCM bound to the
 * object's place, so that no value can be moved to another name. All of `keys` open.
 */
export function sealAtRest(
  parts: { readonly ciphers: Ciphers; readonly random: Pick<Random, "bytes"> },
  keys: readonly EncryptionKey[],
  rules: readonly SealingRule[],
): SealedAtRest {
  for (const { name, key } of keys) {
    if (key.length !== 32) throw new Error(`Cannot seal values: the key ${name} has ${key.length} bytes, not 32`);
  }
  const byName = new Map(keys.map(({ name, key }) => [name, key]));
  const byPrefix = new Map<string, Sealing | undefined>();
  const stale = new Set<string>();
  const sealingOf = (key: string): Sealing | undefined => {
    const prefix = resourcePrefixOf(key);
    if (byPrefix.has(prefix)) return byPrefix.get(prefix);
    const rule = rules.find(({ resources }) => resources.some((name) => names(name, prefix)));
    const sealing = rule?.key === undefined ? undefined : { ...rule.key, head: headOf(rule.key.name) };
    byPrefix.set(prefix, sealing);
    return sealing;
  };
  return {
    stale,
    seal(key, value) {
      const sealing = sealingOf(key);
      stale.delete(key);
      if (sealing === undefined) return value;
      const { head } = sealing;
      const nonce = parts.random.bytes(nonceBytes);
      const sealed = parts.ciphers.sealAes256Gcm(sealing.key, nonce, value, encoder.encode(key));
      const out = new Uint8Array(head.length + nonceBytes + sealed.length);
      out.set(head);
      out.set(nonce, head.length);
      out.set(sealed, head.length + nonceBytes);
      return out;
    },
    open(key, value) {
      if (value[0] !== mark) {
        if (value.length > 0 && sealingOf(key) !== undefined) stale.add(key);
        return value;
      }
      const { name, at } = readHead(key, value);
      const secret = byName.get(name);
      if (secret === undefined)
        throw new Error(`Cannot open ${key}: it was sealed with the key ${name}, which is not there`);
      const nonce = value.subarray(at, at + nonceBytes);
      const opened = parts.ciphers.openAes256Gcm(secret, nonce, value.subarray(at + nonceBytes), encoder.encode(key));
      if (opened === undefined) throw new Error(`Cannot open ${key}: it is not what was sealed`);
      if (name === sealingOf(key)?.name) stale.delete(key);
      else stale.add(key);
      return opened;
    },
  };
}

interface Sealing extends EncryptionKey {
  readonly head: Uint8Array;
}

/** Whether a rule's name of resources means the one that lies below this prefix: `/registry/GROUP/RESOURCE/`. */
function names(name: string, prefix: string): boolean {
  const [, , group = "", resource = ""] = prefix.split("/");
  const dot = name.indexOf(".");
  const namedResource = dot === -1 ? name : name.slice(0, dot);
  const namedGroup = dot === -1 ? "" : name.slice(dot + 1);
  if (namedResource !== "*" && namedResource !== resource) return false;
  return namedGroup === "*" || namedGroup === (group === "core" ? "" : group);
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

/**
 * Writes what is stale again, so that it lies in the file as its rule says, some at a time so that requests get their turn.
 * Answers how many values that were.
 */
export async function resealStale(store: Store, cipher: SealedAtRest): Promise<number> {
  const keys = [...cipher.stale];
  let count = 0;
  for (let from = 0; from < keys.length; from += resealBatchMax) {
    const batch = keys.slice(from, from + resealBatchMax);
    const results = await Promise.all(batch.map((key) => reseal(store, key)));
    count += results.filter((isWritten) => isWritten).length;
  }
  return count;
}

/** False when the value is gone, or somebody who was faster has sealed it. */
async function reseal(store: Store, key: string): Promise<boolean> {
  const entry = store.latest(key);
  if (entry === undefined) return false;
  const value = entry.value.slice();
  const stampAt = revisionOffset(value);
  return (await store.commit({ operations: [{ type: "put", key, value, stampAt, expect: entry.modified }] })).ok;
}
