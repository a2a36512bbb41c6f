import { existsSync, readFileSync } from "node:fs";
import { clusterPaths } from "#cluster/settings.ts";
import { noCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions } from "../options.ts";

/** Prints the admin kubeconfig of the cluster. */
export async function run(args: readonly string[]): Promise<number> {
  const dataDir = dataDirOf(parseOptions("kubeconfig", args, {}));
  const path = clusterPaths(dataDir).kubeconfig;
  if (!existsSync(path)) throw await noCluster(dataDir);
  process.stdout.write(readFileSync(path, "utf8"));
  return 0;
}
