import { existsSync, readFileSync } from "node:fs";
import { clusterPaths } from "#cluster/settings.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { UserError } from "../user-error.ts";

/** Prints the admin kubeconfig of the cluster. */
export async function run(args: readonly string[]): Promise<number> {
  const dataDir = dataDirOf(parseOptions("kubeconfig", args, {}));
  const path = clusterPaths(dataDir).kubeconfig;
  if (!existsSync(path)) {
    throw new UserError(`There is no cluster in ${dataDir}.`, "Start one with ./steer up, or name its --data-dir.");
  }
  process.stdout.write(readFileSync(path, "utf8"));
  return 0;
}
