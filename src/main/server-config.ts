/** What the server's process takes from the `config` folder of its data dir. Each file is described in docs/authentication.md. */
import {
  configFiles,
  configFolder,
  ConfigFileError,
  followed,
  readAccess,
  readConfigFile,
  readEndpoint,
} from "#cluster/access-files.ts";
import { keepFresh } from "#cluster/fresh-certificates.ts";
import { renderKubeconfig } from "#cluster/kubeconfig.ts";
import { openOutward } from "#cluster/node-connector.ts";
import { openClusterPki, type Pki } from "#cluster/pki.ts";
import { issuer, type Server } from "#cluster/server.ts";
import { clusterPaths, type ClusterSettings } from "#cluster/settings.ts";
import { defaultPolicy, readPolicy, type AuditPolicy } from "#apiserver/audit/policy.ts";
import { AuditWebhook } from "#apiserver/audit/webhook.ts";
import { readEncryption, type EncryptionSettings } from "#apiserver/configuration/encryption.ts";
import type { EncryptionKey, SealingRule } from "#apiserver/encryption/value-cipher.ts";
import { Remote } from "#apiserver/remote/remote.ts";
import { parseYaml } from "#codec/yaml.ts";
import type { Log } from "#telemetry/log.ts";
import { realWorld } from "#world/node/real-world.ts";

/** Changed settings are read this long after the first sign of a change, in milliseconds. */
const changeSettlesMs = 200;

/** The policy in `audit-policy.yaml`; without one writes are noted, reads are not. */
export async function auditPolicy(dataDir: string): Promise<AuditPolicy> {
  const text = await readConfigFile(realWorld.disk, dataDir, configFiles.auditPolicy);
  if (text === undefined) return defaultPolicy;
  const parsed = parseYaml(text);
  const policy = parsed.ok ? readPolicy(parsed.documents[0]) : parsed.message;
  if (typeof policy === "string")
    throw new ConfigFileError(`${configFolder(dataDir)}/${configFiles.auditPolicy}`, policy);
  return policy;
}

/** Which kinds lie sealed in the store's file: those of `encryption.yaml`, and Secrets where it does not name them. */
export async function encryptionSettings(
  dataDir: string,
  ownKeys: readonly EncryptionKey[],
): Promise<EncryptionSettings> {
  const text = await readConfigFile(realWorld.disk, dataDir, configFiles.encryption);
  const always: SealingRule = { resources: ["secrets"], key: ownKeys[0] };
  if (text === undefined) return { rules: [always], keys: ownKeys };
  const { rules, keys } = followed(dataDir, configFiles.encryption, readEncryption(text, ownKeys));
  return { rules: [...rules, always], keys };
}

/** The webhook of `audit-webhook.kubeconfig`, dialled under the server's rules; undefined without one. */
export async function openAuditWebhook(
  dataDir: string,
  dialAllow: readonly string[] | undefined,
  log: Log,
): Promise<AuditWebhook | undefined> {
  const { disk, http, timers } = realWorld;
  const endpoint = await readEndpoint(disk, dataDir, configFiles.auditWebhook);
  if (endpoint === undefined) return undefined;
  const outward = openOutward({ http, ...(dialAllow !== undefined && { dialAllow }) });
  const remote = new Remote({
    dial: async (destination, request) => await outward(destination).send(request),
    timers,
  });
  return new AuditWebhook(endpoint, { remote, timers, log: (message, error) => log.error(message, error) });
}

/** Who may come in follows its files without a restart; what cannot be followed is told, and the former settings stay. */
export function followAccess(server: Server, dataDir: string, log: Log): { close(): void } {
  const { disk, timers } = realWorld;
  let isPlanned = false;
  const follow = async (): Promise<void> => {
    isPlanned = false;
    try {
      server.replaceAccess(await readAccess(disk, dataDir, [issuer]));
      log.info("the settings of who may come in were read again");
    } catch (error) {
      log.error("cannot follow the changed settings, the former ones stay", error);
    }
  };
  return disk.watch(configFolder(dataDir), () => {
    if (isPlanned) return;
    isPlanned = true;
    // An editor writes in several steps.
    timers.after(changeSettlesMs, () => void follow());
  });
}

/** Renews what ends soon, tells of it, and writes the admin's kubeconfig anew: no process needs a restart because of a date. */
export function keepCertificates(
  dataDir: string,
  settings: ClusterSettings,
  opened: Pki,
  log: Log,
  onRenewed: (pki: Pki) => void,
): { stop(): void } {
  let pki = opened;
  return keepFresh(realWorld, {
    current: () => [pki.server, pki.admin, pki.nodeClient, pki.frontProxy].map(({ certificate }) => certificate),
    renew: async () => {
      pki = await openClusterPki(realWorld, dataDir, settings);
      const server = `https://127.0.0.1:${settings.apiPort}`;
      const kubeconfig = renderKubeconfig({ server, caCertificate: pki.caCertificate, identity: pki.admin });
      await realWorld.disk.writeAtomically(clusterPaths(dataDir).kubeconfig, kubeconfig, 0o600);
      onRenewed(pki);
    },
    log,
  });
}
