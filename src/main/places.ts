import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the whole project. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.resolve("#main/steer.ts"))), "../..");

/**
 * Path of another of our programs: beside the one that runs, be that the TypeScript of this folder or what `tools/bundle.ts`
 * put together from it.
 */
export function programPath(name: "supervisor" | "server" | "agent" | "simulated-nodes-worker"): string {
  const [, own = ""] = process.argv;
  return join(dirname(own), `${name}${extname(own)}`);
}
