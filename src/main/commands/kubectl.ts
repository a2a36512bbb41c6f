import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { clusterPaths } from "#cluster/settings.ts";
import { clientBinary } from "../client-binaries.ts";
import { noCluster } from "../find-cluster.ts";
import { dataDirOf } from "../options.ts";

/** Runs the unmodified kubectl; every argument but `--data-dir` is its own. Exits as it does. */
export async function run(args: readonly string[]): Promise<number> {
  const { dataDir, rest } = takeDataDir(args);
  const kubeconfig = clusterPaths(dataDir).kubeconfig;
  if (!existsSync(kubeconfig)) throw await noCluster(dataDir);
  const result = spawnSync(clientBinary("kubectl"), rest, {
    stdio: "inherit",
    env: { ...process.env, KUBECONFIG: kubeconfig },
  });
  return result.status ?? 1;
}

function takeDataDir(args: readonly string[]): { dataDir: string; rest: string[] } {
  const rest: string[] = [];
  let given: string | undefined;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    // What stands behind `--` belongs to the command in the container.
    if (argument === "--") {
      rest.push(...args.slice(index));
      break;
    }
    if (argument === "--data-dir") given = args[(index += 1)];
    else if (argument.startsWith("--data-dir=")) given = argument.slice("--data-dir=".length);
    else rest.push(argument);
  }
  return { dataDir: dataDirOf({ values: given === undefined ? {} : { "data-dir": given }, positionals: [] }), rest };
}
