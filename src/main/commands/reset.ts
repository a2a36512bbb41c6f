import { createInterface } from "node:readline/promises";
import { existsSync, readdirSync } from "node:fs";
import {
  BrokenDataDirError,
  clusterPaths,
  isOfCluster,
  loadSettings,
  type ClusterSettings,
} from "#cluster/settings.ts";
import { realDisk } from "#world/node/disk.ts";
import { whileAlone } from "../cluster-lock.ts";
import { clustersOnMachine, isOnMachine } from "../find-cluster.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { UserError } from "../user-error.ts";
import { stopCluster } from "./down.ts";

/** Removes every trace of the cluster, after a question or with --yes. Nothing there is no error. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("reset", args, { yes: { type: "boolean", meaning: "do not ask" } });
  const dataDir = dataDirOf(options);
  if (!existsSync(clusterPaths(dataDir).settings) && !(await isOnMachine(dataDir))) {
    process.stderr.write(`There is no cluster in ${dataDir}: nothing to remove.\n`);
    return 0;
  }
  if (options.values["yes"] !== true && !(await isSure(dataDir))) return 1;
  const progress = createProgress();
  await whileAlone(dataDir, progress, async () => {
    const known = await knownClusters(dataDir);
    progress.step("removing the cluster");
    // Where the settings are gone, the folder may be in use for something else.
    const keep = existsSync(clusterPaths(dataDir).settings) ? undefined : othersIn(dataDir);
    // Of one that nobody knows, what runs and the folder can be found.
    for (const settings of known.length === 0 ? [undefined] : known)
      await stopCluster(dataDir, settings, { removeData: true, keep });
  });
  progress.done("nothing of the cluster is left");
  return 0;
}

/** By its settings and, also when they are gone or cannot be read any more, by the list of this machine's clusters. */
async function knownClusters(dataDir: string): Promise<readonly ClusterSettings[]> {
  const listed = await clustersOnMachine(dataDir);
  try {
    const own = await loadSettings(realDisk, dataDir);
    return own === undefined ? listed : [...listed.filter(({ id }) => id !== own.id), own];
  } catch (error) {
    if (!(error instanceof BrokenDataDirError)) throw error;
    return listed;
  }
}

/** Names in a data dir that are not a cluster's; undefined: there are none. */
function othersIn(dataDir: string): readonly string[] | undefined {
  const others = existsSync(dataDir) ? readdirSync(dataDir).filter((name) => !isOfCluster(name)) : [];
  return others.length === 0 ? undefined : others;
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
