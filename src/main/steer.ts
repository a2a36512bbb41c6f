import { BrokenDataDirError } from "#cluster/settings.ts";
import { machineRefusal, UserError } from "./user-error.ts";

/** A command of the command line. Loaded only when it is asked for, so that each starts fast. */
interface Command {
  readonly summary: string;
  readonly load: () => Promise<{ run(args: readonly string[]): Promise<number> }>;
}

const commands: Readonly<Record<string, Command>> = {
  up: {
    summary: "set up what is missing, start the cluster, return when it is Ready",
    load: () => import("./commands/up.ts"),
  },
  down: { summary: "stop everything of the cluster, keep the data", load: () => import("./commands/down.ts") },
  reset: { summary: "remove every trace of the cluster", load: () => import("./commands/reset.ts") },
  status: {
    summary: "what runs, ports, health, versions, ends of certificates",
    load: () => import("./commands/status.ts"),
  },
  kubeconfig: { summary: "print the admin kubeconfig", load: () => import("./commands/kubeconfig.ts") },
  kubectl: { summary: "kubectl 1.36 with this cluster's kubeconfig", load: () => import("./commands/kubectl.ts") },
  image: {
    summary: "image load FILE: put an OCI or Docker archive into every node's store",
    load: () => import("./commands/image.ts"),
  },
  why: {
    summary: "why KIND/NAME: from the user's change to the last automatic action",
    load: () => import("./commands/why.ts"),
  },
  canary: { summary: "canary NAME: a release by users, live", load: () => import("./commands/canary.ts") },
  top: {
    summary: "nodes and workloads: what they use against what they asked for",
    load: () => import("./commands/top.ts"),
  },
  advise: { summary: "what each workload should ask for, by what it used", load: () => import("./commands/advise.ts") },
  demo: {
    summary: "demo web|canary: play a whole story on a cluster of its own",
    load: () => import("./commands/demo.ts"),
  },
  sim: { summary: "run seeds of the simulator", load: () => import("./commands/sim.ts") },
  test: { summary: "every test there is", load: () => import("./commands/test.ts") },
  bench: { summary: "bench NAME: print figures as JSON lines", load: () => import("./commands/bench.ts") },
};

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === "help") {
    const [about = "--help"] = rest;
    return main(about.startsWith("-") ? ["--help"] : [about, "--help"]);
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    throw new UserError(`There is no command "${name}".`, "./steer help lists the commands.");
  }
  return await (await command.load()).run(rest);
}

function usage(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}\n`);
  return `Steersman: the whole of Kubernetes in one program.

usage: ./steer COMMAND [--data-dir DIR] [options]        ./steer help COMMAND

${lines.join("")}
Start here:  ./steer up  and then  ./steer kubectl get nodes
`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // A user's mistake is told in a sentence; anything else is a defect of ours and shows where.
  const isUsers = error instanceof UserError || error instanceof BrokenDataDirError;
  const told = isUsers ? error : machineRefusal(error);
  process.stderr.write(
    told === undefined ? `steer: internal error\n${(error as Error).stack}\n` : `steer: ${told.message}\n`,
  );
  process.exitCode = 1;
}
