import { collectTop, renderTop } from "#cli/top.ts";
import { adminClient } from "../admin-client.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions, type Flags } from "../options.ts";

const flags: Flags = { output: { type: "string", short: "o", meaning: "json for scripts" } };

/** The cluster as people look at it: nodes and workloads, what they asked for against what they use. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("top", args, flags);
  const dataDir = dataDirOf(options);
  const settings = await existingCluster(dataDir);
  const top = await collectTop(await adminClient(dataDir, settings));
  process.stdout.write(options.values["output"] === "json" ? `${JSON.stringify(top, undefined, 2)}\n` : renderTop(top));
  return 0;
}
