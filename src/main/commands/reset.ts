import { createInterface } from "node:readline/promises";
import { existsSync, rmSync } from "node:fs";
import { registeredClusters } from "#cluster/machine.ts";
import { BrokenDataDirError, clusterPaths, loadSettings, type ClusterSettings } from "#cluster/settings.ts";
import { realWorld } from "#world/node/real-world.ts";
import { whileAlone } from "../cluster-lock.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { UserError } from "../user-error.ts";
import { stopCluster } from "./down.ts";

/** Removes every trace of the cluster, after a question or with --yes. Nothing there is no error. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("reset", args, { yes: { type: "boolean", meaning: "do not ask" } });
  const dataDir = dataDirOf(options);
  if (!existsSync(clusterPaths(dataDir).settings)) {
    process.stderr.write(`There is no cluster in ${dataDir}: nothing to remove.\n`);
    return 0;
  }
  if (options.values["yes"] !== true && !(await isSure(dataDir))) return 1;
  const progress = createProgress();
  await whileAlone(dataDir, progress, async () => {
    const settings = await knownSettings(dataDir);
    progress.step("removing the cluster");
    if (settings === undefined) rmSync(dataDir, { recursive: true, force: true });
    else await stopCluster(dataDir, settings, { removeData: true });
  });
  progress.done("nothing of the cluster is left");
  return 0;
}

/** Of a data dir whose settings cannot be read any more, the list of this machine's clusters remembers what must be removed. */
async function knownSettings(dataDir: string): Promise<ClusterSettings | undefined> {
  try {
    return await loadSettings(realWorld.disk, dataDir);
  } catch (error) {
    if (!(error instanceof BrokenDataDirError)) throw error;
    return (await registeredClusters(realWorld.disk)).find((cluster) => cluster.dataDir === dataDir);
  }
}

async function isSure(dataDir: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UserError(
      "reset removes the cluster with all its data, and nobody is there to ask.",
      "Say ./steer reset --yes.",
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Remove the cluster in ${dataDir} with all its data? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
