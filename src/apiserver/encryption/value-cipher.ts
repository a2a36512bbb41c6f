import { concatBytes } from "#base/bytes.ts";
import type { ValueCipher } from "#store/cipher.ts";
import type { Ciphers } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";
import { resourcePrefixOf } from "../keys.ts";
import type { KeyPlugins } from "./key-plugins.ts";
import { fileSealer, textOfKey, type EncryptionKey, type Sealer } from "./sealer.ts";

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
  /** Prefixes of the resources that the key of this name seals. */
  prefixesOf(name: string): readonly string[];
}

export interface SealingParts {
  readonly ciphers: Ciphers;
  readonly random: Pick<Random, "bytes">;
  /** Absent: no key is a plugin's. */
  readonly plugins?: Pick<KeyPlugins, "of">;
}

/**
 * Seals objects as the first rule that names their resource says: mark, version, the key's name, and what the key's sealer makes of
 * the value, bound to the object's place, so that no value can be moved to another name. All of `keys` open.
 */
export function sealAtRest(
  parts: SealingParts,
  keys: readonly EncryptionKey[],
  rules: readonly SealingRule[],
): SealedAtRest {
  let settings = settle(parts, keys, rules);
  const stale = new Set<string>();
  const sealingOf = (key: string): NamedSealer | undefined => sealingBelow(settings, resourcePrefixOf(key));
  return {
    stale,
    seal(key, value) {
      const sealing = sealingOf(key);
      stale.delete(key);
      if (sealing === undefined) return value;
      return concatBytes([sealing.head, ...sealing.sealer.seal(value, encoder.encode(key))]);
    },
    open(key, value) {
      if (value[0] !== mark) {
        if (value.length > 0 && sealingOf(key) !== undefined) stale.add(key);
        return value;
      }
      const { name, sealed } = readHead(value, `Cannot open ${key}`);
      const own = settings.byName.get(name);
      if (own === undefined)
        throw new Error(`Cannot open ${key}: it was sealed with the key ${name}, which is not there`);
      const opened = own.sealer.open(sealed, encoder.encode(key));
      if (opened === undefined) throw new Error(`Cannot open ${key}: it is not what was sealed`);
      if (own === sealingOf(key) && !own.sealer.isStale(sealed)) stale.delete(key);
      else stale.add(key);
      return opened;
    },
    prepare: (values) => prepare(settings, values),
    refusal: (key, isLast) => sealingOf(key)?.sealer.refusal(isLast),
    replace(nextKeys, nextRules) {
      const next = settle(parts, nextKeys, nextRules);
      if (next.text === settings.text) return undefined;
      const former = settings;
      settings = next;
      return [...former.byPrefix.keys()].filter(
        (prefix) => sealingBelow(next, prefix)?.text !== sealingBelow(former, prefix)?.text,
      );
    },
    markStale: (key) => void stale.add(key),
    prefixesOf: (name) => [...settings.byPrefix].filter(([, own]) => own?.name === name).map(([prefix]) => prefix),
  };
}

interface NamedSealer {
  readonly name: string;
  readonly head: Uint8Array;
  readonly sealer: Sealer;
  /** For comparing; never shown. */
  readonly text: string;
}

/** Keys and rules that count, and what was found by them. */
interface Settled {
  readonly byName: ReadonlyMap<string, NamedSealer>;
  readonly rules: readonly SealingRule[];
  readonly byPrefix: Map<string, NamedSealer | undefined>;
  /** For comparing; never shown. */
  readonly text: string;
}

function settle(parts: SealingParts, keys: readonly EncryptionKey[], rules: readonly SealingRule[]): Settled {
  const named = keys.map((key) => ({
    name: key.name,
    head: headOf(key.name),
    sealer: sealerOf(parts, key),
    text: textOfKey(key),
  }));
  const text = JSON.stringify([
    named.map((each) => each.text),
    rules.map(({ resources, key }) => [resources, key?.name]),
  ]);
  return { byName: new Map(named.map((each) => [each.name, each])), rules, byPrefix: new Map(), text };
}

function sealerOf({ ciphers, random, plugins }: SealingParts, key: EncryptionKey): Sealer {
  if (key.provider !== "kms") return fileSealer(ciphers, random, key);
  if (plugins === undefined) throw new Error(`Cannot seal values: no plugin can be asked for the key ${key.name}`);
  return plugins.of(key);
}

function sealingBelow({ rules, byName, byPrefix }: Settled, prefix: string): NamedSealer | undefined {
  if (byPrefix.has(prefix)) return byPrefix.get(prefix);
  const key = rules.find(({ resources }) => resources.some((name) => names(name, prefix)))?.key;
  const sealing = key && byName.get(key.name);
  if (key !== undefined && sealing === undefined)
    throw new Error(`Cannot seal values: the key ${key.name} is not there`);
  byPrefix.set(prefix, sealing);
  return sealing;
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

/** Values by the key that has sealed them, each key's sealer for its own; those of keys that are not there are told of by `open`. */
function prepare({ byName }: Settled, values: readonly Uint8Array[]): Promise<void> | undefined {
  const sealedBy = new Map<Sealer, Uint8Array[]>();
  for (const value of values) {
    if (value[0] !== mark) continue;
    const { name, sealed } = readHead(value, "Cannot open a value");
    const sealer = byName.get(name)?.sealer;
    if (sealer === undefined) continue;
    const own = sealedBy.get(sealer);
    if (own === undefined) sealedBy.set(sealer, [sealed]);
    else own.push(sealed);
  }
  const fetching = [...sealedBy].flatMap(([sealer, sealed]) => sealer.prepare(sealed) ?? []);
  return fetching.length === 0 ? undefined : Promise.all(fetching).then(() => undefined);
}

function headOf(name: string): Uint8Array {
  const text = encoder.encode(name);
  if (text.length === 0 || 255 < text.length)
    throw new Error("Cannot seal values: a key's name has 1 to 255 characters");
  return new Uint8Array([mark, formatVersion, text.length, ...text]);
}

function readHead(value: Uint8Array, action: string): { name: string; sealed: Uint8Array } {
  if (value[1] !== formatVersion)
    throw new Error(`${action}: it is sealed in format ${value[1]}, which this program does not know`);
  const at = 3 + value[2]!;
  return { name: decoder.decode(value.subarray(3, at)), sealed: value.subarray(at) };
}
