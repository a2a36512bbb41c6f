import type { HealthCheck } from "#apiserver/call.ts";
import { KeyPlugins } from "#apiserver/encryption/key-plugins.ts";
import { Resealer } from "#apiserver/encryption/reseal.ts";
import type { EncryptionKey } from "#apiserver/encryption/sealer.ts";
import { sealAtRest, type SealedAtRest, type SealingParts } from "#apiserver/encryption/value-cipher.ts";
import type { Store } from "#store/store.ts";
import type { Log } from "#telemetry/log.ts";
import { createMetrics, type Metrics } from "#telemetry/metrics.ts";
import type { OpenKeyService } from "#world/key-service.ts";
import type { World } from "#world/world.ts";
import { configFiles, configFolder, ConfigFileError, readEncryptionSettings } from "./access-files.ts";
import type { Following } from "./follow-config.ts";
import { readEncryptionKeys } from "./pki.ts";
import { clusterPaths } from "./settings.ts";

type SealingWorld = Pick<World, "disk" | "clock" | "timers" | "random" | "crypto">;

/** What lies sealed in the store's file, and by what: two files, and the key management services that these name. */
export interface Sealing {
  readonly cipher: SealedAtRest;
  readonly check: HealthCheck;
  /** What plugins were asked for. */
  readonly metrics: Pick<Metrics, "families">;
  /** Once the store stands: seals anew what lies otherwise than it should, now and when plugins change their keys. */
  start(store: Store): void;
  /** Writes from now on follow the files, and what lies otherwise is written anew beside the work. */
  following(): Following;
  close(): void;
}

/** Reads the files and asks the plugins that they name; those that are down are asked again. Throws `ConfigFileError`. */
export async function openSealing(
  world: SealingWorld,
  outside: Pick<SealingParts, "ciphers"> & { readonly openKeyService: OpenKeyService },
  dataDir: string,
  log: Log,
): Promise<Sealing> {
  const { disk, clock, timers, random, crypto } = world;
  const { ciphers, openKeyService } = outside;
  let resealer: Resealer | undefined;
  const rotated = (name: string): void => resealer?.rotated(name);
  const metrics = createMetrics();
  const parts = { open: openKeyService, ciphers, crypto, random, clock, timers, log, rotated };
  const plugins = new KeyPlugins(parts, metrics);
  const read = async (): ReturnType<typeof readEncryptionSettings> =>
    await readEncryptionSettings(disk, dataDir, await readEncryptionKeys(disk, dataDir));
  const { keys, rules } = await read();
  let kept: readonly EncryptionKey[] = keys;
  // What is wrong with them is in the log, and in every write that they are needed for.
  await plugins.open(keys);
  const cipher = sealAtRest({ ciphers, random, plugins }, keys, rules);
  const follow = async (): Promise<boolean> => {
    const next = await read();
    try {
      const problems = await plugins.open(next.keys);
      if (problems.length > 0)
        throw new ConfigFileError(`${configFolder(dataDir)}/${configFiles.encryption}`, problems.join("; "), true);
      const changed = cipher.replace(next.keys, next.rules);
      if (changed === undefined) return false;
      kept = next.keys;
      if (changed.length > 0) resealer?.reseal(changed);
      return true;
    } finally {
      plugins.keep(kept);
    }
  };
  return {
    cipher,
    check: plugins.check,
    metrics,
    start: (store) => {
      resealer = new Resealer({ store, cipher, clock, timers, log });
      if (cipher.stale.size > 0) resealer.reseal([]);
    },
    following: () => ({ part: "encryption", follow, folders: [clusterPaths(dataDir).pki] }),
    close: () => plugins.keep([]),
  };
}
