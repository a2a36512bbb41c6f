import type { Family, Metrics } from "#telemetry/metrics.ts";
import type { HealthCheck } from "../call.ts";
import { KeyMeasures } from "./key-measures.ts";
import { KeyPlugin, type KeyPluginParts } from "./key-plugin.ts";
import { textOfKey, type EncryptionKey, type PluginKey } from "./sealer.ts";

/** The key management services that a configuration names, each asked by one `KeyPlugin` as long as it is named the same. */
export class KeyPlugins {
  readonly #parts: KeyPluginParts;
  readonly #open = new Map<string, KeyPlugin>();

  /** `metrics`: where it is told what the plugins are asked for. */
  constructor(parts: Omit<KeyPluginParts, "measures">, metrics: Metrics) {
    this.#parts = { ...parts, measures: new KeyMeasures(metrics, parts.clock, parts.crypto) };
    metrics.collect(() => [this.#seeds()]);
  }

  /** Asks those of the keys that were not asked before. Answers what is wrong with these. */
  async open(keys: readonly EncryptionKey[]): Promise<string[]> {
    const fresh = keys.filter(isPlugin).filter((key) => !this.#open.has(textOfKey(key)));
    const problems = fresh.map(async (key) => {
      const plugin = new KeyPlugin(key, this.#parts);
      this.#open.set(textOfKey(key), plugin);
      await plugin.look();
      return plugin.problem === undefined ? [] : [`the key plugin ${key.name}: ${plugin.problem}`];
    });
    return (await Promise.all(problems)).flat();
  }

  /** The plugin of a key that was opened. */
  of(key: PluginKey): KeyPlugin {
    const plugin = this.#open.get(textOfKey(key));
    if (plugin === undefined) throw new Error(`The key plugin ${key.name} was not opened`);
    return plugin;
  }

  /** Lets go of all that are not among these keys. */
  keep(keys: readonly EncryptionKey[]): void {
    const kept = new Set(keys.map(textOfKey));
    for (const [text, plugin] of this.#open) {
      if (kept.has(text)) continue;
      this.#open.delete(text);
      plugin.close();
    }
  }

  #seeds(): Family {
    const counts = new Map<string, number>();
    for (const { name, seedCount } of this.#open.values()) counts.set(name, (counts.get(name) ?? 0) + seedCount);
    return {
      name: "apiserver_envelope_encryption_dek_source_cache_size",
      type: "gauge",
      help: "Number of records in data encryption key (DEK) source cache.",
      samples: Array.from(counts, ([name, value]) => ({ labels: { provider_name: name }, value })),
    };
  }

  /** What /livez, /readyz and /healthz tell, under upstream's name. */
  readonly check: HealthCheck = {
    name: "kms-providers",
    endpoints: ["livez", "readyz", "healthz"],
    check: () => {
      const problems = [...this.#open.values()].map((plugin) => plugin.health());
      return problems.find((problem) => problem !== undefined);
    },
  };
}

function isPlugin(key: EncryptionKey): key is PluginKey {
  return key.provider === "kms";
}
