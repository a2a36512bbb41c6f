import type { ValueCipher } from "#store/cipher.ts";
import type { Store } from "#store/store.ts";
import type { Ciphers } from "#world/crypto.ts";
import type { Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import { endOf, resourcePrefixOf } from "../keys.ts";
import { markedPerTurn, resealBatchMax } from "./limits.ts";
import { revisionOffset } from "../objects/stored.ts";

/** A key for values at rest. Its name is written beside what it has sealed. */
export interface EncryptionKey {
  /** One to 255 ASCII characters. */
  readonly name: string;
  /** 32 bytes; for AES-GCM also 16 or 24. */
  readonly key: Uint8Array;
  /** Absent: AES-GCM. `secretbox`: XSalsa20 and Poly1305. */
  readonly provider?: "aesgcm" | "secretbox";
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
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How keys of a provider seal. */
interface Sealer {
  readonly nonceBytes: number;
  readonly keyBytes: readonly number[];
  seal: Ciphers["sealAesGcm"];
  open: Ciphers["openAesGcm"];
}

function sealersOf(ciphers: Ciphers): Record<NonNullable<EncryptionKey["provider"]>, Sealer> {
  return {
    aesgcm: {
      nonceBytes: 12,
      keyBytes: [16, 24, 32],
      seal: (...given) => ciphers.sealAesGcm(...given),
      open: (...given) => ciphers.openAesGcm(...given),
    },
    secretbox: {
      nonceBytes: 24,
      keyBytes: [32],
      seal: (...given) => ciphers.sealSecretbox(...given),
      open: (...given) => ciphers.openSecretbox(...given),
    },
  };
}

export interface SealedAtRest extends ValueCipher {
  /** Keys of values that were read as their rule does not want them: open, sealed with another key, or sealed at all. */
  readonly stale: ReadonlySet<string>;
  /**
   * From now on these count. Answers the prefixes of the resources whose stored values lie otherwise now; undefined when nothing
   * has changed. Throws for keys that cannot seal; then the former settings stay.
   */
  replace(keys: readonly EncryptionKey[], rules: readonly SealingRule[]): readonly string[] | undefined;
  /** The value of a key lies otherwise than it should. */
  markStale(key: string): void;
}

/**
 * Seals objects as the first rule that names their resource says: mark, version, the key's name, nonce, and what the key's provider
 * makes of the value, bound to the object's place, so that no value can be moved to another name. All of `keys` open.
 */
export function sealAtRest(
  parts: { readonly ciphers: Ciphers; readonly random: Pick<Random, "bytes"> },
  keys: readonly EncryptionKey[],
  rules: readonly SealingRule[],
): SealedAtRest {
  const sealers = sealersOf(parts.ciphers);
  let settings = settle(sealers, keys, rules);
  const stale = new Set<string>();
  const sealingOf = (key: string): Sealing | undefined => sealingBelow(settings, resourcePrefixOf(key));
  return {
    stale,
    seal(key, value) {
      const sealing = sealingOf(key);
      stale.delete(key);
      if (sealing === undefined) return value;
      const { head } = sealing;
      const sealer = sealers[sealing.provider ?? "aesgcm"];
      const nonce = parts.random.bytes(sealer.nonceBytes);
      const sealed = sealer.seal(sealing.key, nonce, value, encoder.encode(key));
      const out = new Uint8Array(head.length + nonce.length + sealed.length);
      out.set(head);
      out.set(nonce, head.length);
      out.set(sealed, head.length + nonce.length);
      return out;
    },
    open(key, value) {
      if (value[0] !== mark) {
        if (value.length > 0 && sealingOf(key) !== undefined) stale.add(key);
        return value;
      }
      const { name, at } = readHead(key, value);
      const own = settings.byName.get(name);
      if (own === undefined)
        throw new Error(`Cannot open ${key}: it was sealed with the key ${name}, which is not there`);
      const sealer = sealers[own.provider ?? "aesgcm"];
      const sealedAt = at + sealer.nonceBytes;
      const nonce = value.subarray(at, sealedAt);
      const opened = sealer.open(own.key, nonce, value.subarray(sealedAt), encoder.encode(key));
      if (opened === undefined) throw new Error(`Cannot open ${key}: it is not what was sealed`);
      if (name === sealingOf(key)?.name) stale.delete(key);
      else stale.add(key);
      return opened;
    },
    replace(nextKeys, nextRules) {
      const next = settle(sealers, nextKeys, nextRules);
      if (next.text === settings.text) return undefined;
      const former = settings;
      settings = next;
      return [...former.byPrefix.keys()].filter(
        (prefix) => sealingBelow(next, prefix)?.name !== sealingBelow(former, prefix)?.name,
      );
    },
    markStale: (key) => void stale.add(key),
  };
}

/** Keys and rules that count, and what was found by them. */
interface Settled {
  readonly byName: ReadonlyMap<string, EncryptionKey>;
  readonly rules: readonly SealingRule[];
  readonly byPrefix: Map<string, Sealing | undefined>;
  /** For comparing; never shown. */
  readonly text: string;
}

function settle(
  sealers: ReturnType<typeof sealersOf>,
  keys: readonly EncryptionKey[],
  rules: readonly SealingRule[],
): Settled {
  for (const { name, key, provider = "aesgcm" } of keys) {
    const { keyBytes } = sealers[provider];
    if (!keyBytes.includes(key.length))
      throw new Error(`Cannot seal values: the key ${name} has ${key.length} bytes, not ${keyBytes.join(" or ")}`);
  }
  const text = JSON.stringify([
    keys.map(({ name, key, provider }) => [name, [...key], provider]),
    rules.map(({ resources, key }) => [resources, key?.name]),
  ]);
  return { byName: new Map(keys.map((each) => [each.name, each])), rules, byPrefix: new Map(), text };
}

function sealingBelow({ rules, byPrefix }: Settled, prefix: string): Sealing | undefined {
  if (byPrefix.has(prefix)) return byPrefix.get(prefix);
  const rule = rules.find(({ resources }) => resources.some((name) => names(name, prefix)));
  const sealing = rule?.key === undefined ? undefined : { ...rule.key, head: headOf(rule.key.name) };
  byPrefix.set(prefix, sealing);
  return sealing;
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

/**
 * Writes everything below these prefixes again that is not, in turns with others; for a change of settings while the server runs.
 * Answers how many values that were.
 */
export async function resealPrefixes(
  store: Store,
  cipher: SealedAtRest,
  prefixes: readonly string[],
  timers: Pick<Timers, "yield">,
): Promise<number> {
  let count = 0;
  for (const prefix of prefixes) {
    for (const { key } of store.snapshot().range(prefix, endOf(prefix))) {
      cipher.markStale(key);
      count += 1;
      if (count % markedPerTurn === 0) await timers.yield();
    }
  }
  return resealStale(store, cipher);
}

/** False when the value is gone, or somebody who was faster has sealed it. */
async function reseal(store: Store, key: string): Promise<boolean> {
  const entry = store.latest(key);
  if (entry === undefined) return false;
  const value = entry.value.slice();
  const stampAt = revisionOffset(value);
  return (await store.commit({ operations: [{ type: "put", key, value, stampAt, expect: entry.modified }] })).ok;
}
