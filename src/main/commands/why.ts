import { collectWhy, renderWhy, resourceNamed, UnknownResourceError } from "#cli/why.ts";
import { blockersOf, renderBlockers } from "#cli/blockers.ts";
import { placementOf, renderPlacement } from "#cli/placement.ts";
import { waitingFor } from "#cli/waiting.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { adminClient } from "../admin-client.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions, type Flags } from "../options.ts";
import { UserError } from "../user-error.ts";

const flags: Flags = {
  namespace: { type: "string", short: "n", meaning: "default: default" },
  output: { type: "string", short: "o", meaning: "json for scripts" },
};

/** From the user's change to the last automatic action: who wrote what, by which rule, because of which revision. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("why", args, flags, "KIND/NAME");
  const dataDir = dataDirOf(options);
  const settings = await existingCluster(dataDir);
  const [word = "", name = ""] = (options.positionals[0] ?? "").split("/");
  if (word === "" || name === "")
    throw new UserError("why needs an object.", "Say for example ./steer why deployment/web.");
  const resource = named(word);
  const namespace = resource.namespaced
    ? ((options.values["namespace"] as string | undefined) ?? "default")
    : undefined;
  const client = await adminClient(dataDir, settings);
  const at = { ...(namespace === undefined ? {} : { namespace }), name };
  const object = (await client.find(resource, at)) as ApiObject | undefined;
  const placement = resource.kind === "Pod" ? await placementOf(client, namespace ?? "", name) : undefined;
  const blockers = object === undefined ? [] : await blockersOf(client, resource, object, resourceNamed);
  const waiting = object === undefined ? undefined : await waitingFor(client, object, resourceNamed);
  const records = await collectWhy(client, { resource, namespace, name });
  if (records.length === 0 && object === undefined) {
    throw new UserError(
      `Nothing is recorded about ${resource.kind.toLowerCase()}/${name}${namespace === undefined ? "" : ` in namespace ${namespace}`}.`,
      "Check the name with ./steer kubectl get; records of long-gone objects are dropped.",
    );
  }
  if (options.values["output"] === "json") {
    process.stdout.write(`${JSON.stringify({ records, placement, waiting, blockers }, undefined, 2)}\n`);
  } else {
    const now = placement === undefined ? "" : renderPlacement(placement);
    const start = waiting === undefined ? "" : `It does not start yet: ${waiting}\n`;
    process.stdout.write(`${renderWhy(records)}${now}${start}${renderBlockers(blockers)}`);
  }
  return 0;
}

function named(word: string): Resource<unknown> {
  try {
    return resourceNamed(word);
  } catch (error) {
    if (!(error instanceof UnknownResourceError)) throw error;
    throw new UserError(`There is no resource "${word}".`, "./steer kubectl api-resources lists them.");
  }
}
