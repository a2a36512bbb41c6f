import { collectTop, renderTop } from "#cli/top.ts";
import { loadSettings } from "#cluster/settings.ts";
import { realWorld } from "#world/node/real-world.ts";
import { adminClient } from "../admin-client.ts";
import { dataDirOf, parseOptions, type Flags } from "../options.ts";
import { UserError } from "../user-error.ts";

const flags: Flags = { output: { type: "string", short: "o", meaning: "json for scripts" } };

/** The cluster as people look at it: nodes and workloads, what they asked for against what they use. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("top", args, flags);
  const dataDir = dataDirOf(options);
  const settings = await loadSettings(realWorld.disk, dataDir);
  if (settings === undefined) {
    throw new UserError(`There is no cluster in ${dataDir}.`, "Start one with ./steer up, or name its --data-dir.");
  }
  const top = await collectTop(await adminClient(dataDir, settings));
  process.stdout.write(options.values["output"] === "json" ? `${JSON.stringify(top, undefined, 2)}\n` : renderTop(top));
  return 0;
}
