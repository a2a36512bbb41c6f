import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestCluster } from "./harness.ts";

/** What tells a cluster's traces from those of others, read while it stands: later nobody knows it any more. */
export interface Standing {
  readonly id: string;
  readonly dataDir: string;
  /** They lie where every containerd has them. */
  readonly shimSockets: readonly string[];
}

export function standing(dataDir: string): Standing {
  const { id } = JSON.parse(readFileSync(join(dataDir, "cluster.json"), "utf8")) as { id: string };
  const addresses = globSync(`/run/steersman-${id}/*/containerd/io.containerd.runtime.v2.task/k8s.io/*/address`);
  return { id, dataDir, shimSockets: addresses.map((path) => readFileSync(path, "utf8").replace("unix://", "")) };
}

/** Everything that a cluster has left on the machine and in the network of `cluster`, where only `otherLinks` are somebody else's. */
export function tracesOf(cluster: TestCluster, { id, dataDir, shimSockets }: Standing, otherLinks: readonly string[]) {
  const words = `${dataDir} `.replaceAll("/", " ");
  const lines = (command: string, ...args: string[]): string[] => cluster.run(command, args).stdout.split("\n");
  // Another cluster's data dir may begin with the same letters.
  const isOurs = (line: string): boolean => `${line} `.replaceAll("/", " ").includes(words) || line.includes(id);
  return {
    files: existsSync(dataDir) ? readdirSync(dataDir) : [],
    runtime: existsSync(`/run/steersman-${id}`),
    shimSockets: shimSockets.filter((path) => existsSync(path)),
    registered: existsSync(`/var/lib/steersman/clusters/${id}.json`),
    processes: commandLines().filter(isOurs),
    mounts: readFileSync("/proc/self/mounts", "utf8").split("\n").filter(isOurs),
    links: linksOf(cluster).filter((name) => !otherLinks.includes(name)),
    namespaces: lines("ip", "netns", "list").filter(isOurs),
    tables: lines("nft", "list", "tables").filter(isOurs),
    cgroups: lines("find", "/sys/fs/cgroup", "-name", `*${id}*`).filter(isOurs),
  };
}

export const noTraces: ReturnType<typeof tracesOf> = {
  files: [],
  runtime: false,
  shimSockets: [],
  registered: false,
  processes: [],
  mounts: [],
  links: [],
  namespaces: [],
  tables: [],
  cgroups: [],
};

/** Names of the interfaces in a cluster's network. */
export function linksOf(cluster: TestCluster): string[] {
  const links = JSON.parse(cluster.run("ip", ["-j", "link"]).stdout) as { readonly ifname: string }[];
  return links.map(({ ifname }) => ifname);
}

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}
