/** What the server's process takes from the `config` folder of its data dir. Each file is described in docs/authentication.md. */
import { configFiles, readEndpoint } from "#cluster/access-files.ts";
import { keepFresh } from "#cluster/fresh-certificates.ts";
import { renderKubeconfig } from "#cluster/kubeconfig.ts";
import { openOutward } from "#cluster/node-connector.ts";
import { openClusterPki, type Pki } from "#cluster/pki.ts";
import { clusterPaths, type ClusterSettings } from "#cluster/settings.ts";
import { AuditWebhook } from "#apiserver/audit/webhook.ts";
import { Remote } from "#apiserver/remote/remote.ts";
import type { Log } from "#telemetry/log.ts";
import { realWorld } from "#world/node/real-world.ts";

/** The webhook of `audit-webhook.kubeconfig`, dialled under the server's rules; without the file it takes nothing. */
export async function openAuditWebhook(
  dataDir: string,
  dialAllow: readonly string[] | undefined,
  log: Log,
): Promise<AuditWebhook> {
  const { disk, http, timers } = realWorld;
  const endpoint = await readEndpoint(disk, dataDir, configFiles.auditWebhook);
  const outward = openOutward({ http, ...(dialAllow !== undefined && { dialAllow }) });
  const remote = new Remote({
    dial: async (destination, request) => await outward(destination).send(request),
    timers,
  });
  return new AuditWebhook(endpoint, { remote, timers, log: (message, error) => log.error(message, error) });
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
