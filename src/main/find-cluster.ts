import { registeredClusters, type RegisteredCluster } from "#cluster/machine.ts";
import { loadSettings, type ClusterSettings } from "#cluster/settings.ts";
import { realDisk } from "#world/node/disk.ts";
import { clusterProcesses, realPlace } from "./cluster-processes.ts";
import { UserError } from "./user-error.ts";

/** The cluster that was made in a data dir. Throws `UserError` when there is none, or when its data were removed. */
export async function existingCluster(dataDir: string): Promise<ClusterSettings> {
  const settings = await loadSettings(realDisk, dataDir);
  if (settings === undefined) throw await noCluster(dataDir);
  return settings;
}

/** Why a data dir without a cluster is of no use. */
export async function noCluster(dataDir: string): Promise<UserError> {
  return (
    (await lostCluster(dataDir)) ??
    new UserError(`There is no cluster in ${dataDir}.`, "Start one with ./steer up, or name its --data-dir.")
  );
}

/** The complaint about a cluster whose data dir was removed by hand, but not what it has on the machine; undefined: there is none. */
export async function lostCluster(dataDir: string): Promise<UserError | undefined> {
  if (!(await isOnMachine(dataDir))) return undefined;
  return new UserError(
    `The cluster in ${dataDir} has lost its data, but parts of it are still on this machine.`,
    `Remove them with ./steer reset --data-dir ${dataDir}; then ./steer up makes a new cluster.`,
  );
}

/** Whether this machine has anything of a cluster of this data dir, be the data there or not. */
export async function isOnMachine(dataDir: string): Promise<boolean> {
  return (await clustersOnMachine(dataDir)).length > 0 || clusterProcesses(dataDir).length > 0;
}

/** The clusters that this machine's list knows of a data dir: more than one when it was removed by hand and used again. */
export async function clustersOnMachine(dataDir: string): Promise<readonly RegisteredCluster[]> {
  const place = realPlace(dataDir);
  return (await registeredClusters(realDisk)).filter((cluster) => realPlace(cluster.dataDir) === place);
}
