import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removeNodeNetwork, unregisterCluster } from "#cluster/machine.ts";
import { runtimeFolder } from "#cluster/node-paths.ts";
import { clusterPaths, loadSettings, type ClusterSettings } from "#cluster/settings.ts";
import { silentLog } from "#telemetry/log.ts";
import { whileAlone } from "../cluster-lock.ts";
import { commandWorld } from "../command-world.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { endProcess, findProcess, knownProcesses } from "../process-file.ts";
import { createProgress } from "../progress.ts";
import { UserError } from "../user-error.ts";

/** Time for a process of ours to finish what it does. */
const endGraceMs = 10_000;
const nobody = { certificate: "", key: "" };

/** Stops everything of the cluster, pods too, and keeps the data. */
export async function run(args: readonly string[]): Promise<number> {
  const dataDir = dataDirOf(parseOptions("down", args, {}));
  const progress = createProgress();
  await whileAlone(dataDir, progress, async () => {
    const settings = await loadSettings(commandWorld.disk, dataDir);
    if (settings === undefined) {
      throw new UserError(`There is no cluster in ${dataDir}.`, "Name its --data-dir, or start one with ./steer up.");
    }
    progress.step("stopping the cluster");
    await stopCluster(dataDir, settings, { removeData: false });
  });
  progress.done("the cluster is down; ./steer up brings it all back");
  return 0;
}

/**
 * Stops a cluster in order: the supervisor, so that nothing is started again; the agents; the pods with their containerd; the
 * server last. Works as well when some of it is gone already. With `removeData` no trace stays on the machine, but for what is to
 * be kept: names in the data dir that were there before the cluster.
 */
export async function stopCluster(
  dataDir: string,
  settings: ClusterSettings,
  options: { readonly removeData: boolean; readonly keep?: readonly string[] | undefined },
): Promise<void> {
  const { run: runFolder } = clusterPaths(dataDir);
  await end(runFolder, "supervisor");
  const agents = knownProcesses(runFolder).filter(({ name }) => name.startsWith("agent-"));
  await Promise.all(agents.map((known) => endProcess(known, endGraceMs)));
  await stopNodes(dataDir, settings, options.removeData);
  await end(runFolder, "prometheus");
  await end(runFolder, "server");
  if (settings.simulatedNodes === 0) await removeNodeNetwork(commandWorld.processes, settings);
  rmSync(runFolder, { recursive: true, force: true });
  if (!options.removeData) return;
  if (settings.simulatedNodes === 0) await unregisterCluster(commandWorld.disk, settings);
  const { keep } = options;
  if (keep === undefined) return rmSync(dataDir, { recursive: true, force: true });
  const made = readdirSync(dataDir).filter((name) => !keep.includes(name));
  for (const name of made) rmSync(join(dataDir, name), { recursive: true, force: true });
}

async function stopNodes(dataDir: string, settings: ClusterSettings, forGood: boolean): Promise<void> {
  if (settings.nodes.length === 0) return;
  // Loaded only here: simulated clusters need none of it.
  const [{ stopNode }, { linuxNode }, { realWorld }] = await Promise.all([
    import("#cluster/node.ts"),
    import("../linux-node.ts"),
    import("#world/node/real-world.ts"),
  ]);
  await Promise.all(
    settings.nodes.map(async (node) => {
      const fixed = {
        world: realWorld,
        settings,
        dataDir,
        node,
        // Nobody is asked any more: keys that are broken keep no cluster from going.
        identity: nobody,
        ca: "",
        ingressIdentity: nobody,
        log: silentLog,
      };
      await stopNode({ ...fixed, parts: linuxNode(node.networkNamespace) }, forGood);
    }),
  );
  rmSync(runtimeFolder(settings), { recursive: true, force: true });
}

async function end(runFolder: string, name: string): Promise<void> {
  const known = findProcess(runFolder, name);
  if (known !== undefined) await endProcess(known, endGraceMs);
}
