import { hexOf } from "#base/bytes.ts";
import {
  growingBuckets,
  type Counter,
  type Family,
  type Histogram,
  type LabelValues,
  type Metrics,
  type Sample,
} from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import { ContainerRuntimeError } from "#world/container-runtime.ts";
import type { Crypto } from "#world/crypto.ts";
import type { KeyService } from "#world/key-service.ts";
import { keyIdFault } from "./envelope.ts";
import { keyIdSeriesMax } from "./limits.ts";

const prefix = "apiserver_envelope_encryption_";
const encoder = new TextEncoder();

/** What is done with the key of a plugin, as upstream names it. */
export type Transformation = "from_storage" | "to_storage";

/** How often a key was used, and when that was last. */
export interface KeyUse {
  note(): void;
}

/**
 * What plugins are asked for and which of their keys are used, under upstream's names for KMS v2. Keys are told by hashes of their
 * ids, and only those used last: a plugin may name another at each look.
 */
export class KeyMeasures {
  readonly #clock: Pick<Clock, "now" | "monotonic">;
  readonly #crypto: Pick<Crypto, "sha256">;
  readonly #latency: Histogram;
  readonly #invalid: Counter;
  readonly #used = new RecentSeries();
  readonly #named = new RecentSeries();

  constructor(metrics: Metrics, clock: Pick<Clock, "now" | "monotonic">, crypto: Pick<Crypto, "sha256">) {
    this.#clock = clock;
    this.#crypto = crypto;
    this.#latency = metrics.histogram(
      `${prefix}kms_operations_latency_seconds`,
      "KMS operation duration with gRPC error code status total.",
      ["provider_name", "method_name", "grpc_status_code"],
      growingBuckets(0.0001, 2, 20),
    );
    this.#invalid = metrics.counter(
      `${prefix}invalid_key_id_from_status_total`,
      "Number of times an invalid keyID is returned by the Status RPC call split by error.",
      ["provider_name", "error"],
    );
    metrics.collect(() => this.#families());
  }

  /** The same service, each of whose calls is measured. */
  measured(provider: string, service: KeyService): KeyService {
    const timed = async <T>(method: string, call: () => Promise<T>): Promise<T> => {
      const from = this.#clock.monotonic();
      const note = (code: string): void => {
        const labels = [provider, `/v2.KeyManagementService/${method}`, code];
        this.#latency.observe(labels, (this.#clock.monotonic() - from) / 1000);
      };
      try {
        const answer = await call();
        note("OK");
        return answer;
      } catch (error) {
        note(error instanceof ContainerRuntimeError ? error.code : "unknown-non-grpc");
        throw error;
      }
    };
    return {
      status: () => timed("Status", () => service.status()),
      encrypt: (plaintext, uid) => timed("Encrypt", () => service.encrypt(plaintext, uid)),
      decrypt: (sealed, uid) => timed("Decrypt", () => service.decrypt(sealed, uid)),
      close: () => service.close(),
    };
  }

  /** A plugin has named its key. */
  named(provider: string, keyId: string): void {
    const fault = keyIdFault(keyId);
    if (fault === undefined) this.#use(this.#named, { provider_name: provider }, keyId).note();
    else this.#invalid.add([provider, fault]);
  }

  /** What counts the values that a key of this id seals or opens. */
  use(transformation: Transformation, provider: string, keyId: string): KeyUse {
    return this.#use(this.#used, { provider_name: provider, transformation_type: transformation }, keyId);
  }

  #use(series: RecentSeries, labels: LabelValues, keyId: string): KeyUse {
    const hash = hexOf(this.#crypto.sha256(encoder.encode(keyId)));
    const whole = { ...labels, key_id_hash: `sha256:${hash}` };
    const name = Object.values(whole).join("\u0000");
    return { note: () => series.note(name, whole, this.#clock.now()) };
  }

  #families(): Family[] {
    const last = { type: "gauge", help: "The last time in seconds when a keyID was used." } as const;
    return [
      {
        name: `${prefix}key_id_hash_total`,
        type: "counter",
        help: "Number of times a keyID is used split by transformation type and provider.",
        samples: this.#used.counts(),
      },
      { ...last, name: `${prefix}key_id_hash_last_timestamp_seconds`, samples: this.#used.times() },
      {
        name: `${prefix}key_id_hash_status_last_timestamp_seconds`,
        type: "gauge",
        help: "The last time in seconds when a keyID was returned by the Status RPC call.",
        samples: this.#named.times(),
      },
    ];
  }
}

interface Use {
  readonly labels: LabelValues;
  count: number;
  lastMs: number;
}

/** Series of which a bounded number is kept: those that were noted last. */
class RecentSeries {
  readonly #uses = new Map<string, Use>();

  note(name: string, labels: LabelValues, nowMs: number): void {
    let use = this.#uses.get(name);
    if (use === undefined) {
      if (this.#uses.size === keyIdSeriesMax) this.#uses.delete(this.#oldest());
      this.#uses.set(name, (use = { labels, count: 0, lastMs: nowMs }));
    }
    use.count += 1;
    use.lastMs = nowMs;
  }

  #oldest(): string {
    const [first] = [...this.#uses].toSorted(([, left], [, right]) => left.lastMs - right.lastMs);
    return first?.[0] ?? "";
  }

  counts(): Sample[] {
    return [...this.#uses.values()].map(({ labels, count }) => ({ labels, value: count }));
  }

  times(): Sample[] {
    return [...this.#uses.values()].map(({ labels, lastMs }) => ({ labels, value: lastMs / 1000 }));
  }
}
