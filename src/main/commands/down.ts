import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removeNodeNetwork, unregisterCluster } from "#cluster/machine.ts";
import { runtimeFolder } from "#cluster/node-paths.ts";
import { clusterPaths, type ClusterSettings } from "#cluster/settings.ts";
import { silentLog } from "#telemetry/log.ts";
import { whileAlone } from "../cluster-lock.ts";
import { clusterProcesses, podProcesses } from "../cluster-processes.ts";
import { commandWorld } from "../command-world.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { endProcess } from "../process-file.ts";
import { createProgress } from "../progress.ts";

/** Time for a process of ours to finish what it does. */
const endGraceMs = 10_000;
/** Looks for processes of pods that outlived their runtime. */
const sweepsMax = 20;
const nobody = { certificate: "", key: "" };

/** Stops everything of the cluster, pods too, and keeps the data. */
export async function run(args: readonly string[]): Promise<number> {
  const dataDir = dataDirOf(parseOptions("down", args, {}));
  const progress = createProgress();
  await whileAlone(dataDir, progress, async () => {
    const settings = await existingCluster(dataDir);
    progress.step("stopping the cluster");
    await stopCluster(dataDir, settings, { removeData: false });
  });
  progress.done("the cluster is down; ./steer up brings it all back");
  return 0;
}

/**
 * Stops a cluster in order: the supervisor, so that nothing is started again; the agents; the pods with their containerd; the
 * server last. Works as well when some of it is gone already, also its data. With `removeData` no trace stays on the machine, but for
 * what is to be kept: names in the data dir that are not the cluster's.
 */
export async function stopCluster(
  dataDir: string,
  settings: ClusterSettings | undefined,
  options: { readonly removeData: boolean; readonly keep?: readonly string[] | undefined },
): Promise<void> {
  await endParts(dataDir, (name) => name === "supervisor");
  await endParts(dataDir, (name) => name.startsWith("agent-"));
  const isReal = settings !== undefined && settings.simulatedNodes === 0;
  if (isReal) await stopNodes(dataDir, settings, options.removeData);
  await endParts(dataDir, (name) => name !== "server");
  await endParts(dataDir, () => true);
  if (isReal) await removeNodeNetwork(commandWorld.processes, settings);
  rmSync(clusterPaths(dataDir).run, { recursive: true, force: true });
  if (!options.removeData) return;
  removeData(dataDir, options.keep);
  // Last: whoever is interrupted before finds it again.
  if (isReal) await unregisterCluster(commandWorld.disk, settings);
}

function removeData(dataDir: string, keep: readonly string[] | undefined): void {
  const made = existsSync(dataDir) ? readdirSync(dataDir).filter((name) => keep?.includes(name) !== true) : [];
  for (const name of made) rmSync(join(dataDir, name), { recursive: true, force: true });
  if (keep !== undefined || !existsSync(dataDir)) return;
  try {
    rmdirSync(dataDir);
  } catch (error) {
    // A file system of its own stays, empty.
    if ((error as { code?: unknown }).code !== "EBUSY") throw error;
  }
}

async function stopNodes(dataDir: string, settings: ClusterSettings, forGood: boolean): Promise<void> {
  // Loaded only here: simulated clusters need none of it.
  const [{ leaveMachine, stopPods }, { linuxNode }, { realWorld }] = await Promise.all([
    import("#cluster/node.ts"),
    import("../linux-node.ts"),
    import("#world/node/real-world.ts"),
  ]);
  const nodes = settings.nodes.map((node) => ({
    world: realWorld,
    parts: linuxNode(node.networkNamespace),
    settings,
    dataDir,
    node,
    // Nobody is asked any more: keys that are broken keep no cluster from going.
    identity: nobody,
    ca: "",
    ingressIdentity: nobody,
    log: silentLog,
  }));
  await Promise.all(nodes.map((node) => stopPods(node, forGood)));
  await endParts(dataDir, (name) => /^(containerd|haproxy)-/.test(name));
  await endPods(settings);
  await Promise.all(nodes.map((node) => leaveMachine(node, forGood)));
  rmSync(runtimeFolder(settings), { recursive: true, force: true });
}

async function endParts(dataDir: string, isMeant: (name: string) => boolean): Promise<void> {
  const meant = clusterProcesses(dataDir).filter(({ name }) => isMeant(name));
  await Promise.all(meant.map((known) => endProcess(known, endGraceMs)));
}

/** What nobody could stop in the pods: at once, and again while they make new ones. */
async function endPods(settings: ClusterSettings): Promise<void> {
  for (let sweep = 0; sweep < sweepsMax; sweep += 1) {
    const left = podProcesses(settings);
    if (left.length === 0) return;
    await Promise.all(left.map((known) => endProcess(known, 0)));
  }
  throw new Error(`Pods of the cluster ${settings.id} start processes faster than they can be ended`);
}
