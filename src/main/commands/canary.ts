import { approveCanary, followCanary, isOnTrial, renderCanary } from "#cli/canary.ts";
import { canaries, type Canary } from "#api/delivery/canary.ts";
import type { Client } from "#client/client.ts";
import { adminClient } from "../admin-client.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions, type Flags } from "../options.ts";
import { UserError } from "../user-error.ts";

const flags: Flags = {
  namespace: { type: "string", short: "n", meaning: "default: default" },
  output: { type: "string", short: "o", meaning: "json: the Canary as it is now" },
  wait: { type: "boolean", meaning: "end with the release: 0 when it passed, 1 when it was taken back" },
  approve: { type: "boolean", meaning: "let the paused step go on" },
};

const beginLimitMs = 3_000;

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** A Canary live in the terminal: share, users, errors, interval, verdict. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("canary", args, flags, "NAME");
  const dataDir = dataDirOf(options);
  const settings = await existingCluster(dataDir);
  const name = options.positionals[0];
  if (name === undefined) throw new UserError("canary needs a name.", "Say for example ./steer canary web.");
  const at = { name, namespace: (options.values["namespace"] as string | undefined) ?? "default" };
  const client = await adminClient(dataDir, settings);
  const canary = await client.find(canaries, at);
  if (canary === undefined) {
    throw new UserError(
      `There is no Canary "${name}" in namespace ${at.namespace}.`,
      "./steer kubectl get canaries -A lists them.",
    );
  }
  if (options.values["output"] === "json") {
    process.stdout.write(`${JSON.stringify(canary, undefined, 2)}\n`);
    return 0;
  }
  return options.values["approve"] === true
    ? await approve(client, at)
    : await follow(client, at, options.values["wait"] === true);
}

async function approve(client: Client, at: Named): Promise<number> {
  const approved = await approveCanary(client, at);
  if (approved === undefined)
    throw new UserError(
      `The Canary "${at.name}" waits for no approval.`,
      `./steer canary ${at.name} shows where it stands.`,
    );
  process.stdout.write(`approved ${approved}\n`);
  return 0;
}

/** On a terminal the picture is drawn over itself; elsewhere each change is printed. */
function follow(client: Client, at: Named, isWaiting: boolean): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // The client's own timers do not keep the process alive.
  const alive = setInterval(() => undefined, 60_000);
  let rest: NodeJS.Timeout | undefined;
  let isBegun = false;
  let shown = "";
  let lines = 0;
  const show = (text: string): void => {
    if (text === shown) return;
    process.stdout.write(`${process.stdout.isTTY && lines > 0 ? `\x1b[${lines}A\x1b[J` : ""}${text}`);
    shown = text;
    lines = text.split("\n").length - 1;
  };
  const seen = (canary: Canary | undefined): void => {
    if (canary === undefined) {
      resolve(1);
      return;
    }
    show(renderCanary(canary, process.stdout.isTTY ? process.stdout.columns : undefined));
    if (!isWaiting) return;
    clearTimeout(rest);
    if (isOnTrial(canary)) isBegun = true;
    const finish = (): void => resolve(canary.status?.phase === "RolledBack" ? 1 : 0);
    // Right after a change the release has yet to begin.
    if (!isOnTrial(canary)) rest = setTimeout(finish, isBegun ? 0 : beginLimitMs);
  };
  const begin = (): { close(): void } =>
    followCanary(client, at, seen, (error) => {
      if (error === undefined) watching = begin();
      else reject(error);
    });
  let watching = begin();
  process.once("SIGINT", () => resolve(0));
  return promise.finally(() => {
    clearInterval(alive);
    clearTimeout(rest);
    watching.close();
  });
}
