import { openClusterPki } from "#cluster/pki.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import type { Client } from "#client/client.ts";
import { createClient } from "#client/http-client.ts";
import { realTimers } from "#world/node/clock.ts";
import { realWorld } from "#world/node/real-world.ts";

/** A client with the administrator's certificate, for commands. Its timers do not keep the process alive. */
export async function adminClient(dataDir: string, settings: ClusterSettings): Promise<Client> {
  const pki = await openClusterPki(realWorld, dataDir, settings);
  const transport = realWorld.http.transport({
    baseUrl: `https://127.0.0.1:${settings.apiPort}`,
    ca: pki.caCertificate,
    identity: pki.admin,
    connectTimeoutMs: 3000,
  });
  return createClient(transport, { userAgent: "steer", timers: realTimers({ keepAlive: false }) });
}
