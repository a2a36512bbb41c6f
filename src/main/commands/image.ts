import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { containerdPaths } from "#cluster/node-paths.ts";
import { connectContainerRuntime } from "#world/node/container-runtime.ts";
import { realWorld } from "#world/node/real-world.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions } from "../options.ts";
import { UserError } from "../user-error.ts";

/** `image load FILE`: puts the images of an OCI or Docker archive into every node's store. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("image", args, {}, "load FILE...");
  const dataDir = dataDirOf(options);
  const [action, ...files] = options.positionals;
  if (action !== "load" || files.length === 0)
    throw new UserError("image knows one action.", "Say ./steer image load FILE.");
  const settings = await existingCluster(dataDir);
  if (settings.nodes.length === 0) {
    throw new UserError(
      `The cluster in ${dataDir} has simulated nodes only, which run no containers.`,
      "Start one with real nodes with ./steer up, or name its --data-dir.",
    );
  }
  for (const file of files) {
    if (!existsSync(file))
      throw new UserError(`There is no file ${file}.`, "Name an OCI or Docker archive (a .tar file).");
  }
  for (const node of settings.nodes) {
    const { socketPath } = containerdPaths(settings, dataDir, node.name);
    const runtime = connectContainerRuntime({ socketPath, processes: realWorld.processes });
    try {
      for (const file of files) {
        const names = await runtime.importImages(resolve(file));
        process.stdout.write(`${node.name}: ${names.join(", ")}\n`);
      }
    } catch (error) {
      throw new UserError(
        `${node.name} could not load the archive: ${(error as Error).message}.`,
        "Is the cluster up, and is the file a whole archive?",
      );
    } finally {
      runtime.close();
    }
  }
  return 0;
}
