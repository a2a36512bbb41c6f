import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { clusterCgroup, runtimeFolder } from "#cluster/node-paths.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import { startTimeOf, unlessGone, type KnownProcess } from "./process-file.ts";

/** A process of a cluster, by the command line that it was started with. */
export interface Part {
  /** `server`, `agent-NODE`, `containerd-NODE` ... */
  readonly name: string;
  /** As it was given to the command that started it. */
  readonly dataDir: string;
}

/** How our engines are told their files: nobody else starts them with these. */
const engines: readonly { readonly program: string; readonly argument: RegExp }[] = [
  { program: "containerd", argument: /^(.+)\/nodes\/([^/]+)\/config\.toml$/ },
  { program: "haproxy", argument: /^(.+)\/nodes\/([^/]+)\/network\/haproxy$/ },
  { program: "prometheus", argument: /^--config\.file=(.+)\/prometheus\/prometheus\.yml$/ },
];
const shim = /^containerd-shim-/;

/** Which part of which cluster a command line started; undefined: none, like an editor or a command that only names a file. */
export function partOf([program = "", ...args]: readonly string[]): Part | undefined {
  const flag = args.indexOf("--data-dir");
  const ours = /^(supervisor|server|agent)\.[jt]s$/.exec(basename(args[flag - 1] ?? ""))?.[1];
  const dataDir = args[flag + 1];
  if (ours !== undefined && dataDir !== undefined)
    return { name: ours === "agent" ? `agent-${args[args.indexOf("--node") + 1]}` : ours, dataDir };
  const argument = engines.find((engine) => engine.program === basename(program))?.argument;
  for (const arg of argument === undefined ? [] : args) {
    const [, root, node] = argument?.exec(arg) ?? [];
    const name = basename(program);
    if (root !== undefined) return { name: node === undefined ? name : `${name}-${node}`, dataDir: root };
  }
  return undefined;
}

/** Processes of ours that run for the cluster of a data dir, also when nothing is left of it. Those of its pods: `podProcesses`. */
export function clusterProcesses(dataDir: string): KnownProcess[] {
  const wanted = realPlace(dataDir);
  return runningProcesses((pid) => {
    const part = partOf(commandLineOf(pid));
    return part !== undefined && realPlace(part.dataDir) === wanted && seesOurFiles(pid) ? part.name : undefined;
  });
}

/** What runs in a cluster's pods, and what containerd leaves beside them. */
export function podProcesses(settings: Pick<ClusterSettings, "id">): KnownProcess[] {
  const group = clusterCgroup(settings).slice(1);
  const sockets = `${runtimeFolder(settings)}/`;
  return runningProcesses((pid) => {
    // Inside a container the machine's groups may have a path before them.
    const groups = unlessGone(() => readFileSync(`/proc/${pid}/cgroup`, "utf8")) ?? "";
    if (groups.split(/[/\n]/).includes(group)) return "a pod's process";
    const [program = "", ...args] = commandLineOf(pid);
    const isShim = shim.test(basename(program)) && args.some((arg) => arg.startsWith(sockets));
    return isShim && seesOurFiles(pid) ? "a pod's shim" : undefined;
  });
}

/** The same for every way to write a path, through links or not; it may not exist. */
export function realPlace(path: string): string {
  const whole = resolve(path);
  for (let known = whole; known !== "/"; known = dirname(known)) {
    const real = unlessGone(() => realpathSync(known));
    if (real !== undefined) return join(real, whole.slice(known.length));
  }
  return whole;
}

function runningProcesses(nameOf: (pid: number) => string | undefined): KnownProcess[] {
  const pids = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  return pids.flatMap((pid) => {
    // First: if another process gets the number while we look, it has another start.
    const startedAt = startTimeOf(pid);
    const name = startedAt === undefined || pid === process.pid ? undefined : nameOf(pid);
    return startedAt === undefined || name === undefined ? [] : [{ name, pid, startedAt }];
  });
}

function commandLineOf(pid: number): string[] {
  return (unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "").split("\0");
}

/** In a container of somebody else a cluster may run whose data dir has the same name. */
function seesOurFiles(pid: number): boolean {
  try {
    const [theirs, own] = [statSync(`/proc/${pid}/root`), statSync("/proc/self/root")];
    return theirs.dev === own.dev && theirs.ino === own.ino;
  } catch {
    // It ended, or it is another user's, whose clusters are not ours either.
    return false;
  }
}
