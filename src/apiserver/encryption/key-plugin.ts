import type { Log } from "#telemetry/log.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Ciphers, Crypto } from "#world/crypto.ts";
import type { KeyService, OpenKeyService } from "#world/key-service.ts";
import type { Random } from "#world/random.ts";
import {
  decodeEnvelope,
  encodeEnvelope,
  saltBytes,
  sealedProblem,
  seedBytes,
  statusProblem,
  valueKey,
} from "./envelope.ts";
import {
  pluginCallsMax,
  pluginHealthyMs,
  pluginLookMs,
  pluginRetryMs,
  pluginSeedsLyingMax,
  pluginSeedsMax,
  pluginTrustMs,
  pluginUnhealthyMs,
} from "./limits.ts";
import type { KeyMeasures, KeyUse } from "./key-measures.ts";
import type { PluginKey, Sealer } from "./sealer.ts";

export interface KeyPluginParts {
  readonly open: OpenKeyService;
  readonly ciphers: Ciphers;
  readonly crypto: Pick<Crypto, "sha256" | "hmacSha256" | "equal">;
  readonly random: Pick<Random, "bytes" | "uuid">;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly timers: Pick<Timers, "after">;
  readonly log: Log;
  readonly measures: KeyMeasures;
  /** What the plugin of this name has sealed so far is to be sealed anew: it has another key. */
  readonly rotated: (name: string) => void;
}

/** What seals now: values get keys made of the seed, and the sealed seed beside them. */
interface Seed {
  readonly bytes: Uint8Array;
  readonly envelope: Uint8Array;
  readonly keyId: string;
  readonly sealed: KeyUse;
}

/** A seed that the plugin has opened. */
interface OpenedSeed {
  readonly bytes: Uint8Array;
  readonly opened: KeyUse;
}

const latin = new TextDecoder("latin1");
const nonceBytes = 12;
const lengthBytes = 2;

/**
 * One key management service: looked at each minute, with a seed for each life of the server and each key of the service.
 * https://kubernetes.io/docs/tasks/administer-cluster/kms-provider/#kms-v2-encryption-decryption-workflow
 */
export class KeyPlugin implements Sealer {
  readonly #key: PluginKey;
  readonly #parts: KeyPluginParts;
  readonly #service: KeyService;
  #seed: Seed | undefined;
  /** When the plugin was last seen well and with the seed's key, on the monotonic clock in milliseconds. */
  #verifiedAt = -Infinity;
  #lookedAt = -Infinity;
  #problem: string | undefined = "it has not been asked yet";
  #looking: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Opened seeds by their sealed form, the oldest first. */
  readonly #seeds = new Map<string, OpenedSeed>();
  /** How many seeds were opened: each start has to open all that lie in the store. */
  #openedCount = 0;

  constructor(key: PluginKey, parts: KeyPluginParts) {
    this.#key = key;
    this.#parts = parts;
    this.#service = parts.measures.measured(key.name, parts.open(key.socketPath, key.timeoutMs));
  }

  /** What is wrong with the plugin, as last seen; undefined: nothing. Starts a look at it when that was long ago. */
  health(): string | undefined {
    const age = this.#parts.clock.monotonic() - this.#lookedAt;
    if ((this.#problem === undefined ? pluginHealthyMs : pluginUnhealthyMs) < age) void this.look();
    return this.#problem;
  }

  get name(): string {
    return this.#key.name;
  }

  /** Opened seeds that are kept. */
  get seedCount(): number {
    return this.#seeds.size;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Asks the plugin how it is, takes over another key, and asks again in a while. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { clock, timers, log } = this.#parts;
    const former = this.#problem;
    this.#timer?.cancel();
    try {
      this.#problem = await this.#verify();
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    if (this.#isClosed) return;
    this.#lookedAt = clock.monotonic();
    const fields = { plugin: this.#key.name };
    if (this.#problem !== undefined && this.#problem !== former)
      log.warn("a key plugin is not as it should be", { ...fields, problem: this.#problem });
    if (this.#problem === undefined && former !== undefined) log.info("a key plugin is as it should be", fields);
    this.#timer = timers.after(this.#problem === undefined ? pluginLookMs : pluginRetryMs, () => void this.look());
  }

  /** What is wrong; afterwards the seed is one of the plugin's key. */
  async #verify(): Promise<string | undefined> {
    const askedAt = this.#parts.clock.monotonic();
    const status = await this.#service.status();
    this.#parts.measures.named(this.#key.name, status.keyId);
    const problem = statusProblem(status);
    if (problem !== undefined) return problem;
    if (this.#seed?.keyId !== status.keyId) {
      const made = await this.#makeSeed(status.keyId);
      if (typeof made === "string") return made;
      const former = this.#seed;
      this.#seed = made;
      if (former !== undefined) this.#parts.rotated(this.#key.name);
    }
    this.#verifiedAt = askedAt;
    return undefined;
  }

  async #makeSeed(keyId: string): Promise<Seed | string> {
    const { random, crypto, measures } = this.#parts;
    const bytes = random.bytes(seedBytes);
    const sealed = await this.#service.encrypt(bytes, random.uuid());
    const problem = sealedProblem(sealed, keyId);
    if (problem !== undefined) return problem;
    // Before anything depends on it: what cannot be opened again would be lost.
    const opened = await this.#service.decrypt(sealed, random.uuid());
    if (opened.length !== bytes.length || !crypto.equal(opened, bytes)) return "it does not open what it has sealed";
    const use = measures.use("to_storage", this.#key.name, keyId);
    return { bytes, envelope: encodeEnvelope(sealed), keyId, sealed: use };
  }

  refusal(isLast: boolean): string | undefined {
    if (this.#seed !== undefined) {
      if (isLast || this.#parts.clock.monotonic() - this.#verifiedAt < pluginTrustMs) return undefined;
    }
    return `the key plugin ${this.#key.name} is needed to seal what is written: ${this.#problem ?? "it has not answered for too long"}`;
  }

  seal(value: Uint8Array, place: Uint8Array): readonly Uint8Array[] {
    if (this.#seed === undefined) throw new Error(`Cannot seal values: the key plugin ${this.#key.name} gave no seed`);
    const { random, crypto, ciphers } = this.#parts;
    const { bytes, envelope, sealed: use } = this.#seed;
    const salt = random.bytes(saltBytes);
    const nonce = random.bytes(nonceBytes);
    const sealed = ciphers.sealAesGcm(valueKey(crypto, bytes, salt), nonce, value, place);
    use.note();
    return [new Uint8Array([envelope.length >> 8, envelope.length & 0xff]), envelope, salt, nonce, sealed];
  }

  open(sealed: Uint8Array, place: Uint8Array): Uint8Array | undefined {
    const envelope = envelopeOf(sealed);
    const seed = this.#seeds.get(latin.decode(envelope));
    if (seed === undefined) return undefined;
    const { crypto, ciphers } = this.#parts;
    const saltAt = lengthBytes + envelope.length;
    const nonceAt = saltAt + saltBytes;
    const valueAt = nonceAt + nonceBytes;
    const key = valueKey(crypto, seed.bytes, sealed.subarray(saltAt, nonceAt));
    seed.opened.note();
    return ciphers.openAesGcm(key, sealed.subarray(nonceAt, valueAt), sealed.subarray(valueAt), place);
  }

  isStale(sealed: Uint8Array): boolean {
    if (this.#seed === undefined) return false;
    return pluginSeedsLyingMax < this.#openedCount || decodeEnvelope(envelopeOf(sealed)).keyId !== this.#seed.keyId;
  }

  prepare(sealed: readonly Uint8Array[]): Promise<void> | undefined {
    for (const oldest of this.#seeds.keys()) {
      if (this.#seeds.size <= pluginSeedsMax) break;
      this.#seeds.delete(oldest);
    }
    const missing = new Map<string, Uint8Array>();
    for (const value of sealed) {
      const envelope = envelopeOf(value);
      const text = latin.decode(envelope);
      if (!this.#seeds.has(text)) missing.set(text, envelope);
    }
    return missing.size === 0 ? undefined : this.#openAll([...missing]);
  }

  async #openAll(missing: (readonly [string, Uint8Array])[]): Promise<void> {
    const work = async (): Promise<void> => {
      for (let next = missing.pop(); next !== undefined; next = missing.pop()) await this.#openSeed(...next);
    };
    await Promise.all(Array.from({ length: pluginCallsMax }, work));
  }

  async #openSeed(text: string, envelope: Uint8Array): Promise<void> {
    const { name } = this.#key;
    const fail = (problem: string, cause?: unknown): never => {
      throw new Error(`Cannot open what the key plugin ${name} has sealed: ${problem}`, { cause });
    };
    const secret = decodeEnvelope(envelope);
    let bytes: Uint8Array;
    try {
      bytes = await this.#service.decrypt(secret, this.#parts.random.uuid());
    } catch (error) {
      return fail(error instanceof Error ? error.message : String(error), error);
    }
    if (bytes.length !== seedBytes) fail(`it made ${bytes.length} bytes of a seed`);
    this.#openedCount += 1;
    this.#seeds.set(text, { bytes, opened: this.#parts.measures.use("from_storage", name, secret.keyId) });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#service.close();
  }
}

/** The sealed seed that lies before a value. */
function envelopeOf(sealed: Uint8Array): Uint8Array {
  const length = ((sealed[0] ?? 0) << 8) | (sealed[1] ?? 0);
  return sealed.subarray(lengthBytes, lengthBytes + length);
}
