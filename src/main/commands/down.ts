import { rmSync } from "node:fs";
import { removeNodeNetwork, unregisterCluster } from "#cluster/machine.ts";
import { clusterPaths, loadSettings, type ClusterSettings } from "#cluster/settings.ts";
import { realWorld } from "#world/node/real-world.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { endProcess, findProcess, knownProcesses } from "../process-file.ts";
import { createProgress } from "../progress.ts";
import { UserError } from "../user-error.ts";

/** Time for a process of ours to finish what it does. */
const endGraceMs = 10_000;

/** Stops everything of the cluster, pods too, and keeps the data. */
export async function run(args: readonly string[]): Promise<number> {
  const dataDir = dataDirOf(parseOptions("down", args, {}));
  const settings = await loadSettings(realWorld.disk, dataDir);
  if (settings === undefined) {
    throw new UserError(`There is no cluster in ${dataDir}.`, "Name its --data-dir, or start one with ./steer up.");
  }
  const progress = createProgress();
  progress.step("stopping the cluster");
  await stopCluster(dataDir, settings, { removeData: false });
  progress.done("the cluster is down; ./steer up brings it all back");
  return 0;
}

/**
 * Stops a cluster in order: the supervisor, so that nothing is started again; the agents; the pods with their containerd; the
 * server last. Works as well when some of it is gone already. With `removeData` no trace stays on the machine.
 */
export async function stopCluster(
  dataDir: string,
  settings: ClusterSettings,
  options: { readonly removeData: boolean },
): Promise<void> {
  const { run: runFolder } = clusterPaths(dataDir);
  await end(runFolder, "supervisor");
  const agents = knownProcesses(runFolder).filter(({ name }) => name.startsWith("agent-"));
  await Promise.all(agents.map((known) => endProcess(known, endGraceMs)));
  await end(runFolder, "server");
  if (settings.simulatedNodes === 0) await removeNodeNetwork(realWorld.processes, settings);
  rmSync(runFolder, { recursive: true, force: true });
  if (!options.removeData) return;
  if (settings.simulatedNodes === 0) await unregisterCluster(realWorld.disk, settings);
  rmSync(dataDir, { recursive: true, force: true });
}

async function end(runFolder: string, name: string): Promise<void> {
  const known = findProcess(runFolder, name);
  if (known !== undefined) await endProcess(known, endGraceMs);
}
