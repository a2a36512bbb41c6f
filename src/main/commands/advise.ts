import { collectAdvices, renderAdvices, type Advices } from "#cli/advise.ts";
import { ApiStatusError } from "#client/status-error.ts";
import { adminClient } from "../admin-client.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions, type Flags, type ParsedOptions } from "../options.ts";
import { UserError } from "../user-error.ts";

const flags: Flags = {
  window: { type: "string", meaning: "how much of the history, default 1d" },
  output: { type: "string", short: "o", meaning: "json for scripts" },
};

/** Per workload what it asked for, what it used and what to ask for; nodes saved; what the next node loss would push out. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("advise", args, flags);
  const advices = await readAdvices(dataDirOf(options), windowOf(options));
  process.stdout.write(
    options.values["output"] === "json" ? `${JSON.stringify(advices, undefined, 2)}\n` : renderAdvices(advices),
  );
  return 0;
}

function windowOf(options: ParsedOptions): string {
  const window = String(options.values["window"] ?? "1d");
  if (!/^[1-9][0-9]{0,3}[mhd]$/.test(window))
    throw new UserError(`--window is "${window}".`, "Say for example 6h or 7d.");
  return window;
}

async function readAdvices(dataDir: string, window: string): Promise<Advices> {
  const settings = await existingCluster(dataDir);
  try {
    return await collectAdvices(await adminClient(dataDir, settings), window);
  } catch (error) {
    if (!(error instanceof ApiStatusError)) throw error;
    throw new UserError(
      `There is no advice without a history of metrics: ${error.message}.`,
      "A cluster with real nodes keeps one unless it was made with --metrics=off; it answers a minute after the start.",
    );
  }
}
