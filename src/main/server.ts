/** The server's process: reads the settings, opens the store, serves the API. Run by the supervisor: server.ts --data-dir DIR */
import { flushCompileCache } from "node:module";
import { promisify } from "node:util";
import { createHash } from "node:crypto";
import { gzip } from "node:zlib";
import { configFolder, readAccess, readAuditPolicy } from "#cluster/access-files.ts";
import { createNodeConnector } from "#cluster/node-connector.ts";
import { createClient } from "#client/http-client.ts";
import { followAccess, followAudit, followAuditWebhook, followConfig } from "#cluster/follow-config.ts";
import { keepHistoryAccess } from "#cluster/history.ts";
import { Reloads } from "#cluster/reloads.ts";
import { openSchedulerSettings } from "#cluster/scheduler-settings.ts";
import { createServer, issuer, partUser, type Server } from "#cluster/server.ts";
import { AuditLogFile } from "#apiserver/audit/log-file.ts";
import { auditSinks, recoverEntries } from "#apiserver/audit/sinks.ts";
import { transportOf } from "#cluster/fresh-certificates.ts";
import { makeEncryptionKeys, openClusterPki } from "#cluster/pki.ts";
import { clusterPaths, loadSettings, type ClusterSettings } from "#cluster/settings.ts";
import { openSealing, type Sealing } from "#cluster/sealing.ts";
import { openMemoryStore } from "#store/memory/memory-store.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import type { Store } from "#store/store.ts";
import { createLog } from "#telemetry/log.ts";
import { realClock } from "#world/node/clock.ts";
import { ownProcess } from "#world/node/own-process.ts";
import { packageDescriptions } from "#world/node/descriptions.ts";
import { nodeCiphers } from "#world/node/ciphers.ts";
import { openKeyService } from "#world/node/key-service.ts";
import { nodeJsonWebKeys } from "#world/node/json-web-keys.ts";
import type { TlsIdentity, Transport } from "#world/http.ts";
import { realWorld } from "#world/node/real-world.ts";
import { keepCertificates, openAuditWebhook } from "./server-config.ts";

/** Larger requests are refused with 413, as upstream. */
const bodyBytesMax = 3 * 1024 * 1024;
const closeGraceMs = 2000;

const log = createLog(realClock, (line) => process.stdout.write(`${line}\n`)).with({ process: "server" });

function fail(message: string, error: unknown): never {
  log.error(message, error);
  process.exit(1);
}

interface OpenedStore {
  readonly store: Store;
  readonly sealing?: Sealing;
}

async function openStore(dataDir: string, settings: ClusterSettings): Promise<OpenedStore> {
  const { clock, timers } = realWorld;
  if (settings.store === "memory") return { store: openMemoryStore({ clock, timers }) };
  await makeEncryptionKeys(realWorld, dataDir);
  const sealing = await openSealing(realWorld, { ciphers: nodeCiphers, openKeyService }, dataDir, log);
  const store = await openSqliteStore({
    cipher: sealing.cipher,
    path: clusterPaths(dataDir).store,
    clock,
    timers,
    // What was accepted cannot be kept any more: better no server than one that lies.
    failed: (error) => fail("the store failed", error),
  });
  return { store, sealing };
}

/** Of the database and of what is not yet part of it. */
async function storeBytes(path: string): Promise<number> {
  const stats = await Promise.all([path, `${path}-wal`].map((file) => realWorld.disk.stat(file)));
  return stats.reduce((sum, stat) => sum + (stat?.size ?? 0), 0);
}

function historyOf(settings: ClusterSettings, ca: string, identity: () => TlsIdentity): { history?: Transport } {
  if (settings.historyPort === undefined) return {};
  const baseUrl = `https://127.0.0.1:${settings.historyPort}`;
  return { history: transportOf(realWorld, { baseUrl, ca }, identity) };
}

function keepAccess(server: Server, dataDir: string): { stop(): void } {
  const transport = server.api.transportFor(partUser("metrics"));
  const client = createClient(transport, { userAgent: "steersman-metrics", timers: realWorld.timers });
  const onProblem = (problem: string, error: unknown): void => log.error(problem, error);
  return keepHistoryAccess({ ...realWorld, client, dataDir, onProblem });
}

async function main(dataDir: string): Promise<void> {
  const settings = await loadSettings(realWorld.disk, dataDir);
  if (settings === undefined) throw new Error(`Cannot serve ${dataDir}: no cluster was made there`);
  const [{ store, sealing }, openedPki] = await Promise.all([
    openStore(dataDir, settings),
    openClusterPki(realWorld, dataDir, settings),
  ]);
  let pki = openedPki;
  const { disk, clock, timers, random } = realWorld;
  await disk.makeDirectory(configFolder(dataDir), 0o700);
  const folder = clusterPaths(dataDir).logs;
  const auditLog = new AuditLogFile({
    disk,
    clock,
    timers,
    folder,
    log: (message, error) => log.error(message, error),
  });
  const recovered = await recoverEntries(store, auditLog);
  if (recovered > 0) log.info("audit entries came back from the store", { count: recovered });
  const auditWebhook = await openAuditWebhook(dataDir, settings.dialAllow, log);
  const auditing = { policy: await readAuditPolicy(disk, dataDir), sinks: auditSinks(auditLog, auditWebhook) };
  const access = await readAccess(disk, dataDir, [issuer]);
  const reloads = new Reloads();
  const server = createServer({
    audit: auditing,
    access,
    measured: sealing === undefined ? [reloads] : [reloads, sealing.metrics],
    webKeys: nodeJsonWebKeys,
    scheduler: await openSchedulerSettings(realWorld, dataDir),
    world: realWorld,
    store,
    serviceRange: settings.serviceRange,
    podRange: settings.podRange,
    nodePorts: settings.nodePorts,
    apiAddress: settings.serverAddress,
    apiPort: settings.apiPort,
    clientCa: pki.ca,
    frontProxyCa: pki.frontProxyCa,
    serviceAccountKey: pki.serviceAccountKey,
    nodes: (objects) => {
      return createNodeConnector({
        http: realWorld.http,
        objects,
        ca: pki.caCertificate,
        identity: () => pki.nodeClient,
        frontProxy: () => pki.frontProxy,
        ...(settings.dialAllow !== undefined && { dialAllow: settings.dialAllow }),
      });
    },
    gzip: promisify(gzip),
    sha1: (bytes) => createHash("sha1").update(bytes).digest(),
    describe: packageDescriptions(),
    ...(settings.store === "memory" ? {} : { storeBytes: () => storeBytes(clusterPaths(dataDir).store) }),
    ownProcess,
    ...(sealing !== undefined && { health: [sealing.check] }),
    ...historyOf(settings, pki.caCertificate, () => pki.nodeClient),
    log,
  });
  const hosts = settings.simulatedNodes > 0 ? ["127.0.0.1"] : ["127.0.0.1", settings.serverAddress];
  const listeners = await Promise.all(
    hosts.map((host) => {
      const tls = { ...pki.server, clientCa: pki.caCertificate };
      return realWorld.http.listen({ host, port: settings.apiPort, tls, bodyBytesMax }, server.api.handler);
    }),
  );
  await server.start();
  const fresh = keepCertificates(dataDir, settings, pki, log, (renewed) => {
    pki = renewed;
    const tls = { ...pki.server, clientCa: pki.caCertificate };
    for (const listener of listeners) listener.replaceTls(tls);
  });
  const following = followConfig(dataDir, { disk, clock, timers, random, log, reloads }, [
    ...followAccess(server, disk, dataDir, [issuer], access),
    followAudit(auditing, disk, dataDir),
    followAuditWebhook(auditWebhook, disk, dataDir),
    ...(sealing === undefined ? [] : [sealing.following()]),
  ]);
  const historyAccess = settings.historyPort === undefined ? undefined : keepAccess(server, dataDir);
  sealing?.start(store);
  log.info("the API answers", { port: settings.apiPort });
  process.send?.({ ready: "server" });
  // Node writes it at the end of the process only, and a server that is killed has no such end.
  flushCompileCache();
  if (settings.simulatedNodes > 0) {
    // Loaded only here: an ordinary server knows nothing of simulation.
    const { startSimulatedNodes } = await import("./simulated-nodes.ts");
    await startSimulatedNodes(server.api, settings, log);
    log.info("the simulated nodes are Ready", { nodes: settings.simulatedNodes });
    process.send?.({ ready: "simulated nodes" });
  }
  const stop = async (): Promise<void> => {
    historyAccess?.stop();
    following.close();
    fresh.stop();
    await server.stop();
    await Promise.all(listeners.map((listener) => listener.close(closeGraceMs)));
    await auditWebhook.close();
    await auditLog.close();
    await store.close();
    sealing?.close();
    process.exit(0);
  };
  process.once("SIGTERM", () => void stop().catch((error: unknown) => fail("cannot stop cleanly", error)));
}

process.on("unhandledRejection", (error) => fail("a promise was rejected and nobody looked", error));
process.on("uncaughtException", (error) => fail("an exception reached the top", error));
// The supervisor may end before us: we go on.
process.on("disconnect", () => undefined);

await main(process.argv[process.argv.indexOf("--data-dir") + 1] ?? "");
